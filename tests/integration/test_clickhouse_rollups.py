"""Rollups equal a group-by over the newest rows, whatever was corrected, interrupted or interleaved."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from reports import read_report

from api.store import ChannelRow
from attribution.config import DAY_US
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.errors import LockHeld, SinkRejected, SinkUnavailable
from clickhouse.rollups import GRACE_US, LOCK, Roller
from clickhouse.rows import MINUTE_US, attribution_rows, dirty_day_rows, spend_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.testing import MemorySink
from clickhouse.writer import Writer
from schemas.events import SpendEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

DAY_0 = 20_000
DATE_0 = date(1970, 1, 1) + timedelta(days=DAY_0)
MODELS = ("linear", "last_touch")


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


def credits_of(
    name: str,
    day: int,
    *,
    minute: int = 0,
    rev: int = 1,
    value: int = 1_000_001,
    channels: tuple[str, ...] = ("email", "paid_search"),
) -> ConversionCredits:
    """Linear and last-touch credits over ``channels``, a day apart; none of them: one unattributed credit."""
    at_us = (DAY_0 + day) * DAY_US + minute * MINUTE_US + 7
    touches = tuple((at_us - i * DAY_US, f"{name}-{i}", channel, "") for i, channel in enumerate(channels))
    n = len(touches) or 1
    share = [value // n + (i < value % n) for i in range(n)]
    return ConversionCredits(
        Conversion(name, "purchase", at_us, value, "USD"),
        rev,
        MODELS,
        touches or ((at_us, "", UNATTRIBUTED, ""),),
        ((1 / n,) * n, (*[0.0] * (n - 1), 1.0)),
        (tuple(share), (*[0] * (n - 1), value)),
        ("", ""),
    )


def gone(c: ConversionCredits, rev: int) -> ConversionCredits:
    conversion = replace(c.conversion, is_live=False)
    return replace(c, conversion=conversion, rev=rev, touches=(), weights=(), micros=())


class Store:
    """Writes to the engine and, for comparison, to memory."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.memory = MemorySink()
        self.sinks = (Writer(client), self.memory)

    def put(self, *credits_: ConversionCredits, run_id: int = 1, is_marked: bool = True) -> None:
        pairs = [("c", c) for c in credits_]
        tables = {"attributions": attribution_rows(pairs, run_id=run_id, config_hash="h", emitted_at_us=1)}
        if is_marked:
            tables["dirty_days"] = dirty_day_rows(pairs, run_id=run_id)
        for sink in self.sinks:
            sink.write(tables)

    def expected(self, *, is_by_touch: bool = False) -> dict[tuple[Any, ...], tuple[float, int, int]]:
        """The group-by, row by row."""
        sums: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0, 0])
        for row in self.memory.final("attributions"):
            for touch_id, at, channel, weights, micros in zip(
                *(row[f"t.{name}"] for name in ("id", "at", "channel", "weights", "value_micros")), strict=True
            ):
                day = row["converted_at"].date()
                touch_day = (at.date() if touch_id else day,) if is_by_touch else ()
                for model, weight, credit in zip(row["models"], weights, micros, strict=True):
                    total = sums[(row["run_id"], day, model, channel, *touch_day)]
                    total[0] += weight
                    total[1] += credit
                    total[2] += bool(touch_id and weight)
        return {key: (round(w, 9), int(v), int(t)) for key, (w, v, t) in sums.items()}

    def rollups(self) -> dict[tuple[Any, ...], tuple[float, int, int]]:
        """Those by conversion day; the ones by touch day must be as expected, too."""
        assert self.rollups_by_touch() == self.expected(is_by_touch=True)
        return self.rollups_by_day()

    def rollups_by_day(self) -> dict[tuple[Any, ...], tuple[float, int, int]]:
        rows = self.client.query(
            "SELECT run_id, day, model, channel, conversions, value_micros, touchpoints FROM rollup_day"
        ).result_rows
        found = {tuple(row[:4]): (round(row[4], 9), row[5], row[6]) for row in rows}
        assert len(found) == len(rows)
        return found

    def rollups_by_touch(self) -> dict[tuple[Any, ...], tuple[float, int, int]]:
        rows = self.client.query(
            "SELECT run_id, day, model, channel, touch_day, conversions, value_micros, touchpoints "
            "FROM rollup_touch_day"
        ).result_rows
        found = {tuple(row[:5]): (round(row[5], 9), row[6], row[7]) for row in rows}
        assert len(found) == len(rows)
        return found


