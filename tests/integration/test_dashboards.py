"""Every panel of every dashboard, executed over a made-up company: columns, types, rows, and the money."""

from __future__ import annotations

import threading
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import yaml

from api.analytics_store import SumsAsked
from api.clickhouse_analytics import ClickHouseAnalytics
from api.sums_report import compared, disagreement, distances
from board_world import Asked, Truth, micros
from cli import preview_world, screenshots
from clickhouse import queries
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from clickhouse.tables import ATTRIBUTIONS
from clickhouse.writer import Writer
from dashboards import frames, lint
from dashboards.choices import choose, moment
from dashboards.frames import Frame
from dashboards.macros import Selection
from dashboards.preview import site

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
BOARDS: Mapping[str, dict[str, Any]] = {b["uid"].split("-")[1]: dict(b) for b in site.load(GRAFANA / "dashboards")}
ALERTS: Mapping[str, str] = {
    rule["uid"]: rule["data"][0]["model"]["rawSql"]
    for group in yaml.safe_load((GRAFANA / "provisioning/alerting/rules.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
#: A little ahead: what the server stamps while the tests run is before it.
NOW = datetime.now(UTC) + timedelta(minutes=30)
#: Days of a period, and so of the one before.
DAYS = 10
MODELS = ("linear", "first_touch")
SELECTIONS: Mapping[str, Mapping[str, list[str]]] = {
    "everything": {},
    "one of each": {
        "model": ["first_touch"],
        "conversion_type": ["purchase"],
        "channel": ["Email"],
        "campaign": ["email-spring-1"],
        "currency": ["EUR"],
    },
    "several": {"channel": ["Email", "Paid Search"], "conversion_type": ["purchase", "closed_won"]},
    "another run": {"run": ["2"]},
}


@pytest.fixture(scope="module")
def world() -> preview_world.World:
    return preview_world.imagine(NOW, days=2 * DAYS + 2, events_per_day=350)


@pytest.fixture(scope="module")
def settings(clickhouse_url: str, world: preview_world.World) -> Iterator[ClickHouseSettings]:
    settings = ClickHouseSettings(url=clickhouse_url, database=f"boards_{uuid.uuid4().hex[:12]}")
    migrate(settings)
    client = connect(settings)
    preview_world.fill(client, world)
    yield settings
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


@pytest.fixture(scope="module")
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    client = connect(settings)
    yield client
    client.close()


@pytest.fixture(scope="module")
def truth(world: preview_world.World) -> Truth:
    return Truth(world, MODELS)


def selected(client: Client, board: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Selection:
    since = "now-48h" if board["uid"].endswith("health") else f"now-{DAYS - 1}d/d"
    return choose(client, board, moment(since, NOW), NOW, asked)[0]


def shown(client: Client, board: str, title: str, asked: Mapping[str, list[str]]) -> Frame:
    """The answer to the panel whose title begins so."""
    panel = next(p for p in lint.panels(BOARDS[board]) if p["title"].startswith(title))
    return frames.ask(client, panel, selected(client, BOARDS[board], asked))


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("asked", SELECTIONS.values(), ids=SELECTIONS)
def test_every_panel_answers(client: Client, board: str, asked: Mapping[str, list[str]]) -> None:
    selection = selected(client, BOARDS[board], asked)
    empty = []
    for panel in lint.panels(BOARDS[board]):
        if panel["datasource"]["type"] == "prometheus":
            continue
        frame = frames.ask(client, panel, selection)
        _check_form(panel, frame)
        if not frame.rows:
            empty.append(panel["title"])
    of_run_2 = {"From conversion to readable row", "Insert into the store", "Rows of credits written", "Partitions",
                "Do daily sums add up to the conversions?", "Latest conversions"}  # fmt: skip
    assert set(empty) <= (of_run_2 if asked == SELECTIONS["another run"] else set())


def _check_form(panel: Mapping[str, Any], frame: Frame) -> None:
    """The columns are those that the panel's configuration names, in types that it can draw."""
    if not frame.rows:  # without rows the client does not tell the columns
        return
    kinds = dict(zip(frame.names, frame.types, strict=True))
    numbers = [name for name, kind in kinds.items() if "Int" in kind or "Float" in kind]
    assert numbers, panel["title"]
    assert not any(kind.startswith(("Array", "Map", "Tuple")) for kind in frame.types), kinds
    assert "Int256" not in str(frame.types), "the plugin gives 256 bits as text"
    if panel["targets"][0]["format"] == 0:
        times = frame.column("time")
        assert kinds["time"].startswith("DateTime")
        assert times == sorted(times), "Grafana wants times in order"
    texts = [name for name, kind in kinds.items() if "String" in kind]
    if panel["type"] == "timeseries":
        by = panel["fieldConfig"]["defaults"].get("displayName", "")
        assert texts == ([by.removeprefix("${__field.labels.").removesuffix("}")] if by else [])
    if panel["type"] == "barchart":
        assert texts == [panel["options"]["xField"]]
    if panel["type"] == "xychart":
        assert {m["matcher"]["options"] for m in panel["options"]["series"][0].values()} <= set(numbers)
    named = frames.transformed(frame, panel.get("transformations") or []).names
    overridden = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
    assert overridden <= {*named, *_series(panel, frame)}, panel["title"]


def _series(panel: Mapping[str, Any], frame: Frame) -> set[str]:
    return set(frames.series(frame)) if panel["type"] == "timeseries" else set()


def test_panels_of_a_new_installation_say_nothing_and_break_nothing(
    clickhouse_url: str, clickhouse_database: str
) -> None:
    empty = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    for board in BOARDS.values():
        selection = selected(empty, board, {})
        for panel in lint.panels(board):
            if panel["datasource"]["type"] != "prometheus":
                _check_form(panel, frames.ask(empty, panel, selection))
    for sql in ALERTS.values():
        assert len(frames.ask_alert(empty, sql, NOW - timedelta(minutes=10), NOW).rows) == 1
    empty.close()


FIRST = (NOW - timedelta(days=DAYS - 1)).date()
MONEY = {
    "everything": Asked(FIRST, NOW.date(), "linear", "USD"),
    "one model, type, channel, in euros": Asked(
        FIRST, NOW.date(), "first_touch", "EUR", frozenset({"purchase"}), frozenset({"Email"})
    ),
    "all in pounds": Asked(FIRST, NOW.date(), "linear", "GBP"),
}


@pytest.mark.parametrize("asked", MONEY.values(), ids=MONEY)
def test_revenue_and_spend_are_those_of_the_batch_and_of_the_api_to_the_micro(
    client: Client, truth: Truth, asked: Asked
) -> None:
    chosen = {
        "model": [asked.model],
        "currency": [asked.currency],
        "conversion_type": sorted(asked.types),
        "channel": sorted(asked.channels),
    }
    before = asked._replace(first=asked.first - timedelta(days=DAYS), last=asked.first - timedelta(days=1))
    revenue, spend = truth.revenue(asked), truth.spend(asked)

    table = {r["channel"]: r for r in shown(client, "channels", "Channels", chosen).records()}
    assert {c: micros(r["revenue"]) for c, r in table.items()} == {c: revenue.get(c, 0) for c in table}
    assert {c: micros(r["spend"]) for c, r in table.items()} == {c: spend.get(c, 0) for c in table}
    assert table.keys() == {c for c in {*revenue, *spend} if revenue.get(c) or spend.get(c) or c in table}
    assert sum(revenue.values()) == sum(
        map(micros, shown(client, "executive", "Revenue (", chosen).column("revenue")[-1:])
    )
    earlier, now = map(micros, shown(client, "executive", "Revenue (", chosen).column("revenue"))
    assert (earlier, now) == (sum(truth.revenue(before).values()), sum(revenue.values()))
    assert micros(shown(client, "executive", "Spend", chosen).column("spend")[-1]) == sum(spend.values())
    days = shown(client, "executive", "Revenue by day (", chosen)
    assert sum(map(micros, days.column("This period"))) == now
    assert sum(map(micros, days.column("Period before"))) == earlier
    stacked = shown(client, "executive", "Revenue by day and channel", chosen)
    assert sum(map(micros, stacked.column("revenue"))) == now
    campaigns = shown(client, "channels", "Campaigns", chosen)
    assert sum(map(micros, campaigns.column("revenue"))) == now
    if len(asked.types) < 2:
        of_api = _api_revenue(client, asked)
        assert {c: m for c, m in of_api.items() if not asked.channels or c in asked.channels} == revenue


def _api_revenue(client: Client, asked: Asked) -> dict[str, int]:
    kind = next(iter(asked.types), "")
    sums = SumsAsked(asked.first, asked.last, (asked.model,), asked.currency, kind, "conversion_day", "", False, 7)
    return {key.channel: s.revenue_micros for key, s in Analytics(client).sums(sums).credits[asked.model].items()}


class Analytics(ClickHouseAnalytics):
    """The API's reports over a client."""

    def __init__(self, client: Client) -> None:
        self._run = partial(queries.run, client)  # type: ignore[method-assign]


def test_counts_are_those_of_the_batch(client: Client, truth: Truth) -> None:
    asked = MONEY["everything"]
    count = truth.conversions(asked)
    covered = sum(
        c.touches[0][1] != ""
        for c in truth.credits
        if asked.first <= date(1970, 1, 1) + timedelta(microseconds=c.conversion.at_us) <= asked.last
    )

    assert shown(client, "executive", "Conversions", {}).column("conversions")[-1] == pytest.approx(count)
    assert sum(shown(client, "models", "Touches before", {}).column("conversions")) == count
    assert sum(shown(client, "models", "Time from", {}).column("conversions")) == covered
    assert sum(shown(client, "models", "First touch", {}).column("conversions")) == covered
    assert shown(client, "models", "Conversions with", {}).column("coverage")[-1] == pytest.approx(covered / count)
    new = shown(client, "executive", "New and", {})
    assert sum(new.column("New")) + sum(new.column("Returning")) == count


def test_disagreement_and_paths_are_those_of_the_api(client: Client) -> None:
    selection = selected(client, BOARDS["models"], {})
    models = ("first_touch", "full_path", "inverse_j", "j_shaped", "last_non_direct", "last_touch", "linear",
              "time_decay", "u_shaped", "w_shaped")  # fmt: skip
    span = {
        "start": selection.start.date(),
        "end": NOW.date(),
        "currency": "USD",
        "conversion_type": "",
        "fx_max_age_days": 7,
    }
    sums = Analytics(client).sums(
        SumsAsked(span["start"], NOW.date(), models, "USD", "", "conversion_day", "", False, 7)
    )
    channels = compared(sums, models)
    assists = {
        r["of_channel"]: r for r in queries.run(client, "analytics_assists", run_id=1, **span) if r["role"] == "assist"
    }

    assert shown(client, "models", "Models disagree", {}).column("disagreement")[0] == pytest.approx(
        disagreement(distances(channels, models))
    )
    spread = {r["channel"]: r["spread"] for r in shown(client, "models", "How far", {}).records()}
    assert spread == pytest.approx({c.channel: c.spread_share for c in channels})
    table = {r["channel"]: r for r in shown(client, "models", "Assisted", {}).records() if r["assists"]}
    assert {c: (r["assists"], micros(r["assisted_value"])) for c, r in table.items()} == {
        c: (r["conversions"], r["value_micros"]) for c, r in assists.items()
    }


def test_alerts_are_quiet_and_fire(client: Client) -> None:
    def value(uid: str) -> float:
        now = datetime.now(UTC)
        frame = frames.ask_alert(
            client, ALERTS[f"attribution-{uid}"], now - timedelta(hours=1), now + timedelta(seconds=1)
        )
        assert len(frame.rows) == len(frame.names) == 1
        return float(frame.rows[0][0])

    assert value("conservation") == value("canary") == value("freshness") == 0
    letters = value("dead-letters")

    queries.execute(client, "bench_mark", day=NOW.date() - timedelta(days=1), unit=7)
    Writer(client).write(
        {
            "attributions": _canary(off_by=3),
            "dead_letters": preview_world.rows.dead_letter_rows([_letter()]),
        }
    )
    assert value("canary") == 1
    assert value("conservation") == 3
    assert value("dead-letters") == letters + 1
    assert value("freshness") > 0
    error = shown(client, "health", "Conservation error", {})
    assert error.rows[0][0] == 0, "of the period that ended before"


def _canary(off_by: int) -> pa.Table:
    """A canary's row whose one credit is wrong."""
    kinds = {column.name: column.arrow_type for column in ATTRIBUTIONS.columns}
    at_us = round(datetime.now(UTC).timestamp() * 1_000_000)
    values: dict[str, Any] = {
        "run_id": 1, "conversion_id": "canary", "customer_id": "canary", "conversion_type": "canary",
        "converted_at": at_us, "value_micros": 1_000_000, "currency": "USD", "models": ["linear"], "t.id": ["t"],
        "t.at": [at_us], "t.channel": ["canary"], "t.campaign": [""], "t.weights": [[1.0]],
        "t.value_micros": [[1_000_000 + off_by]], "config_hash": "h", "rev": 1, "emitted_at": at_us // 1_000,
    }  # fmt: skip
    return pa.table({name: pa.array([value]).cast(kinds[name]) for name, value in values.items()})


def _letter() -> Any:
    now_us = round(datetime.now(UTC).timestamp() * 1_000_000)
    return preview_world.rows.DeadLetter(
        "attribution.touchpoints", 0, 10**9, "empty", "", "", "decode", now_us, now_us, 1
    )


def test_the_preview_shows_every_panel(client: Client, settings: ClickHouseSettings, tmp_path: Path) -> None:
    boards = list(BOARDS.values())
    pages = site.write(client, boards, tmp_path, NOW, {})
    texts = {page.stem: page.read_text("utf-8") for page in pages}

    for board in boards:
        text = texts[board["uid"]]
        folded = [p for p in board["panels"] if p["type"] == "row"]
        assert text.count('<section class="panel"') == len(board["panels"]) - len(folded)
        assert 'class="empty error"' not in text
        assert "http://" not in text.replace("http://localhost:8000", ""), "nothing is loaded from elsewhere"
    with site.serve(lambda: connect(settings), boards, 0, lambda: NOW) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            root = f"http://127.0.0.1:{server.server_port}"
            narrowed = _get(f"{root}/attribution-channels.html?var-channel=Email&var-model=first_touch&from=now-6d/d")
            assert "Channels (USD, first_touch)" in narrowed
            assert "Paid Search</a></td>" not in narrowed
            injected = _get(f"{root}/attribution-channels.html?var-channel=x')+OR+1=1--")
            assert "Paid Search</a></td>" in injected, "what is no option is passed over"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                _get(f"{root}/nothing.html")
        finally:
            server.shutdown()
    (picture,) = screenshots.take(pages[:1])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server
        return str(answer.read().decode())
