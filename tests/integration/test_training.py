"""Counts of training journeys in ClickHouse equal those of plain Python, whatever arrived in which order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from attribution.batch import attribute_all
from attribution.config import DAY_US, AttributionConfig
from attribution.identity import Link
from attribution.types import ConversionCredits, ConversionEvent, Touch
from cli.fitting import journeys as journeys_read
from cli.fitting import set_counts, transition_counts
from clickhouse.client import connect
from clickhouse.rows import attribution_rows, identity_rows, touchpoint_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.training import Period, Stage, staged
from clickhouse.writer import Writer
from datadriven.bootstrap import customer_keys, poisson_thresholds, replicate_counts, weights
from datadriven.coalitions import SetCounts, ordered_paths
from datadriven.counts import TransitionCounts
from datadriven.learned import Journeys
from datadriven.paths import PathCounts
from schemas.events import IdentityEvent, TouchpointEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

START = 1_780_000_000_000_000
CHANNELS = ("email", "paid_search", "Direct", "display", "Zürich-'x'")
CONFIG = AttributionConfig(models=("linear",), lookback_us=6 * DAY_US, exclude_channels=frozenset({"display"}))
REPLICATES = 3


@dataclass
class World:
    """What was sent: by customer id."""

    touches: list[tuple[str, Touch]] = field(default_factory=list)
    events: list[tuple[str, ConversionEvent]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def credits(self) -> dict[str, ConversionCredits]:
        return attribute_all(self.touches, self.events, CONFIG, self.links)

    def person(self, customer: str) -> str:
        """The smallest of the ids that links join, through however many."""
        known, before = {customer}, 0
        while len(known) > before:
            before = len(known)
            known |= {i for x in self.links for i in x[2:] if known & {*x[2:]}}
        return min(known)


def world(seed: int, customers: int = 80) -> World:
    """Touches over forty days; a conversion for some, refunded for some of them; devices that belong to somebody."""
    rng, found = random.Random(seed), World()
    for number in range(customers):
        person, device = f"c{number}", f"d{number}"
        if rng.random() < 0.3:
            found.links.append(Link(START + rng.randrange(40) * DAY_US, f"l{number}", device, person))
            if rng.random() < 0.3:  # a chain: the person is merged into another one
                other = f"c{rng.randrange(customers)}"
                found.links.append(Link(START + rng.randrange(40) * DAY_US, f"m{number}", person, other))
        for k in range(rng.randrange(9)):
            touch = (START + rng.randrange(40 * 24) * DAY_US // 24, f"t{number}-{k}", rng.choice(CHANNELS), "")
            found.touches.append((device if rng.random() < 0.3 else person, touch))
        for k in range(rng.choice((0, 0, 1, 2))):
            at_us, order = START + rng.randrange(40 * 24) * DAY_US // 24, f"o{number}-{k}"
            kind = rng.choice(("purchase", "lead_created"))
            event = ConversionEvent(at_us, f"e{order}", kind, order, 5, "USD", "completed", "")
            found.events.append((person, event))
            if rng.random() < 0.25:
                gone = ConversionEvent(at_us + 1, f"r{order}", kind, order, 0, "USD", "refunded", order)
                found.events.append((person, gone))
    return found


@dataclass(frozen=True)
class Journey:
    customer: str
    path: tuple[str, ...]
    converted: bool
    times: tuple[int, ...]


def unpacked(found: Journeys) -> list[tuple[int, tuple[str, ...], tuple[int, ...], int]]:
    paths, rows = found.paths, []
    for i, key in enumerate(found.keys):
        touches = slice(paths.offsets[i], paths.offsets[i + 1])
        names = tuple(paths.channels[step] for step in paths.steps[touches])
        rows.append((int(key), names, tuple(found.times_us[touches].tolist()), int(paths.converted[i])))
    return rows


def journeys(found: World, period: Period) -> list[Journey]:
    """By the definition: live conversions of the period; runs of touches that none of them credits."""
    rows: list[Journey] = []
    credited: set[str] = set()
    for credits_ in found.credits().values():
        conversion = credits_.conversion
        if not conversion.is_live or (period.types and conversion.conversion_type not in period.types):
            continue
        touches = [t for t in credits_.touches if t[1]]
        credited |= {t[1] for t in touches}
        if period.start_us <= conversion.at_us < period.end_us:
            (owner,) = {c for c, e in found.events if f"{e.conversion_type}:{e.order_id}" == conversion.conversion_id}
            rows.append(
                Journey(
                    found.person(owner),
                    tuple(t[2] for t in touches),
                    converted=True,
                    times=tuple(t[0] for t in touches),
                )
            )
    return rows + nulls(found, period, credited)


def nulls(found: World, period: Period, credited: set[str]) -> list[Journey]:
    rows: list[Journey] = []
    by_person: dict[str, list[Touch]] = {}
    for customer, touch in found.touches:
        if touch[1] not in credited and touch[2].casefold() not in period.excluded:
            by_person.setdefault(found.person(customer), []).append(touch)
    for person, touches in by_person.items():
        runs: list[list[Touch]] = []
        for touch in sorted(touches):
            if not runs or touch[0] - runs[-1][-1][0] > period.closed_us:
                runs.append([])
            runs[-1].append(touch)
        rows += [
            Journey(person, tuple(t[2] for t in run), converted=False, times=tuple(t[0] for t in run))
            for run in runs
            if period.start_us <= run[-1][0] + period.closed_us < period.end_us
        ]
    return rows


def path_counts(rows: list[Journey]) -> PathCounts:
    names = sorted({name for row in rows for name in row.path})
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row.path))
    steps = [names.index(name) for row in rows for name in row.path]
    return PathCounts.from_columns(names, offsets, steps, [int(row.converted) for row in rows])


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


def store(client: Client, found: World, seed: int) -> None:
    """In random order, in several inserts, with rows that are replaced and rows that are deleted."""
    rng = random.Random(seed)
    owners = {f"{e.conversion_type}:{e.order_id}": c for c, e in found.events}
    pairs = [(owners[key], credits_) for key, credits_ in found.credits().items()]
    half = World(found.touches[::2], found.events, found.links)
    early = [(owners[key], credits_) for key, credits_ in half.credits().items() if credits_.conversion.is_live]
    touchpoints = [
        TouchpointEvent(event_id=t[1], customer_id=c, occurred_at_us=t[0], channel=t[2]) for c, t in found.touches
    ]
    identities = [
        IdentityEvent(event_id=x.event_id, customer_id=x.customer_id, previous_id=x.previous_id, occurred_at_us=x.at_us)
        for x in found.links
    ]
    rng.shuffle(pairs)
    rng.shuffle(touchpoints)
    writer = Writer(client)
    for part in (early, pairs[::2], pairs[1::2]):
        writer.write({"attributions": attribution_rows(part, run_id=1, config_hash="h", emitted_at_us=START)})
    for some in (touchpoints[::2], touchpoints[1::2], touchpoints[::3]):
        writer.write({"touchpoints": touchpoint_rows(some)})
    writer.write({"identities": identity_rows(identities)})


@pytest.mark.parametrize("types", [(), ("purchase",)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_counts_equal_plain_python(client: Client, depth: int, types: tuple[str, ...]) -> None:
    found = world(seed=depth)
    store(client, found, seed=depth)
    period = Period(1, START + 5 * DAY_US, START + 38 * DAY_US, 6 * DAY_US, types, ("display",))
    rows = journeys(found, period)
    paths, keys = path_counts(rows), customer_keys([row.customer for row in rows])
    assert len({row.converted for row in rows}) == 2

    with staged(client, period, replicates=REPLICATES, thresholds=poisson_thresholds()) as stage:
        read = list(transition_counts(stage.transitions(depth=depth), depth))
        sets = list(set_counts(stage.sets()))
        ordered = list(set_counts(stage.sets(positions=depth)))
        told = journeys_read(stage.journeys(most=10_000, touches=2 + depth))

    assert read[0] == TransitionCounts.from_paths(paths, depth)
    assert read[1:] == list(replicate_counts(paths, keys, REPLICATES, depth))
    assert sets[0] == SetCounts.from_paths(paths)
    assert ordered[0] == SetCounts.from_paths(ordered_paths(paths, positions=depth))
    for replicate in range(REPLICATES):
        drawn = weights(keys, replicate)
        weighted = paths.weighted(drawn * paths.converted, drawn * paths.nulls)
        assert sets[1 + replicate] == SetCounts.from_paths(weighted)
        assert ordered[1 + replicate] == SetCounts.from_paths(ordered_paths(weighted, positions=depth))
    assert sorted(unpacked(told)) == sorted(
        (int(key), row.path[-2 - depth :], row.times[-2 - depth :], int(row.converted))
        for key, row in zip(keys, rows, strict=True)
        if row.path
    )


def test_a_late_conversion_takes_a_null_and_a_refund_gives_it_back(client: Client) -> None:
    """Each step equals the counts of a store that got everything at once, and the difference is the one journey."""
    found = World(touches=[("ada", (START + DAY_US, "t1", "email", "")), ("bob", (START + DAY_US, "t2", "Direct", ""))])
    period = Period(1, START, START + 30 * DAY_US, 6 * DAY_US)
    bought = ConversionEvent(START + 2 * DAY_US, "e1", "purchase", "o1", 5, "USD", "completed", "")
    refund = ConversionEvent(START + 3 * DAY_US, "e2", "purchase", "o1", 0, "USD", "refunded", "o1")
    seen = []
    for event in (None, bought, refund):
        if event is not None:
            found.events.append(("ada", event))
        store(client, found, seed=1)
        with staged(client, period, replicates=0, thresholds=[1]) as stage:
            (counts,) = transition_counts(stage.transitions(depth=1), 1)
        assert counts == TransitionCounts.from_paths(path_counts(journeys(found, period)), 1)
        seen.append((counts.conversions, counts.nulls))

    assert seen == [(0, 2), (1, 1), (0, 2)]


def test_the_stage_is_gone_whatever_happens(client: Client) -> None:
    def fail(_: Stage) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError), staged(client, Period(1, 0, 1, 1), replicates=0, thresholds=[1]) as stage:
        fail(stage)

    assert client.query("SELECT count() FROM system.tables WHERE name LIKE 'training_%'").result_rows == [(0,)]