@pytest.fixture
def store(client: Client) -> Store:
    return Store(client)


@pytest.mark.parametrize("seed", range(4))
def test_rollups_equal_a_group_by_after_random_corrections(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    roller = Roller(store.client, days_per_pass=3)
    current: dict[str, ConversionCredits] = {}
    for step in range(12):
        batch = []
        for _ in range(rng.randint(1, 6)):
            name = f"o{rng.randrange(15)}"
            last = current.get(name)
            channels = tuple(rng.choices(["email", "paid_search", "direct"], k=rng.randint(0, 3)))
            new = credits_of(name, rng.randrange(5), rev=step + 1, value=rng.randint(0, 10**12), channels=channels)
            if last is not None and last.rev == new.rev:
                continue
            if last is not None:
                new = replace(new, conversion=replace(new.conversion, former_at_us=(last.conversion.at_us,)))
            if rng.random() < 0.25:
                new = gone(new, new.rev)
            current[name] = new
            batch.append(new)
        store.put(*batch)
        if rng.random() < 0.6:
            roller.drain()

    roller.drain()
    assert store.rollups() == store.expected()

    time.sleep(GRACE_US / 1e6)  # young marks are built once more, however long the pass before took
    roller.drain()
    assert store.rollups() == store.expected()
    assert roller.run_once() == []


def a_change(rng: random.Random, current: dict[str, ConversionCredits], step: int) -> ConversionCredits:
    """A conversion that comes, moves to another minute or day, changes its path, or goes; most of them at the front."""
    name = f"o{rng.randrange(12)}"
    last = current.get(name)
    new = credits_of(
        name,
        rng.choice([0, 1, 1, 1]),
        minute=min(1_439, max(0, 15 * step - rng.choice([0, 0, 0, 3, 40]))),
        rev=step + 1,
        value=rng.randint(0, 10**12),
        channels=tuple(rng.choices(["email", "paid_search", "direct"], k=rng.randint(0, 3))),
    )
    if last is not None:
        former = {last.conversion.at_us, *last.conversion.former_at_us} - {new.conversion.at_us}
        new = replace(new, conversion=replace(new.conversion, former_at_us=tuple(sorted(former))))
    return gone(new, new.rev) if rng.random() < 0.2 else new


@pytest.mark.parametrize("seed", range(2))
def test_a_hot_day_equals_a_group_by_after_every_pass(store: Store, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rollers that take turns, one of which is killed now and then: what they hold of a day never shows."""
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 0)
    rng = random.Random(seed)
    rollers = [Roller(store.client), Roller(store.client)]
    read = Counting(store.client)
    rollers[0] = Roller(read)  # type: ignore[arg-type]  # a client that counts
    current: dict[str, ConversionCredits] = {}
    for step in range(25):
        changes = {
            c.conversion.conversion_id: c for c in (a_change(rng, current, step) for _ in range(rng.randint(1, 3)))
        }
        current |= changes
        store.put(*changes.values())
        roller = rng.choice([rollers[0], rollers[0], rollers[1]])
        if rng.random() < 0.15:
            with pytest.raises(KeyboardInterrupt):
                Roller(Interrupting(store.client, rng.choice(STATEMENTS[:-1]), die)).run_once()  # type: ignore[arg-type]  # a hook
        roller.drain()
        assert store.rollups() == store.expected()

    assert read.slots > 5, "the passes must have taken the way that is tested here"


@pytest.mark.parametrize(("seed", "grace_us"), [(0, 2_000_000), (1, 0), (2, 0)])
def test_after_every_quick_pass_hot_days_and_after_every_full_one_both_sums_equal_a_group_by(
    store: Store, seed: int, grace_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rollers in turns, both kinds of passes, kills; and ``meta`` claims nothing that is not in the sums."""
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", grace_us)
    rng = random.Random(seed)
    rollers = [Roller(store.client), Roller(store.client)]
    current: dict[str, ConversionCredits] = {}
    by_touch: list[tuple[datetime, dict[tuple[Any, ...], tuple[float, int, int]]]] = []
    quick = 0
    for step in range(24):
        changes = {
            c.conversion.conversion_id: c for c in (a_change(rng, current, step) for _ in range(rng.randint(1, 3)))
        }
        current |= changes
        store.put(*changes.values())
        by_touch.append((server_time(store), store.expected(is_by_touch=True)))
        roller = rng.choice([rollers[0], rollers[0], rollers[0], rollers[1]])
        is_quick = rng.random() < 0.75
        if rng.random() < 0.15:
            statement = rng.choice(["REPLACE PARTITION", "INSERT INTO rollup_state", "CREATE TABLE {stage"])
            with pytest.raises(KeyboardInterrupt):
                Roller(Interrupting(store.client, statement, die)).run_once(is_quick=is_quick)  # type: ignore[arg-type]  # a hook
        before = store.rollups_by_touch()
        built = roller.run_once(is_quick=is_quick)
        quick += is_quick and store.rollups_by_touch() == before != store.expected(is_by_touch=True)
        for _, day in built:
            assert of_day(store.rollups_by_day(), day) == of_day(store.expected(), day)
            if not is_quick:
                assert of_day(store.rollups_by_touch(), day) == of_day(store.expected(is_by_touch=True), day)
        if not is_quick:
            assert store.rollups_by_day() == store.expected()
        claimed = standing.read(partial(queries.run, store.client)).touch_as_of
        known = sum(claimed is not None and at <= claimed for at, _ in by_touch)
        later = [sums for _, sums in by_touch[max(known - 1, 0) :]] if known else [{}, *(sums for _, sums in by_touch)]
        for day in (DATE_0, DATE_0 + timedelta(days=1)):
            assert of_day(store.rollups_by_touch(), day) in [of_day(sums, day) for sums in later]

    assert quick > 3, "the passes must have taken the way that is tested here"
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 0)
    rollers[1].run_once()
    assert store.rollups() == store.expected()


def of_day(sums: dict[tuple[Any, ...], Any], day: date) -> dict[tuple[Any, ...], Any]:
    return {key: value for key, value in sums.items() if key[1] == day}


def server_time(store: Store) -> datetime:
    return datetime.fromtimestamp(queries.run(store.client, "rollups_begin")[0]["now_us"] / 1e6, UTC)


@pytest.mark.parametrize("grace_us", [0, 2_000_000])
def test_what_quick_passes_leave_behind_is_built_by_any_roller_when_the_marks_have_settled(
    store: Store, monkeypatch: pytest.MonkeyPatch, grace_us: int
) -> None:
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", grace_us)
    store.put(credits_of("a", 0, minute=7))
    roller = Roller(store.client)
    roller.run_once()
    roller.run_once()
    store.put(credits_of("a", 0, minute=7, rev=2, value=2))
    roller.run_once()
    store.put(credits_of("a", 0, minute=7, rev=3, value=3))
    roller.run_once(is_quick=True)
    assert store.rollups_by_day() == store.expected()
    assert store.rollups_by_touch() != store.expected(is_by_touch=True)
    assert standing.read(partial(queries.run, store.client)).dirty_days == 0

    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 0)
    assert Roller(store.client).run_once(is_quick=True) == [(1, DATE_0)]

    assert store.rollups() == store.expected()
    assert roller.run_once() == []


