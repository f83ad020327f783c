"""Reports over paths are those of plain Python, whatever of their daily sums is current, old, half built or gone."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from paths_truth import Truth, bucket_of, steps_of

from api.clickhouse_store import ClickHouseStore
from api.paths_store import PathPosition, PathsAsked, PathsShown
from attribution.config import DAY_US
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits
from clickhouse import path_sums, queries
from clickhouse.client import connect
from clickhouse.erasure import Customer, Eraser
from clickhouse.errors import LockHeld, SinkRejected, SinkUnavailable
from clickhouse.migrate import load, migrate
from clickhouse.path_sums import Built, PathRoller
from clickhouse.rows import attribution_rows, dirty_day_rows
from clickhouse.run import Run
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from tests.contract.test_api_store import Facts

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

DAY_0 = 20_000
DATE_0 = date(1970, 1, 1) + timedelta(days=DAY_0)
DAYS = 4
CHANNELS = ("email", "paid_search", "direct")
NAMES = ["no touch", "<1 h", "1-24 h", *(f"{n} d" for n in range(1, 30)), "30+ d"]
RNG = random.Random


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are built at once, not when their marks are two seconds old."""
    monkeypatch.setattr("clickhouse.path_sums.GRACE_US", 0)


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


class World:
    """Conversions of one run in the engine, what reports say of them, and what they are."""

    def __init__(self, client: Client, url: str, database: str, run_id: int = 1) -> None:
        self.client, self.run_id = client, run_id
        self.store = ClickHouseStore(ClickHouseSettings(url=url, database=database))
        self.roller = PathRoller(client, again_us=0)
        self.current: dict[str, ConversionCredits] = {}

    def put(self, *credits_: ConversionCredits) -> None:
        """Writes and marks, as a worker does."""
        pairs = [(f"of {c.conversion.conversion_id}", c) for c in credits_]
        self.current |= {c.conversion.conversion_id: c for c in credits_}
        rows = attribution_rows(pairs, run_id=self.run_id, config_hash="h", emitted_at_us=1)
        marks = dirty_day_rows(pairs, run_id=self.run_id)
        Writer(self.client).write({"attributions": rows, "dirty_days": marks})

    def truth(self, currency: str = "USD") -> Truth:
        return Truth(Facts(credits=[("c", c) for c in self.current.values()]), currency)

    def asked(self) -> PathsAsked:
        return PathsAsked(self.run_id, DATE_0, DATE_0 + timedelta(days=DAYS - 1), "USD", "", 7)

    def summed(self) -> list[int]:
        """Days that are read from path sums."""
        return [(day - DATE_0).days for day in self.store._days(self.asked())]

    def check(self, variant: int = 0) -> None:
        """Every report; of the four kinds of top paths one."""
        truth, asked = self.truth(), self.asked()
        lengths = self.store.path_lengths(asked, 3)
        assert {n: p[:2] for n, p in lengths.by_length.items()} == truth.sums(lambda s: [min(len(s.touches), 3)])
        assert set(lengths.other_currencies) == truth.other
        assists = self.store.assists(asked)
        for found, wanted in (
            (assists.first, truth.sums(lambda s: [t[2] for t in s.touches[:1]])),
            (assists.last, truth.sums(lambda s: [t[2] for t in s.touches[-1:]])),
            (assists.assist, truth.sums(lambda s: sorted({t[2] for t in s.touches[:-1]}))),
            ({0: assists.untouched}, {0: (0, 0)} | truth.sums(lambda s: [0] if not s.touches else [])),
        ):
            assert {name: part[:2] for name, part in found.items()} == wanted
        lags = self.store.time_lags(asked)
        buckets = truth.sums(
            lambda s: [tuple(bucket_of(s.conversion, s.touches[i]) if s.touches else NAMES[0] for i in (0, -1))]
        )
        assert {(NAMES[a], NAMES[b]): p[:2] for (a, b), p in lags.pairs.items()} == buckets
        if sum(1 for s in truth.sold if s.touches) > 1:
            assert lags.first_s == pytest.approx(truth.quantiles(0))
            assert lags.last_s == pytest.approx(truth.quantiles(-1))
        by_campaign, collapse = bool(variant & 1), bool(variant & 2)
        page = self.store.top_paths(asked, PathsShown("", by_campaign, collapse, None, 1_000))
        wanted = truth.sums(lambda s: [steps_of(s.touches, by_campaign=by_campaign, collapse=collapse)])
        assert {tuple(map(tuple, p.steps)): p.sum[:2] for p in page.paths} == wanted
        assert page.total.conversions == len(truth.sold)


