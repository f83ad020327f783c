"""Every panel of every dashboard, executed over a made-up company: columns, types, rows, and the money."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pyarrow as pa
import pytest
import yaml

from api.analytics_store import SumsAsked
from api.clickhouse_analytics import ClickHouseAnalytics
from api.sums_report import compared, disagreement, distances
from board_world import Asked, Truth, micros
from cli import preview_world, screenshots
from clickhouse import queries, rows
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
    "several, of another run": {
        "run": ["2"],
        "channel": ["Email", "Paid Search"],
        "conversion_type": ["purchase", "closed_won"],
    },
}
#: The replay is not at the last days yet, and a worker's progress is that of the live run.
NOT_YET = {
    "From conversion to readable row",
    "Insert into the store",
    "Rows of credits written",
    "Partitions",
    "Latest conversions",
    "Do daily sums add up to the conversions?",
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


@pytest.fixture(scope="module")
def selected(client: Client) -> Callable[..., Selection]:
    """The selection of a board for what is asked; each is put together once."""
    known: dict[str, Selection] = {}

    def select(board: Mapping[str, Any], asked: Mapping[str, list[str]]) -> Selection:
        # money is not asked of the health board: the others have the same variables and days
        since = "now-48h" if board["uid"].endswith("health") else f"now-{DAYS - 1}d/d"
        key = json.dumps([since, asked])
        if key not in known:
            known[key] = choose(client, board, moment(since, NOW), NOW, asked)[0]
        return known[key]

    return select


@pytest.fixture
def shown(client: Client, selected: Callable[..., Selection]) -> Callable[..., Frame]:
    """The answer to the panel of a board whose title begins so."""

    def ask(board: str, title: str, asked: Mapping[str, list[str]]) -> Frame:
        panel = next(p for p in lint.panels(BOARDS[board]) if p["title"].startswith(title))
        return frames.ask(client, panel, selected(BOARDS[board], asked))

    return ask


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("asked", SELECTIONS.values(), ids=SELECTIONS)
def test_every_panel_answers(
    client: Client, selected: Callable[..., Selection], board: str, asked: Mapping[str, list[str]]
) -> None:
    selection = selected(BOARDS[board], asked)
    empty = []
    for panel in lint.panels(BOARDS[board]):
        if panel["datasource"]["type"] == "prometheus":
            continue
        frame = frames.ask(client, panel, selection)
        _check_form(panel, frame)
        if not frame.rows:
            empty.append(panel["title"])
    assert set(empty) <= (NOT_YET if "run" in asked else set())


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
        selection, _ = choose(empty, board, moment(board["time"]["from"], NOW), NOW, {})
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
    client: Client, shown: Callable[..., Frame], truth: Truth, asked: Asked
) -> None:
    chosen = {
        "model": [asked.model],
        "currency": [asked.currency],
        "conversion_type": sorted(asked.types),
        "channel": sorted(asked.channels),
    }
    before = asked._replace(first=asked.first - timedelta(days=DAYS), last=asked.first - timedelta(days=1))
    revenue, spend = truth.revenue(asked), truth.spend(asked)

    table = {r["channel"]: r for r in shown("channels", "Channels", chosen).records()}
    assert {c: micros(r["revenue"]) for c, r in table.items()} == {c: revenue.get(c, 0) for c in table}
    assert {c: micros(r["spend"]) for c, r in table.items()} == {c: spend.get(c, 0) for c in table}
    assert table.keys() == {c for c in {*revenue, *spend} if revenue.get(c) or spend.get(c) or c in table}
    earlier, now = map(micros, shown("executive", "Revenue (", chosen).column("revenue"))
    assert (earlier, now) == (sum(truth.revenue(before).values()), sum(revenue.values()))
    assert micros(shown("executive", "Spend", chosen).column("spend")[-1]) == sum(spend.values())
    days = shown("executive", "Revenue by day (", chosen)
    assert sum(map(micros, days.column("This period"))) == now
    assert sum(map(micros, days.column("Period before"))) == earlier
    stacked = shown("executive", "Revenue by day and channel", chosen)
    assert sum(map(micros, stacked.column("revenue"))) == now
    campaigns = shown("channels", "Campaigns", chosen)
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


def test_counts_are_those_of_the_batch(shown: Callable[..., Frame], truth: Truth) -> None:
    asked = MONEY["everything"]
    count = truth.conversions(asked)
    covered = sum(
        c.touches[0][1] != ""
        for c in truth.credits
        if asked.first <= date(1970, 1, 1) + timedelta(microseconds=c.conversion.at_us) <= asked.last
    )

    assert shown("executive", "Conversions", {}).column("conversions")[-1] == pytest.approx(count)
    assert sum(shown("models", "Touches before", {}).column("conversions")) == count
    assert sum(shown("models", "Time from", {}).column("conversions")) == covered
    assert sum(shown("models", "First touch", {}).column("conversions")) == covered
    assert shown("models", "Conversions with", {}).column("coverage")[-1] == pytest.approx(covered / count)
    new = shown("executive", "New and", {})
    assert sum(new.column("New")) + sum(new.column("Returning")) == count


def test_disagreement_and_assists_are_those_of_the_api(client: Client, shown: Callable[..., Frame]) -> None:
    models = ("first_touch", "full_path", "inverse_j", "j_shaped", "last_non_direct", "last_touch", "linear",
              "time_decay", "u_shaped", "w_shaped")  # fmt: skip
    span = {
        "start": FIRST,
        "end": NOW.date(),
        "currency": "USD",
        "conversion_type": "",
        "fx_max_age_days": 7,
    }
    sums = Analytics(client).sums(SumsAsked(FIRST, NOW.date(), models, "USD", "", "conversion_day", "", False, 7))
    channels = compared(sums, models)
    days = [FIRST + timedelta(days=n) for n in range(DAYS)]
    assists = {
        r["of_channel"]: r
        for r in queries.run(client, "analytics_assists", run_id=1, live=days, summed=[], **span)
        if r["role"] == "assist"
    }

    assert shown("models", "Models disagree", {}).column("disagreement")[0] == pytest.approx(
        disagreement(distances(channels, models))
    )
    spread = {r["channel"]: r["spread"] for r in shown("models", "How far", {}).records()}
    assert spread == pytest.approx({c.channel: c.spread_share for c in channels})
    table = {r["channel"]: r for r in shown("models", "Assisted", {}).records() if r["assists"]}
    assert {c: (r["assists"], micros(r["assisted_value"])) for c, r in table.items()} == {
        c: (r["conversions"], r["value_micros"]) for c, r in assists.items()
    }


def test_alerts_are_quiet_and_fire(client: Client, shown: Callable[..., Frame]) -> None:
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
            "dead_letters": rows.dead_letter_rows([_letter()]),
        }
    )
    assert value("canary") == 1
    assert value("conservation") == 3
    assert value("dead-letters") == letters + 1
    assert value("freshness") > 0
    assert shown("health", "Conservation error", {}).rows[0][0] == 3


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
    return rows.DeadLetter("attribution.touchpoints", 0, 10**9, "empty", "", "", "decode", now_us, now_us, 1)


def test_the_preview_shows_the_panels_and_nothing_from_elsewhere(
    client: Client, settings: ClickHouseSettings, tmp_path: Path
) -> None:
    boards = list(BOARDS.values())
    (page,) = site.write(client, [BOARDS["models"]], tmp_path, NOW, {"from": ["now-9d/d"]})
    text = page.read_text("utf-8")
    (picture,) = screenshots.take([page])

    assert text.count('<section class="panel"') == len(BOARDS["models"]["panels"])
    assert 'class="empty' not in text
    assert "http" not in text.replace("http://localhost:8000", "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    with site.serve(lambda: connect(settings), boards, 0, lambda: NOW) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            root = f"http://127.0.0.1:{server.server_port}"
            narrowed = _get(f"{root}/attribution-channels.html?var-channel=Email&var-model=first_touch&from=now-9d/d")
            assert "Channels (USD, first_touch)" in narrowed
            assert narrowed.count('<section class="panel"') == len(BOARDS["channels"]["panels"])
            assert "Paid Search</a></td>" not in narrowed
            with pytest.raises(HTTPError, match="404"):
                _get(f"{root}/nothing.html")
        finally:
            server.shutdown()


def test_what_is_no_option_gets_into_no_statement(client: Client) -> None:
    asked = {"channel": ["x') OR 1=1 --"], "run": ["1 OR 1=1"], "model": ["linear"]}
    selection, _ = choose(client, BOARDS["channels"], moment("now-9d/d", NOW), NOW, asked)

    assert selection.variables["channel"].is_all
    assert list(selection.variables["run"].values) == ["1"]


def _get(url: str) -> str:
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server
        return str(answer.read().decode())