def test_a_quick_pass_leaves_old_days_to_a_full_one(store: Store) -> None:
    roller = Roller(store.client)
    store.put(*[credits_of(f"r{day}", day) for day in range(4)])

    quick = roller.run_once(is_quick=True)
    full = roller.run_once()

    assert [[(day - DATE_0).days for _, day in built] for built in (quick, full)] == [[3], [2, 1, 0]]
    assert store.rollups() == store.expected()


def test_a_pass_over_a_hot_day_reads_the_changed_minute_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a pass reads does not grow with the day: counted in rows of the engine."""
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 0)
    store.put(*[credits_of(f"{m}-{i}", 0, minute=m) for m in range(0, 1_000, 5) for i in range(200)])
    read = Counting(store.client)
    roller = Roller(read)  # type: ignore[arg-type]  # a client that counts
    for rev in range(1, 5):
        store.put(credits_of("new", 0, minute=1_001, rev=rev, value=rev))
        roller.drain()

    first, *later = read.rows
    assert (first, len(later)) == (200 * 200 + 2, 2)
    assert max(later) < first / 4
    assert store.rollups() == store.expected()


def test_a_mark_that_becomes_visible_after_a_younger_one_is_not_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 600_000_000)  # on a slow machine it ended between two passes
    store.put(credits_of("a", 0))
    older_us = queries.run(store.client, "rollups_begin")[0]["now_us"]
    store.put(credits_of("b", 0, minute=5), is_marked=False)
    store.put(credits_of("c", 0, minute=9))
    roller = Roller(store.client)
    roller.drain()
    roller.drain()
    store.put(credits_of("b", 0, minute=5, rev=2, value=5), is_marked=False)
    store.client.command(
        "INSERT INTO dirty_days SELECT 1, toDate({day:Int32}), 6, fromUnixTimestamp64Micro({us:Int64}, 'UTC')",
        parameters={"day": DAY_0, "us": older_us},
    )
    assert roller.run_once() == []

    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 0)
    assert roller.drain() == [(1, DATE_0)]

    assert store.rollups() == store.expected()


@pytest.fixture
def no_second_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day is built once more after the grace; on a slow machine that came between two passes of a test."""
    monkeypatch.setattr("clickhouse.rollups.GRACE_US", 600_000_000)