@pytest.fixture
def world(client: Client, clickhouse_url: str, clickhouse_database: str) -> Iterator[World]:
    world = World(client, clickhouse_url, clickhouse_database)
    yield world
    world.store.close()


def sold(
    name: str,
    day: int,
    path: Sequence[tuple[str, str]],
    *,
    rev: int = 1,
    value: int = 1_000_001,
    currency: str = "USD",
    second: int = 0,
    back_s: int = 4_000,
) -> ConversionCredits:
    """A conversion whose touches, each ``back_s`` before the next, are ``path``; without one it has no touch."""
    at_us = (DAY_0 + day) * DAY_US + second * 1_000_000 + 7
    n = len(path)
    touches = tuple((at_us - (n - i) * back_s * 1_000_000, f"{name}-{i}", *step) for i, step in enumerate(path))
    split = [value // (n or 1)] * (n or 1)
    split[-1] += value - sum(split)
    return ConversionCredits(
        Conversion(name, "purchase", at_us, value, currency),
        rev,
        ("linear",),
        touches or ((at_us, "", UNATTRIBUTED, ""),),
        ((1 / (n or 1),) * (n or 1),),
        (tuple(split),),
        ("",),
    )


def a_change(rng: RNG, world: World, rev: int) -> ConversionCredits:
    """A conversion that comes, moves to another time or day, changes its path, its value or its currency, or goes."""
    name = f"o{rng.randrange(25)}"
    path = [(rng.choice(CHANNELS), rng.choice(("", "spring"))) for _ in range(rng.choice((0, 1, 1, 2, 4)))]
    new = sold(
        name, rng.randrange(DAYS), path, rev=rev, value=rng.randrange(10**9),
        currency=rng.choice(("USD", "USD", "EUR")), second=rng.randrange(86_400),
        back_s=rng.choice((1, 3_600, 86_400, 40 * 86_400)),
    )  # fmt: skip
    last = world.current.get(name)
    if last is not None:
        former = {last.conversion.at_us, *last.conversion.former_at_us} - {new.conversion.at_us}
        new = replace(new, conversion=replace(new.conversion, former_at_us=tuple(sorted(former))))
    if last is not None and rng.random() < 0.2:
        return replace(new, conversion=replace(new.conversion, is_live=False), touches=(), weights=(), micros=())
    return new


class Acting:
    """A client that does something just before one of its statements, once."""

    def __init__(self, client: Client, before: str, act: Any) -> None:
        self._client, self._before, self._act = client, before, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def command(self, sql: str, **kwargs: Any) -> Any:
        if self._act is not None and self._before in sql:
            act, self._act = self._act, None
            act()
        return self._client.command(sql, **kwargs)


def die() -> None:
    raise KeyboardInterrupt


STATEMENTS = [
    "CREATE TABLE {stage",
    "INSERT INTO {stage",
    "OPTIMIZE TABLE {stage",
    "REPLACE PARTITION",
    "INSERT INTO path_state",
]


def test_reports_are_those_of_plain_python_while_days_change_and_are_built(world: World) -> None:
    """Late corrections, moved days, deletions, builds killed anywhere: after each step, with days of every kind."""
    rng, seen = RNG(3), set()
    for step in range(10):
        changes: dict[str, ConversionCredits] = {}
        for _ in range(rng.randint(1, 4) if step else 40):
            change = a_change(rng, world, step + 1)
            changes.setdefault(change.conversion.conversion_id, change)
        world.put(*changes.values())
        if rng.random() < 0.3:
            killed = Acting(world.client, rng.choice(STATEMENTS), die)
            with pytest.raises(KeyboardInterrupt):
                PathRoller(killed, again_us=0).run_once()  # type: ignore[arg-type]  # a client that kills
        for _ in range(rng.randrange(4)):
            world.roller.run_once()
        seen.add(len(world.summed()))
        world.check(step)
    assert len(seen & {1, 2, 3}) > 1, "days of both kinds must have been read in one answer"
    world.roller.drain()
    assert world.summed() == list(range(DAYS))
    world.check()


def test_a_row_written_at_any_moment_of_a_build_is_in_every_answer(world: World) -> None:
    world.put(sold("a", 0, [("email", "")]))
    for rev, statement in enumerate(STATEMENTS, 2):
        change = sold("a", 0, [("direct", str(rev))], rev=rev), sold(f"b{rev}", 0, [])
        late = Acting(world.client, statement, lambda change=change: world.put(*change))
        PathRoller(late, again_us=0).run_once()  # type: ignore[arg-type]  # a client with a hook
        assert late._act is None
        assert world.summed() == []
        world.check()
    assert world.roller.drain() == 1
    assert world.summed() == [0]
    world.check()


def test_a_builder_that_was_overtaken_cannot_swap_old_sums_in(world: World) -> None:
    def overtake() -> None:
        world.put(sold("a", 0, [("direct", "")], rev=2))
        PathRoller(world.client, again_us=0, stale_after_s=0).drain()

    world.put(sold("a", 0, [("email", "")]))
    with pytest.raises(SinkRejected):
        PathRoller(Acting(world.client, "REPLACE PARTITION", overtake), again_us=0).run_once()  # type: ignore[arg-type]  # a hook
    assert world.summed() == [0]
    world.check()
    assert queries.run(world.client, "path_sums_stages") == []


def test_a_lock_and_a_stage_left_by_a_killed_process_are_taken_over(world: World) -> None:
    world.put(sold("a", 0, [("email", "")]))
    queries.execute(world.client, "lock_take", lock=path_sums.LOCK)
    queries.execute(world.client, "path_sums_create_stage", stage="path_stage_old")
    with pytest.raises(LockHeld):
        world.roller.run_once()
    assert PathRoller(world.client, stale_after_s=0).run_once() == Built(1, DATE_0, 0)
    assert queries.run(world.client, "path_sums_stages") == []


def test_which_days_are_built_and_when(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never-built ones first, new before old, the active run before others; a changed one not at once again."""
    patient = PathRoller(world.client)
    world.put(*[sold(f"r{day}", day, [("email", "")]) for day in range(3)])
    other = World(world.client, world.store._settings.url, world.store._settings.database, run_id=2)
    other.put(sold("x", 3, []))
    monkeypatch.setattr("clickhouse.path_sums.GRACE_US", 3_600_000_000)
    assert patient.run_once() is None, "a younger mark may not be visible yet"
    monkeypatch.setattr("clickhouse.path_sums.GRACE_US", 0)
    built = [patient.run_once() for _ in range(5)]
    day = [DATE_0 + timedelta(days=n) for n in range(4)]
    assert built == [Built(1, day[2], 3), Built(1, day[1], 2), Built(1, day[0], 1), Built(2, day[3], 0), None]
    world.put(sold("r1", 1, [], rev=2), sold("r0", 0, [], rev=2))
    assert patient.run_once() is None
    assert [world.roller.run_once() for _ in range(3)] == [Built(1, day[1], 1), Built(1, day[0], 0), None]
    monkeypatch.setattr("clickhouse.path_sums.FORMAT", path_sums.FORMAT + 1)
    assert world.summed() == []
    assert world.roller.drain() == 4
    assert world.summed() == [0, 1, 2]
    world.check()
    other.check()
    other.store.close()


def test_a_day_that_is_built_between_two_statements_of_an_answer_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(*[sold(f"a{i}", 0, [("email", "")]) for i in range(40)])
    world.roller.drain()
    real, asked = world.store._run, []

    def run(query: str, **bound: Any) -> list[dict[str, Any]]:
        rows = real(query, **bound)
        asked.append(query)
        if query == "analytics_top_path_ids" and asked.count(query) == 1:
            world.put(*[sold(f"a{i}", 0, [("direct", "")], rev=2) for i in range(30)])
            world.roller.drain()
        return rows

    monkeypatch.setattr(world.store, "_run", run)
    page = world.store.top_paths(world.asked(), PathsShown("", False, True, None, 1))
    assert [(p.steps[0].channel, p.sum.conversions) for p in page.paths] == [("direct", 30)]
    assert asked.count("analytics_top_paths") == 2


def test_erased_customers_leave_the_sums(world: World) -> None:
    world.put(sold("a", 0, [("email", "")]), sold("b", 0, [("direct", "")]), sold("c", 1, [("email", ""), ("sms", "")]))
    world.roller.drain()
    Eraser(world.client).erase([Customer(f"of {name}", name * 64, 1, "delete") for name in ("b", "c")])
    del world.current["b"], world.current["c"]
    assert world.summed() == []
    world.check()
    assert world.roller.drain() == 2
    world.check()
    held = world.client.query("SELECT DISTINCT day, arrayJoin(channels) FROM rollup_paths").result_rows
    assert held == [(DATE_0, "email")]


def test_a_dropped_run_has_no_sums_and_others_keep_theirs(world: World) -> None:
    runs = Runs(world.client)
    run = runs.create(Run(0, "other", ("linear",), "h", {}))
    other = World(world.client, world.store._settings.url, world.store._settings.database, run_id=run.run_id)
    for one in (world, other):
        one.put(sold("a", 0, [("email", "")]), sold("b", 1, []))
    other.roller.drain()
    assert other.summed() == world.summed() == [0, 1]
    runs.drop(run)
    assert other.summed() == []
    assert world.client.query("SELECT DISTINCT run_id FROM rollup_paths").result_rows == [(1,)]
    assert world.roller.drain() == 0
    world.check()
    other.store.close()


def test_days_of_a_database_without_path_sums_are_built_after_its_migration(clickhouse_url: str) -> None:
    name = f"test_{uuid.uuid4().hex[:12]}"
    settings = ClickHouseSettings(url=clickhouse_url, database=name)
    migrate(settings, migrations=[m for m in load() if m.name != "sum_paths"])
    client = connect(settings)
    try:
        world = World(client, clickhouse_url, name)
        world.put(*[sold(f"r{day}", day, [("email", "")]) for day in range(DAYS)])
        assert [m.name for m in migrate(settings)] == ["sum_paths"]
        assert world.summed() == []
        world.check()
        assert world.roller.drain() == DAYS
        assert world.summed() == list(range(DAYS))
        world.check()
        world.store.close()
    finally:
        client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": name})
        client.close()


def test_an_endless_builder_tells_of_days_and_of_troubles_and_keeps_to_its_share(world: World) -> None:
    world.put(sold("a", 0, [("email", "")]), sold("b", 1, []))
    now, pauses = iter(range(0, 1_000, 3)), list[float]()
    told, troubles = list[Built](), list[Exception]()

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 6

    def away() -> None:
        raise SinkUnavailable("down")

    PathRoller(Acting(world.client, "REPLACE PARTITION", away)).run_forever(  # type: ignore[arg-type]  # a hook
        wait=wait,
        on_built=told.append,
        on_trouble=troubles.append,
        share=0.25,
        look_s=7,
        clock=lambda: float(next(now)),
    )
    assert [built.day for built in told] == [DATE_0 + timedelta(days=1), DATE_0]
    assert [str(trouble) for trouble in troubles] == ["down"]
    # a build took 3 s of that clock: a quarter of the time is at work
    assert pauses == [0, 7, 9, 9, 7, 7]


class Busy(World):
    """Some paths are frequent, on all days or on one, most are rare: as they are where there are many conversions."""

    def fill(self, rng: RNG) -> None:
        frequent = [
            [(c, "") for c in path] for path in (("email",), ("direct",), ("email", "sms"), ("sms",), ("push", "email"))
        ]
        for day in range(DAYS):
            for i, path in enumerate(frequent):
                # the first two on every day, one on the last day alone, others come and go
                often = rng.randrange(40, 90) if i < 2 or rng.random() < 0.5 else rng.randrange(32)
                for n in range(often if i != 4 else 90 * (day == DAYS - 1)):
                    name = f"{day}-{i}-{n}"
                    self.current[name] = sold(name, day, path, value=rng.randrange(10**6), second=n)
            for n in range(120):
                path = [(rng.choice(("email", "sms", "tv")), rng.choice(("", "x"))) for _ in range(rng.randint(3, 6))]
                name = f"{day}-rare-{n}"
                self.current[name] = sold(name, day, path, value=rng.randrange(10**6), second=n)
        self.put(*self.current.values())

    def pages(self, shown: PathsShown) -> list[Any]:
        """Two pages, one after the other."""
        found: list[Any] = []
        for _ in range(2):
            page = self.store.top_paths(self.asked(), shown._replace(after=found[-1] if found else None))
            found += [PathPosition(p.sum.conversions, p.path_id) for p in page.paths]
        return found


@pytest.mark.parametrize("summed", [DAYS, DAYS - 1])
def test_pages_of_frequent_paths_are_the_same_when_rare_ones_are_left_out(
    client: Client, clickhouse_url: str, clickhouse_database: str, summed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against all paths counted, for several pages, filters and kinds of steps."""
    world = Busy(client, clickhouse_url, clickhouse_database)
    world.fill(RNG(summed))
    for _ in range(DAYS):  # days are built from the newest on; the newest is the live one when it is not all
        world.roller.run_once()
    last = [day for day in range(DAYS) if day >= summed]
    if last:
        world.put(*[replace(c, rev=2) for c in world.current.values() if c.conversion.at_us // DAY_US - DAY_0 in last])
    assert world.summed() == list(range(summed))
    grades: list[tuple[int, bool]] = []
    real = world.store._run

    def run(query: str, **bound: Any) -> list[dict[str, Any]]:
        rows = real(query, **bound)
        if query == "analytics_top_path_ids":
            grades.append((bound["least_grade"], bool(rows and rows[0]["is_right"])))
        return rows

    monkeypatch.setattr(world.store, "_run", run)
    for shown in [
        PathsShown(channel, by_campaign, collapse, None, limit)
        for channel, by_campaign, collapse, limit in (
            ("", False, True, 2), ("", False, True, 5), ("", True, True, 3), ("", False, False, 2),
            ("email", False, True, 2),
        )
    ]:  # fmt: skip
        found = world.pages(shown)
        with monkeypatch.context() as patch:
            patch.setattr("api.clickhouse_paths._GRADES", (0,))
            assert found == world.pages(shown)
    world.check()
    ways = {grade for grade, is_right in grades if is_right}
    assert ways == {0, 2, 5}, "all ways must have been taken"
    world.store.close()


def test_top_paths_of_many_rare_ones_read_the_frequent_ones_alone(
    client: Client, clickhouse_url: str, clickhouse_database: str
) -> None:
    """Counted in rows of the engine."""
    world = Busy(client, clickhouse_url, clickhouse_database)
    names = [f"c{n}" for n in range(60)]
    rng = RNG(1)
    rare = [sold(f"r{n}", n % 2, [(rng.choice(names), "") for _ in range(5)], second=n // 2) for n in range(12_000)]
    often = [sold(f"f{n}", n % 2, [(names[n % 3], "")], second=n) for n in range(600)]
    world.put(*rare, *often)
    world.roller.drain()
    read: list[int] = []
    bound = {
        **world.asked()._asdict(), "summed": [DATE_0, DATE_0 + timedelta(days=1)], "live": [], "channel": "",
        "by_campaign": 0, "collapse": 1, "has_after": 0, "after_conversions": 0, "after_id": "", "limit": 3,
    }  # fmt: skip
    for grade in (0, 5):
        found = client.query(queries.load("analytics_top_path_ids"), parameters={**bound, "least_grade": grade})
        ids = list(found.named_results())
        assert ids[0]["is_right"]
        values = client.query(
            queries.load("analytics_top_paths"),
            parameters={
                **bound, "least_grade": grade, "ids": [r["id"] for r in ids], "numbers": [r["number"] for r in ids],
                "rare_days": [], "rare_numbers": [],
            },
        )  # fmt: skip
        assert [row["conversions"] for row in values.named_results()] == [12_600, 200, 200, 200]
        read.append(sum(int(answer.summary["read_rows"]) for answer in (found, values)))
    whole, frequent = read
    assert whole > 12_000
    assert frequent < whole / 2
    world.store.close()


def test_marks_are_compared_with_the_state_and_not_with_time(world: World) -> None:
    """A day that is marked again is live at once, whoever marked it and whatever changed."""
    world.put(sold("a", 0, [("email", "")]))
    world.roller.drain()
    assert world.summed() == [0]
    before = datetime.now(UTC)
    queries.execute(world.client, "rollups_mark_all", run_id=1)
    assert world.summed() == []
    world.roller.drain()
    (state,) = path_sums.current(world.store._run, 1, DATE_0, DATE_0).values()
    assert state > before.timestamp() * 1e6 - 60_000_000
    assert world.summed() == [0]
