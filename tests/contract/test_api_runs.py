"""What every store promises about runs, for the double and for ClickHouse; and the routes over both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.run_store import GapCheck
from api.settings import ApiSettings
from api.store import Store, Unavailable
from api.testing import MemoryOffsets, MemoryStore
from api.testing_runs import LIVE, RunList
from attribution.attribute import Attributor, FixedJourney
from attribution.config import AttributionConfig
from attribution.types import Conversion
from attribution.window import Window
from clickhouse import rows
from clickhouse.client import connect
from clickhouse.errors import RunChanged, RunError
from clickhouse.run import Run
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

AT_US = 1_790_000_000_000_000
FED = Run(2, "fed", ("linear",), "aaaa", {"half_life_us": 7}, group_id="g-2", created_us=AT_US)
FROZEN = Run(3, "frozen", ("linear",), "bbbb", {}, source="facts", window=Window(AT_US, 0))
BEGUN = Run(4, "begun", ("linear",), "cccc", {}, status="running", done=3, total=9)
GONE = Run(5, "fed", ("linear",), "dddd", {}, status="dropped")
MADE = (FED, FROZEN, BEGUN, GONE)
RUNS = "/api/v1/runs"


@pytest.fixture(params=["double", pytest.param("clickhouse", marks=pytest.mark.clickhouse)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "double":
        yield MemoryStore(run_list=RunList([LIVE, *MADE]))
        return
    engine = ClickHouseSettings(
        url=request.getfixturevalue("clickhouse_url"), database=request.getfixturevalue("clickhouse_database")
    )
    client = connect(engine)
    for run in MADE:
        Runs(client).save(run)
    client.close()
    made = ClickHouseStore(engine)
    yield made
    made.close()


def client_of(store: Store, gap_check: GapCheck | None = lambda *_: None) -> httpx.AsyncClient:
    app = create_app(
        ApiSettings(), store=store, offsets=MemoryOffsets(), now=lambda: datetime.now(UTC), gap_check=gap_check
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def active(store: Store) -> str:
    (name,) = (r.name for r in store.runs() if r.is_active)
    return name


def test_runs_are_listed_by_id_as_they_were_saved(store: Store) -> None:
    found = store.runs()
    assert [r.run_id for r in found] == [1, 2, 3, 4, 5]
    assert found[0].is_active
    assert found[1:] == list(MADE)


def test_a_promotion_holds_only_against_the_run_that_was_seen(store: Store) -> None:
    always: Callable[[], bool] = lambda: True  # noqa: E731 - a word for it
    assert not store.promote_run(FED, expected=1, frozen=False, is_wanted=lambda: False)
    assert active(store) == "live"
    assert store.promote_run(FED, expected=1, frozen=False, is_wanted=always)
    assert not store.promote_run(FED, expected=1, frozen=False, is_wanted=always)  # the same once more
    with pytest.raises(RunChanged, match=r"fed \(2\)"):
        store.promote_run(FROZEN, expected=1, frozen=True, is_wanted=always)
    with pytest.raises(RunError, match="frozen"):
        store.promote_run(FROZEN, expected=2, frozen=False, is_wanted=always)
    with pytest.raises(RunError, match="running"):
        store.promote_run(BEGUN, expected=2, frozen=True, is_wanted=always)
    assert active(store) == "fed"


async def test_the_list_as_json_csv_and_304(store: Store) -> None:
    async with client_of(store) as client:
        plain = await client.get(RUNS)
        every = (await client.get(RUNS, params={"with_dropped": "true"})).json()["runs"]
        as_csv = await client.get(RUNS, headers={"Accept": "text/csv"})
        again = await client.get(RUNS, headers={"If-None-Match": plain.headers["etag"]})
        one, named = (await client.get(f"{RUNS}/2")).json(), (await client.get(f"{RUNS}/fed")).json()
        unknown = await client.get(f"{RUNS}/nobody")
    assert [r["run_id"] for r in plain.json()["runs"]] == [1, 2, 3, 4]
    assert [r["run_id"] for r in every] == [1, 2, 3, 4, 5]
    assert [line.split(",")[1] for line in as_csv.text.splitlines()] == ["name", "live", "fed", "frozen", "begun"]
    assert (again.status_code, again.content) == (304, b"")
    assert one == named == plain.json()["runs"][1]
    assert (one["model_version"], one["is_fed"], one["config"]) == ("aaaa", True, {"half_life_us": 7})
    assert one["created_at"] == datetime.fromtimestamp(AT_US / 1e6, UTC).isoformat().replace("+00:00", "Z")
    assert every[2]["from"] is not None
    assert unknown.status_code == 404
    assert "frozen (3)" in unknown.json()["detail"]


async def test_a_promotion_is_refused_as_the_command_refuses_it(store: Store) -> None:
    async def post(run: str, **asked: Any) -> tuple[int, str]:
        answer = await client.post(f"{RUNS}/{run}/promote", json=asked)
        return answer.status_code, str(answer.json().get("detail", answer.json().get("changed")))

    def gap(workspace: str, shown: Run, run: Run) -> None:
        assert (workspace, shown.name) == ("default", "live")
        raise RunError(f"run {run.name} has read 7 records that group attribution has not yet")

    async with client_of(store, gap) as client:
        assert await post("fed") == (409, "run fed has read 7 records that group attribution has not yet.")
    async with client_of(store, None) as client:
        assert (await post("fed"))[0] == 503
    async with client_of(store) as client:
        assert (await post("begun"))[0] == 409
        status, detail = await post("frozen")
        assert (status, "frozen" in detail) == (409, True)
        assert (await post("nobody"))[0] == 404
        assert (await post("5"))[0] == 409  # dropped
        assert (await post("fed", expected_active=3))[0] == 409
        assert (await post("fed", frozen="maybe"))[0] == 422
        assert (await post("fed", forced=True))[0] == 422
        assert (await client.post(f"{RUNS}/fed/promote")).status_code == 415
        assert active(store) == "live"
        assert await post("fed", expected_active=1) == (200, "True")
        assert await post("fed", expected_active=1) == (200, "False")
        assert await post("2") == (200, "False")
        assert await post("frozen", frozen=True, expected_active=2) == (200, "True")
        assert active(store) == "frozen"


async def test_of_a_broker_that_does_not_answer_nothing_is_promoted(store: Store) -> None:
    def gap(*_: object) -> None:
        raise Unavailable("kafka", "it does not say how far the workers are")

    async with client_of(store, gap) as client:
        answer = await client.post(f"{RUNS}/fed/promote", json={})
    assert (answer.status_code, answer.json()["dependency"]) == (503, "kafka")
    assert active(store) == "live"


def test_of_promotions_at_the_same_time_one_holds(store: Store) -> None:
    """All saw `live`: one switches, the others are told; whoever asks for the run that won is told it is there."""
    barrier = threading.Barrier(4)
    answers: list[tuple[int, object]] = []
    wanted = [FED, FROZEN, replace(FROZEN, run_id=2, name="fed", source="topics", window=Window(0, 0)), FROZEN]

    def promote(run: Run) -> None:
        barrier.wait()
        try:
            answers.append((run.run_id, store.promote_run(run, expected=1, frozen=True, is_wanted=lambda: True)))
        except RunChanged:
            answers.append((run.run_id, "changed"))

    threads = [threading.Thread(target=promote, args=(run,)) for run in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((winner, _),) = [a for a in answers if a[1] is True]
    assert sorted(str(a[1]) for a in answers) == ["False", "True", "changed", "changed"]
    assert {a[0] for a in answers if a[1] is False} == {winner}
    assert [r.run_id for r in store.runs() if r.is_active] == [winner]


@pytest.mark.clickhouse
async def test_a_difference_is_that_of_the_rows_once_they_are_summed(
    clickhouse_url: str, clickhouse_database: str
) -> None:
    engine = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    client = connect(engine)
    attributor = Attributor(AttributionConfig(models=("first_touch", "last_touch")))
    journey = FixedJourney([(AT_US - 2, "t1", "Email", ""), (AT_US - 1, "t2", "Display", "")])
    day = datetime.fromtimestamp(AT_US / 1e6, UTC).date()
    for run, count in ((1, 3), (2, 2)):
        sold = [Conversion(f"v{i}", "purchase", AT_US + i, 10_000_000, "USD") for i in range(count)]
        found = [("c", attributor.attribute(journey, c)) for c in sold]
        table = rows.attribution_rows(found, run_id=run, config_hash="h", emitted_at_us=AT_US)
        Writer(client).write({"attributions": table})
    made = Runs(client)
    made.save(FED)
    made.save(replace(FROZEN, window=Window(AT_US, 0)))
    store = ClickHouseStore(engine)
    asked: dict[str, Any] = {
        "run": "live",
        "with": "2",
        "attribution_model": "first_touch",
        "start_date": day,
        "end_date": day,
    }

    async with client_of(store) as http:

        async def difference(**more: Any) -> Any:
            return (await http.get(f"{RUNS}/difference", params={**asked, **more})).json()

        for run_ in (LIVE, FED):
            made.mark_days(run_)
        made.build_sums()
        made.mark_days(FED)
        plain = await difference()
        part = await difference(run="frozen")
        refused = [
            (await http.get(f"{RUNS}/difference", params={**asked, **more})).status_code
            for more in ({"run": "nobody"}, {"attribution_model": "no"}, {"start_date": "2026-13-01"})
        ]
    (channel,) = plain["channels"]
    assert channel == {
        "channel": "Email",
        "currency": "USD",
        "value_a": 30_000_000,
        "value_b": 20_000_000,
        "conversions_a": 3.0,
        "conversions_b": 2.0,
    }
    assert (plain["pending_days_a"], plain["pending_days_b"]) == (0, 1)
    assert (part["channels"], part["start_date"]) == ([], str(day + timedelta(days=1)))  # the run begins within a day
    assert refused == [404, 422, 422]
    store.close()
    client.close()


@pytest.mark.clickhouse
async def test_a_comparison_is_the_command_s(clickhouse_url: str, clickhouse_database: str) -> None:
    engine = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    client = connect(engine)
    attributor = Attributor(AttributionConfig(models=("first_touch", "last_touch")))
    journey = FixedJourney([(AT_US - 2, "t1", "Email", ""), (AT_US - 1, "t2", "Display", "")])
    sold = [Conversion(f"v{i}", "purchase", AT_US + i, 10_000_000, "USD") for i in range(3)]
    for run, conversions in ((1, sold), (2, [replace(sold[0], value_micros=7_000_000), *sold[1:]])):
        found = [("c", attributor.attribute(journey, c)) for c in conversions]
        Writer(client).write(
            {"attributions": rows.attribution_rows(found, run_id=run, config_hash="h", emitted_at_us=AT_US)}
        )
    Runs(client).save(FED)
    Runs(client).save(GONE)
    store = ClickHouseStore(engine)
    async with client_of(store) as http:
        answer = await http.get(f"{RUNS}/compare", params={"run": "live", "with": "2", "limit": 5})
        as_csv = await http.get(f"{RUNS}/compare?run=1&with=fed", headers={"Accept": "text/csv"})
        refused = [(await http.get(f"{RUNS}/compare{q}")).status_code for q in ("", "?run=1", "?run=1&with=x")]
        dropped = await http.get(f"{RUNS}/compare?run=1&with=5")
    plain, runs = answer.json(), Runs(client)
    wanted = runs.compare(runs.get("live"), runs.get("fed"), limit=5)
    assert plain["models"] == wanted.models
    assert plain["channels"] == wanted.channels
    assert [(c["conversion_id"], c["difference"]) for c in plain["conversions"]] == [("v0", 6_000_000)]
    assert [plain[side]["checksum"] for side in "ab"] == [str(runs.checksum(runs.get(n))) for n in ("live", "fed")]
    assert len(as_csv.text.splitlines()) == 1 + len(wanted.channels)
    assert refused == [422, 422, 404]
    assert dropped.status_code == 409
    store.close()
    client.close()