def test_a_day_whose_last_conversion_is_gone_is_empty(store: Store, no_second_build: None) -> None:  # noqa: ARG001
    roller = Roller(store.client)
    store.put(credits_of("a", 0), credits_of("b", 1))
    roller.drain()
    store.put(gone(credits_of("a", 0), 2))

    assert roller.run_once() == [(1, DATE_0)]

    assert {key[1] for key in store.rollups()} == {DATE_0 + timedelta(days=1)}


def test_rows_without_a_mark_are_not_built_and_a_rebuild_finds_them(store: Store) -> None:
    roller = Roller(store.client)
    store.put(credits_of("a", 0), is_marked=False)
    assert roller.drain() == []

    roller.rebuild(1)
    roller.drain()

    assert store.rollups() == store.expected() != {}


def test_the_newest_days_of_the_active_run_come_first(store: Store, no_second_build: None) -> None:  # noqa: ARG001
    roller = Roller(store.client, days_per_pass=3)
    store.put(*[credits_of(f"r{day}", day) for day in range(4)])
    store.put(credits_of("x", 9), run_id=2)

    passes = [roller.run_once() for _ in range(3)]

    days = [[(run_id, (day - DATE_0).days) for run_id, day in built] for built in passes]
    assert days == [[(1, 3), (1, 2), (1, 1)], [(1, 0), (2, 9)], []]
    assert store.rollups() == store.expected()


class Talking:
    """A client that counts its statements, reads and inserts."""

    def __init__(self, client: Client) -> None:
        self._client, self.said = client, 0

    def __getattr__(self, name: str) -> Any:
        held = getattr(self._client, name)
        if name not in {"command", "query", "query_arrow", "insert_arrow"}:
            return held

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.said += 1
            return held(*args, **kwargs)

        return counted


def test_quick_passes_that_follow_each_other_share_a_turn_and_take_few_statements(store: Store) -> None:
    """List, read, stage, swap, record, clear; twice a second one more. At the end the lock and the stage are gone."""
    talk = Talking(store.client)
    said: list[int] = []
    now = iter(range(1_000))

    def change(_: float) -> bool:
        said.append(talk.said)
        talk.said = 0
        rev = len(said) + 1
        store.put(credits_of("a", 0, minute=7, rev=rev, value=rev))
        return rev > 8

    store.put(credits_of("a", 0, minute=7))
    Roller(talk).run_forever(  # type: ignore[arg-type]  # a client that counts
        wait=change,
        on_pass=lambda _: None,
        on_trouble=lambda error: pytest.fail(str(error)),
        full_every_s=1e9,
        clock=lambda: float(next(now)),
    )

    first, opens, *others = said
    assert first > opens > max(others)
    assert min(others) == 6
    assert max(others) <= 7
    assert queries.run(store.client, "lock_age", lock=LOCK) == []
    assert queries.run(store.client, "rollups_begin")[0]["left_behind"] == []
    Roller(store.client).drain()
    assert store.rollups() == store.expected()


class Interrupting:
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


