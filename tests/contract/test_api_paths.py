"""What every store promises to the reports over paths: the numbers of plain Python over corrected journeys."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from paths_truth import DAYS, Truth, bucket_of, build_world, steps_of

from api.clickhouse_store import ClickHouseStore
from api.paths_store import LAG_BOUNDS_S, Part, PathPosition, PathsAsked, PathsShown, PathSum
from api.store import Store
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.path_sums import PathRoller
from clickhouse.settings import ClickHouseSettings
from tests.contract.test_api_analytics import get
from tests.contract.test_api_store import START, Facts, load_clickhouse, load_memory

WORLD = build_world(seed=5, customers=150)
END = START + timedelta(days=DAYS - 1)
PERIOD = f"start_date={START}&end_date={END}"
URL = "/api/v1/analytics"
Load: TypeAlias = Callable[[Facts], Store]


def asked(currency: str = "USD", **more: Any) -> PathsAsked:
    return PathsAsked(1, START, END, currency, "", 7)._replace(**more)


def shown(**more: Any) -> PathsShown:
    return PathsShown("", False, True, None, 10_000)._replace(**more)


def plain(part: Part) -> tuple[int, int]:
    return part.conversions, part.value_micros


class PathsContract:
    """The suite. A subclass gives ``store``: what holds ``WORLD``; and ``other``: an empty one."""

    @pytest.mark.parametrize("kind", ["", "purchase"])
    @pytest.mark.parametrize("currency", ["USD", "EUR", "JPY", "CHF"])
    def test_numbers_are_those_of_plain_python(self, store: Store, currency: str, kind: str) -> None:
        """To the micro: no deleted conversion, the last value of each, each amount at the rate of its day."""
        truth = Truth(WORLD.after, currency, kind)
        question = asked(currency, conversion_type=kind)
        lengths = store.path_lengths(question, 4)
        assert {n: plain(p) for n, p in lengths.by_length.items()} == truth.sums(lambda s: [min(len(s.touches), 4)])
        assert sum(p.touches for p in lengths.by_length.values()) == sum(len(s.touches) for s in truth.sold)
        for found in (lengths, store.assists(question), store.time_lags(question), store.top_paths(question, shown())):
            assert set(found.other_currencies) == truth.other
            assert set(found.converted_currencies) == truth.converted
        assists = store.assists(question)
        assert {c: plain(p) for c, p in assists.first.items()} == truth.sums(lambda s: [t[2] for t in s.touches[:1]])
        assert {c: plain(p) for c, p in assists.last.items()} == truth.sums(lambda s: [t[2] for t in s.touches[-1:]])
        assert {c: plain(p) for c, p in assists.assist.items()} == truth.sums(
            lambda s: sorted({t[2] for t in s.touches[:-1]})
        )
        assert {0: plain(assists.untouched)} == truth.sums(lambda s: [0] if not s.touches else [])
        lags = store.time_lags(question)
        names = ["no touch", "<1 h", "1-24 h", *(f"{n} d" for n in range(1, 30)), "30+ d"]
        assert len(names) == len(LAG_BOUNDS_S) + 1
        assert {(names[a], names[b]): plain(p) for (a, b), p in lags.pairs.items()} == truth.sums(
            lambda s: [
                (bucket_of(s.conversion, s.touches[0]), bucket_of(s.conversion, s.touches[-1]))
                if s.touches
                else ("no touch", "no touch")
            ]
        )
        assert lags.first_s == pytest.approx(truth.quantiles(0))
        assert lags.last_s == pytest.approx(truth.quantiles(-1))

    @pytest.mark.parametrize(
        ("by_campaign", "collapse", "channel"),
        [
            (False, True, ""),
            (True, True, ""),
            (True, False, "Direct"),
            (False, False, "unattributed"),
            (False, True, "nobody' OR 1=1 --"),
        ],
    )
    def test_top_paths_are_those_of_plain_python(
        self, store: Store, by_campaign: bool, collapse: bool, channel: str
    ) -> None:
        truth = Truth(WORLD.after, "EUR")
        if channel:
            truth.sold = [s for s in truth.sold if channel in ({t[2] for t in s.touches} or {"unattributed"})]
        wanted = truth.sums(lambda s: [steps_of(s.touches, by_campaign=by_campaign, collapse=collapse)])
        which = shown(channel=channel, by_campaign=by_campaign, collapse=collapse)
        whole = store.top_paths(asked("EUR"), which)
        assert {tuple(map(tuple, p.steps)): plain(p.sum) for p in whole.paths} == wanted
        assert len(whole.paths) == len(wanted)
        assert plain(whole.total) == truth.sums(lambda _: [0]).get(0, (0, 0))
        assert whole.total.touches == sum(p.sum.touches for p in whole.paths) == sum(len(s.touches) for s in truth.sold)
        places = [(-p.sum.conversions, p.path_id) for p in whole.paths]
        assert places == sorted(set(places))

    def test_pages_of_paths_are_the_whole_and_each_knows_the_sum_of_all(self, store: Store) -> None:
        whole = store.top_paths(asked("EUR"), shown())
        assert len(whole.paths) > 25
        found: list[PathSum] = []
        for _ in range(10):
            after = PathPosition(found[-1].sum.conversions, found[-1].path_id) if found else None
            page = store.top_paths(asked("EUR"), shown(after=after, limit=len(whole.paths) // 3))
            assert page.total == whole.total
            found += page.paths
            if not page.paths:
                break
        assert found == list(whole.paths)

    def test_days_add_up_and_other_runs_are_left_out(self, store: Store) -> None:
        whole = store.path_lengths(asked("EUR"), 1)
        edges = [START + timedelta(days=n) for n in (0, 1, 2, 9, 10, DAYS)]
        spans = [(a, b - timedelta(days=1)) for a, b in pairwise(edges)]
        single = [store.path_lengths(asked("EUR", start=a, end=b), 1) for a, b in spans]
        for length in (0, 1):
            parts = [s.by_length[length] for s in single if length in s.by_length]
            assert Part(*map(sum, zip(*parts, strict=True))) == whole.by_length[length]
        for nowhere in (asked(run_id=2), asked(start=START - timedelta(days=50), end=START - timedelta(days=40))):
            assert store.path_lengths(nowhere, 3).by_length == {}
            assert store.top_paths(nowhere, shown()).paths == ()
            lags, assists = store.time_lags(nowhere), store.assists(nowhere)
            assert (lags.pairs, lags.first_s, lags.last_s) == ({}, None, None)
            assert (assists.first, assists.last, assists.assist, assists.untouched) == ({}, {}, {}, Part(0, 0))

    async def test_every_report_over_http(self, store: Store) -> None:
        """Laws between the answers: all count the same conversions; shares add up; CSV and 304 as everywhere."""
        truth, totals = Truth(WORLD.after, "USD"), {}
        for report, rows_, columns in (
            ("top-paths", "paths", ("conversions", "value_micros")),
            ("path-length", "lengths", ("conversions", "value_micros")),
            ("time-lag", "buckets", ("since_last_touch_conversions", "since_first_touch_value_micros")),
            ("assisted-conversions", "channels", ("last_touch_conversions", "last_touch_value_micros")),
        ):
            url = f"{URL}/{report}?{PERIOD}&currency=USD"
            response = await get(store, url)
            answer = response.json()
            assert (response.status_code, len(answer[rows_]) > 3) == (200, True)
            assert (answer["meta"]["run_id"], answer["meta"]["currency"]) == (1, "USD")
            assert {"as_of", "watermark", "lag_seconds", "model_version"} <= answer["meta"].keys()
            assert answer["converted_currencies"] == sorted(truth.converted) != []
            assert answer["other_currencies"] == sorted(truth.other) != []
            lines = list(csv.DictReader(io.StringIO((await get(store, url, accept="text/csv")).text)))
            assert len(lines) == len(answer[rows_])
            summed = tuple(sum(int(line[c]) for line in lines) for c in columns)
            if report != "top-paths":  # its totals are rounded as a whole, not path by path
                assert summed == tuple(answer["totals"][c] for c in ("conversions", "value_micros"))
            assert (await get(store, url, if_none_match=response.headers["etag"])).status_code == 304
            assert response.headers["x-meta-run-id"] == "1"
            totals[report] = answer["totals"]["conversions"] + answer.get("unattributed", {}).get("conversions", 0)
        assert set(totals.values()) == {len(truth.sold)}
        lengths = (await get(store, f"{URL}/path-length?{PERIOD}&longest=3")).json()["lengths"]
        assert [(r["touches"], r["or_more"]) for r in lengths] == [(0, False), (1, False), (2, False), (3, True)]
        assert sum(r["share"] for r in lengths) == pytest.approx(1)
        assert lengths[-1]["cumulative_share"] == 1
        lags = (await get(store, f"{URL}/time-lag?{PERIOD}")).json()
        for since in ("since_first_touch", "since_last_touch"):
            assert lags["buckets"][0][since]["conversions"] == lengths[0]["conversions"]
            ordered = list(lags[since].values())
            assert ordered == sorted(ordered)
        found, after = [], ""
        while True:
            page = (await get(store, f"{URL}/top-paths?{PERIOD}&by=campaign&limit=20{after}")).json()
            found += page["paths"]
            if not page["next_cursor"]:
                break
            after = f"&cursor={page['next_cursor']}"
        assert sum(p["conversions"] for p in found) == page["totals"]["conversions"]
        assert len({json.dumps(p["steps"]) for p in found}) == len(found) > 40

    @pytest.mark.parametrize("day", [date(1, 1, 1), date(1900, 1, 1), date(2149, 6, 6), date(9999, 12, 31)])
    def test_days_of_any_year_are_answered(self, store: Store, day: date) -> None:
        nowhere = asked(start=day, end=day)
        assert store.path_lengths(nowhere, 3).by_length == {}
        assert store.time_lags(nowhere).pairs == {}
        assert store.assists(nowhere).first == {}
        assert store.top_paths(nowhere, shown()).paths == ()


def sum_paths(engine: ClickHouseSettings, days: int) -> None:
    """Builds the path sums of so many days, the newest first."""
    client = connect(engine)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clickhouse.path_sums.GRACE_US", 0)
            roller = PathRoller(client, again_us=0)
            for _ in range(days):
                roller.run_once()
    finally:
        client.close()


@pytest.fixture(scope="module")
def engine_store(clickhouse_url: str) -> Iterator[Store]:
    """Held the conversions as first sent before their corrections came; a third of its days has path sums."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = ClickHouseSettings(url=clickhouse_url, database=name)
    migrate(engine)
    load_clickhouse(WORLD.before, engine)
    load_clickhouse(WORLD.after, engine)
    sum_paths(engine, DAYS // 3)
    store = ClickHouseStore(engine)
    assert len(store._days(asked())) == DAYS // 3
    yield store
    store.close()
    client = connect(engine, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": name})
    client.close()


class TestMemoryPaths(PathsContract):
    """The double."""

    @pytest.fixture
    def store(self) -> Store:
        return load_memory(WORLD.after)


@pytest.mark.clickhouse
class TestClickHousePaths(PathsContract):
    """The real one."""

    @pytest.fixture
    def store(self, engine_store: Store) -> Store:
        return engine_store