class Counting:
    """A client that counts the reads of single minutes, and the rows that each of them has read."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.rows: list[int] = []

    @property
    def slots(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query_arrow(self, sql: str, **kwargs: Any) -> Any:
        explained = "SELECT sum(rows) FROM (EXPLAIN ESTIMATE " + sql.replace("SETTINGS", ") SETTINGS")  # noqa: S608 - ours
        self.rows.append(int(self._client.query(explained, parameters=kwargs["parameters"]).result_rows[0][0]))
        return self._client.query_arrow(sql, **kwargs)


def die() -> None:
    raise KeyboardInterrupt


STATEMENTS = [
    "CREATE TABLE {stage",
    "CREATE TABLE {touch_stage",
    "INSERT INTO {touch_stage",
    "INSERT INTO {stage",
    "ALTER TABLE rollup_touch_day REPLACE PARTITION",
    "ALTER TABLE rollup_day REPLACE PARTITION",
    "INSERT INTO rollup_state",
    "rollup_pass",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_row_written_at_any_moment_of_a_pass_is_in_the_next(store: Store, statement: str) -> None:
    store.put(credits_of("a", 0), credits_of("b", 0))
    late = Interrupting(
        store.client, statement, lambda: store.put(credits_of("a", 0, rev=2, value=5), credits_of("c", 1))
    )

    Roller(late).run_once()  # type: ignore[arg-type]  # a client with a hook
    assert late._act is None
    Roller(store.client).drain()

    assert store.rollups() == store.expected()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_roller_killed_at_any_moment_is_made_good_by_the_next(store: Store, statement: str) -> None:
    store.put(credits_of("a", 0), credits_of("b", 1))
    with pytest.raises(KeyboardInterrupt):
        Roller(Interrupting(store.client, statement, die)).run_once()  # type: ignore[arg-type]  # a client with a hook

    Roller(store.client).drain()

    assert store.rollups() == store.expected() != {}
    assert Roller(store.client).freshness().dirty_days == 0


def test_a_lock_and_a_stage_left_by_a_killed_process_are_taken_over(store: Store) -> None:
    store.put(credits_of("a", 0))
    queries.execute(store.client, "lock_take", lock=LOCK)
    queries.execute(store.client, "rollups_create_stage", stage="rollup_stage_old")
    with pytest.raises(LockHeld):
        Roller(store.client).run_once()

    assert Roller(store.client, stale_after_s=0).run_once() == [(1, DATE_0)]

    assert queries.run(store.client, "rollups_begin")[0]["left_behind"] == []
    assert store.rollups() == store.expected()


def test_a_roller_that_was_overtaken_cannot_swap_old_sums_in(store: Store) -> None:
    def overtake() -> None:
        store.put(credits_of("a", 0, rev=2, value=5))
        Roller(store.client, stale_after_s=0).drain()

    store.put(credits_of("a", 0))
    with pytest.raises(SinkRejected):
        Roller(Interrupting(store.client, "REPLACE PARTITION", overtake)).run_once()  # type: ignore[arg-type]  # a hook

    assert store.rollups() == store.expected()


def test_a_second_roller_waits_for_its_turn(store: Store) -> None:
    store.put(credits_of("a", 0))
    troubles: list[Exception] = []
    built: list[Any] = []
    turns = iter([False, False, True])

    def wait(_: float) -> bool:
        if troubles and not built:
            queries.execute(store.client, "lock_drop", lock=LOCK)
        return next(turns)

    queries.execute(store.client, "lock_take", lock=LOCK)
    Roller(store.client).run_forever(wait=wait, on_pass=built.append, on_trouble=troubles.append)

    assert [type(trouble) for trouble in troubles] == [LockHeld]
    assert built == [[(1, DATE_0)]]


def test_an_engine_that_is_away_for_a_while_is_reported_and_waited_for(store: Store) -> None:
    def away() -> None:
        raise SinkUnavailable("down")

    store.put(credits_of("a", 0))
    troubles: list[Exception] = []
    built: list[Any] = []
    Roller(Interrupting(store.client, "REPLACE PARTITION", away)).run_forever(  # type: ignore[arg-type]  # a hook
        wait=lambda _: bool(built), on_pass=built.append, on_trouble=troubles.append
    )

    assert ([str(trouble) for trouble in troubles], built) == (["down"], [[(1, DATE_0)]])


def test_as_of_covers_what_was_marked_before_and_nothing_later(store: Store) -> None:
    roller = Roller(store.client, days_per_pass=1)
    assert roller.freshness().as_of is None
    store.put(credits_of("a", 0))
    between = datetime.fromtimestamp(queries.run(store.client, "rollups_begin")[0]["now_us"] / 1e6, UTC)
    roller.drain()
    clean = roller.freshness()
    store.put(credits_of("b", 1))
    dirty = roller.freshness()

    assert clean.as_of is not None
    assert dirty.as_of is not None
    assert (clean.dirty_days, dirty.dirty_days) == (0, 1)
    assert between < dirty.as_of < clean.as_of


PERFORMANCE: dict[str, Any] = {
    "start": DATE_0,
    "end": DATE_0 + timedelta(days=1),
    "basis": "conversion_day",
    "model": "linear",
    "currency": "USD",
    "conversion_type": "",
    "fx_max_age_days": 7,
}


def test_channel_performance_has_credits_spend_and_the_unattributed_row(store: Store) -> None:
    """Other days and currencies stay out."""
    store.put(
        credits_of("a", 0, value=3_000_000, channels=("email", "paid_search")),
        credits_of("b", 1, value=1_000_000, channels=("paid_search",)),
        credits_of("c", 1, value=500_000, channels=()),
        credits_of("d", 2, value=9_000_000),
    )
    spend = [
        SpendEvent("s1", DAY_0, "paid_search", 400_000, "USD"),
        SpendEvent("s2", DAY_0 + 1, "paid_search", 600_000, "USD", campaign="x"),
        SpendEvent("s3", DAY_0, "display", 250_000, "USD"),
        SpendEvent("s4", DAY_0, "email", 1, "EUR"),
        SpendEvent("s5", DAY_0 + 2, "email", 1, "USD"),
    ]
    Writer(store.client).write({"spend": spend_rows(spend)})
    Roller(store.client).drain()

    page = read_report(store.client, **PERFORMANCE)

    assert page.rows == [
        ChannelRow("paid_search", 1.5, 2_500_000, 1_000_000, 2, DATE_0 + timedelta(days=1)),
        ChannelRow("email", 0.5, 1_500_000, 0, 1, DATE_0),
        ChannelRow("unattributed", 1.0, 500_000, 0, 0),
        ChannelRow("display", 0.0, 0, 250_000, 0, DATE_0),
    ]
    assert (page.other_currencies, page.converted_currencies) == (["EUR"], [])


def test_channel_performance_can_be_limited_to_a_conversion_type(store: Store) -> None:
    lead = credits_of("lead", 0, value=0)
    store.put(credits_of("a", 0), replace(lead, conversion=replace(lead.conversion, conversion_type="lead_created")))
    Roller(store.client).drain()

    def conversions(kind: str) -> float:
        page = read_report(store.client, **{**PERFORMANCE, "conversion_type": kind})
        return sum(row.conversions for row in page.rows)

    assert [conversions(kind) for kind in ("", "purchase", "lead_created", "other")] == [2.0, 1.0, 1.0, 0.0]


def test_the_performance_view_pairs_spend_with_every_model_and_multiplies_nothing(store: Store) -> None:
    store.put(
        credits_of("a", 0, value=10, channels=("email", "email")), credits_of("b", 0, value=5, channels=("email",))
    )
    spend = [SpendEvent("s", DAY_0, "email", 7, "USD", source=s) for s in ("x", "y")]
    Writer(store.client).write({"spend": spend_rows([*spend, SpendEvent("s", DAY_0, "display", 3, "USD")])})
    Roller(store.client).drain()

    rows = store.client.query("SELECT * FROM channel_performance ORDER BY model, channel").result_rows

    assert rows == [
        (DATE_0, "last_touch", "display", "", "USD", 0.0, 0, 3, 0),
        (DATE_0, "last_touch", "email", "", "USD", 2.0, 15, 14, 2),
        (DATE_0, "linear", "display", "", "USD", 0.0, 0, 3, 0),
        (DATE_0, "linear", "email", "", "USD", 2.0, 15, 14, 3),
    ]


def test_later_spend_replaces_in_the_performance(store: Store) -> None:
    for offset, cost in ((5, 100), (6, 40)):
        Writer(store.client).write(
            {"spend": spend_rows([SpendEvent("s", DAY_0, "email", cost, "USD", received_at_us=9_000, offset=offset)])}
        )

    rows = read_report(store.client, **PERFORMANCE).rows

    assert [(row.channel, row.spend_micros) for row in rows] == [("email", 40), ("unattributed", 0)]
