"""After every event, in any order and with any duplicates, the rows written so far equal the batch answer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.batch import admitted, attribute_all
from attribution.config import DAY_US, AttributionConfig
from attribution.fitted import Timeline
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.types import ConversionCredits, ConversionEvent, Touch
from fits import fit

CONFIG = AttributionConfig(
    models=("first_touch", "linear", "time_decay", "u_shaped", "w_shaped", "full_path", "data_driven")
)
START = 1_760_000_000_000_000
CHANNELS = ("paid_search", "email", "direct", "display")
TYPES = ("purchase", "lead_created", "opportunity_created")

#: One that knows two channels, one of too few data, one in which direct has no effect, and nothing before the first.
FITS = (
    fit("a", START + 5 * DAY_US, paid_search=7, email=2),
    fit("b", START + 12 * DAY_US),
    fit("c", START + 20 * DAY_US, paid_search=1 << 40, email=3, direct=0, display=1),
)
TIMELINE = Timeline(FITS)

times = st.integers(0, 29).map(lambda d: START + d * DAY_US)


@st.composite
def touches(draw: st.DrawFn) -> Touch:
    return (
        draw(times),
        f"t{draw(st.integers(0, 9))}",
        draw(st.sampled_from(CHANNELS)),
        draw(st.sampled_from(("", "c"))),
    )


@st.composite
def conversion_events(draw: st.DrawFn) -> ConversionEvent:
    status = draw(st.sampled_from(("completed", "completed", "completed", "refunded", "cancelled")))
    order = draw(st.sampled_from(("", "", "o1", "o2")))
    adjusts = draw(st.sampled_from(("", "", "o1", "o2", "k0", "k1")))
    return ConversionEvent(
        draw(times),
        f"k{draw(st.integers(0, 7))}",
        draw(st.sampled_from(TYPES)),
        order,
        draw(st.integers(0, 5)) * 1_000_001,
        "USD",
        status,  # type: ignore[arg-type]  # sampled_from widens literals
        adjusts,
    )


#: One id is one content here; what happens to two contents under one id is a law of its own below.
histories = st.lists(
    st.one_of(touches(), conversion_events()), min_size=1, max_size=14, unique_by=lambda e: e[1]
).flatmap(
    lambda events: st.tuples(st.just(events), st.permutations(events), st.lists(st.sampled_from(events), max_size=4))
)


class Rows:
    """What ClickHouse would hold: per key the row with the highest rev; deleted rows are gone."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], tuple[int, ConversionCredits | None]] = {}

    def write(self, credits_: ConversionCredits) -> None:
        conversion, rev = credits_.conversion, credits_.rev
        day = conversion.at_us // DAY_US
        for former in {at // DAY_US for at in conversion.former_at_us} - {day}:
            self._put(conversion.conversion_id, former, rev, None)
        self._put(conversion.conversion_id, day, rev, credits_ if conversion.is_live else None)

    def _put(self, conversion_id: str, day: int, rev: int, row: ConversionCredits | None) -> None:
        old = self._rows.get((conversion_id, day))
        if old is None or rev >= old[0]:
            self._rows[conversion_id, day] = (rev, row)

    def visible(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for (conversion_id, _), (_, row) in self._rows.items():
            if row is not None:
                assert conversion_id not in found, "one conversion stands at two days"
                found[conversion_id] = essence(row)
        return found


def essence(credits_: ConversionCredits) -> tuple[object, ...]:
    c = credits_.conversion
    value = (c.at_us, c.value_micros, c.currency)
    return (value, credits_.touches, credits_.weights, credits_.micros, credits_.fallbacks, credits_.model_version)


def split(events: Sequence[Touch | ConversionEvent]) -> tuple[list[Touch], list[ConversionEvent]]:
    conversions = [e for e in events if isinstance(e, ConversionEvent)]
    return [e for e in events if not isinstance(e, ConversionEvent)], conversions


def batch(events: Sequence[Touch | ConversionEvent], config: AttributionConfig) -> dict[str, tuple[object, ...]]:
    touches_, conversions = split(events)
    found = attribute_all([("c", t) for t in touches_], [("c", e) for e in conversions], config, fits=FITS)
    return {k: essence(v) for k, v in found.items() if v.conversion.is_live}


@given(histories)
@settings(max_examples=400, deadline=None)
def test_streaming_equals_batch_after_every_event(
    history: tuple[list[Touch | ConversionEvent], list[Touch | ConversionEvent], list[Touch | ConversionEvent]],
) -> None:
    """Law 12: arrival order and redelivery never show in the rows, at no moment."""
    _, arrivals, again = history
    journey, rows, attributor = Journey(), Rows(), Attributor(CONFIG, timeline=TIMELINE)
    seen: list[Touch | ConversionEvent] = []
    for event in [*arrivals, *again]:
        touches_, conversions = split([event])
        applied = journey.apply(touches_, conversions, CONFIG)
        for conversion in applied.affected:
            rows.write(attributor.attribute(journey, conversion))
        journey = Journey.from_bytes(journey.to_bytes())
        seen.append(event)

        assert rows.visible() == batch(seen, CONFIG)


@given(histories, st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_any_chunking_and_a_replay_of_everything_write_the_same_rows(
    history: tuple[list[Touch | ConversionEvent], list[Touch | ConversionEvent], list[Touch | ConversionEvent]],
    chunk: int,
) -> None:
    """A crash before the insert: the state holds the events already, the replay alone must write every row."""
    events, arrivals, _ = history
    attributor = Attributor(CONFIG, timeline=TIMELINE)
    journey = Journey()
    for i in range(0, len(arrivals), chunk):
        journey.apply(*split(arrivals[i : i + chunk]), CONFIG)  # rows are lost
    rev, raw = journey.rev, journey.to_bytes()
    rows = Rows()
    for i in range(0, len(arrivals), chunk):
        applied = journey.apply(*split(arrivals[i : i + chunk]), CONFIG)
        assert not applied.changed
        for conversion in applied.affected:
            rows.write(attributor.attribute(journey, conversion))

    assert rows.visible() == batch(events, CONFIG)
    assert (journey.rev, journey.to_bytes()) == (rev, raw)


@given(histories, st.integers(1, 3), st.sampled_from((8, 1_000)), st.integers(1, 4))
@settings(max_examples=400, deadline=None)
def test_with_a_bound_on_conversions_the_rows_are_the_batch_over_what_was_not_refused(
    history: tuple[list[Touch | ConversionEvent], list[Touch | ConversionEvent], list[Touch | ConversionEvent]],
    cap: int,
    retention_days: int,
    chunk: int,
) -> None:
    """At every moment, in any order, in any epochs: an event is in the rows or refused, and what is taken stays."""
    config = replace(CONFIG, max_conversions=cap, conversion_retention_us=retention_days * DAY_US)
    _, arrivals, again = history
    journey, rows, attributor = Journey(), Rows(), Attributor(config, timeline=TIMELINE)
    seen: list[Touch | ConversionEvent] = []
    refused: list[ConversionEvent] = []
    for i in range(0, len(events := [*arrivals, *again]), chunk):
        touches_, conversions = split(events[i : i + chunk])
        applied = journey.apply(touches_, conversions, config)
        for conversion in applied.affected:
            rows.write(attributor.attribute(journey, conversion))
        journey = Journey.from_bytes(journey.to_bytes())
        seen += [e for e in events[i : i + chunk] if e not in applied.late_conversions]
        refused += applied.excess_conversions
        touches_, conversions = split(seen)
        taken = admitted(conversions, config)

        assert sorted(refused) == sorted(e for e in conversions if e not in taken)
        assert journey.events == sorted(set(taken))
        assert rows.visible() == batch([*touches_, *taken], config)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=40), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_what_was_taken_under_the_bound_is_taken_again_in_the_order_of_event_time(days: list[int], cap: int) -> None:
    """A replay of the facts refuses nothing, and no more than the bound lie within any retention."""
    config = replace(CONFIG, max_conversions=cap)
    retention_us = config.conversion_retention_us
    events = [
        ConversionEvent(START + day * DAY_US, f"k{i}", "purchase", "", 1, "USD", "completed", "")
        for i, day in enumerate(days)
    ]
    taken = admitted(events, config)

    assert admitted(sorted(taken), config) == sorted(taken)
    for event in taken:
        assert sum(event.at_us - retention_us <= e.at_us <= event.at_us for e in taken) <= cap


def test_room_for_conversions_comes_back_when_the_oldest_are_past_their_retention() -> None:
    """Without any pruning in between, and a known event needs no room."""
    config = replace(CONFIG, max_conversions=2)
    first, second, third, later = (
        ConversionEvent(START + day * DAY_US, f"k{day}", "purchase", "", 1, "USD", "completed", "")
        for day in (0, 1, 2, 401)
    )
    journey = Journey()
    applied = journey.apply([], [first, second, third, first], config)
    assert applied.excess_conversions == [third]
    assert [c.conversion_id for c in applied.affected] == ["k0", "k1"]
    assert not journey.apply([], [later], config).excess_conversions


@given(histories)
@settings(max_examples=200, deadline=None)
def test_equal_sets_have_equal_bytes(
    history: tuple[list[Touch | ConversionEvent], list[Touch | ConversionEvent], list[Touch | ConversionEvent]],
) -> None:
    """Order of arrival leaves no trace in the stored journey."""
    events, arrivals, again = history
    one, other = Journey(), Journey()
    one.apply(*split(events), CONFIG)
    for event in [*arrivals, *again]:
        other.apply(*split([event]), CONFIG)

    assert one.to_bytes() == other.to_bytes()


@given(histories, st.integers(1, 3), st.sampled_from((2, 4, 1_000)), st.sampled_from((1, 12, 400)))
@settings(max_examples=400, deadline=None)
def test_appending_bytes_is_the_same_as_reading_applying_and_writing(
    history: tuple[list[Touch | ConversionEvent], list[Touch | ConversionEvent], list[Touch | ConversionEvent]],
    chunk: int,
    cap: int,
    retention_days: int,
) -> None:
    """The short cut of the hot path gives the bytes of the long way, and owes no rows."""
    config = replace(
        CONFIG,
        max_touchpoints=cap,
        lookback_us=8 * DAY_US,
        allowed_lateness_us=2 * DAY_US,
        conversion_retention_us=retention_days * DAY_US,
    )
    events, _, again = history
    journey, attributor = Journey(), Attributor(config, timeline=TIMELINE)
    for i in range(0, len(events := sorted(events) + again), chunk):
        touches_, conversions = split(events[i : i + chunk])
        raw = journey.to_bytes() if i else None
        appended = append_touches(raw, touches_, config) if touches_ and not conversions else None
        applied = journey.apply(touches_, conversions, config)
        if appended is not None:
            assert appended == journey.to_bytes()
            before = Journey.from_bytes(raw) if raw is not None else Journey()
            for found in applied.affected:  # more than owed: they are what they were
                assert essence(attributor.attribute(before, found)) == essence(attributor.attribute(journey, found))
            assert not applied.late_touches


@st.composite
def versions(draw: st.DrawFn) -> list[Touch | ConversionEvent]:
    """Events of which several share an id with other contents, times and types included."""
    events: list[Touch | ConversionEvent] = []
    for event in draw(st.lists(st.one_of(touches(), conversion_events()), min_size=2, max_size=10)):
        sent_at = draw(st.integers(0, 3)) * 1_000_000
        events.append(event._replace(sent_at_us=sent_at) if isinstance(event, ConversionEvent) else event)
    return events


@given(versions(), st.randoms(use_true_random=False), st.integers(0, 10))
@settings(max_examples=400, deadline=None)
def test_versions_of_an_event_end_at_the_one_sent_last_in_any_order_and_after_a_crash(
    events: list[Touch | ConversionEvent], rng: random.Random, lost_from: int
) -> None:
    """Corrected times, types and orders leave no row behind, even when rows were lost and only the state was kept."""
    arrivals = [*events, *events[:2]]
    rng.shuffle(arrivals)
    journey, rows, attributor = Journey(), Rows(), Attributor(CONFIG, timeline=TIMELINE)
    for again in (False, True):
        for i, event in enumerate(arrivals):
            applied = journey.apply(*split([event]), CONFIG)
            for conversion in applied.affected:
                if again or i < lost_from:
                    rows.write(attributor.attribute(journey, conversion))
            journey = Journey.from_bytes(journey.to_bytes())

    assert rows.visible() == batch(events, CONFIG)


def test_a_corrected_time_moves_the_conversion_and_deletes_the_row_of_the_old_day() -> None:
    """The same event sent again with a later time of sending; the order in which both arrive does not matter."""
    wrong = ConversionEvent(START + 9 * DAY_US, "k", "purchase", "", 5, "USD", "completed", "", 1)
    right = wrong._replace(at_us=START + 12 * DAY_US, sent_at_us=2)
    for arrivals in ([wrong, right], [right, wrong]):
        journey = Journey()
        for event in arrivals:
            (found,) = journey.apply([], [event], CONFIG).affected

        assert (found.at_us, found.former_at_us, found.is_live) == (right.at_us, (wrong.at_us,), True)


@given(st.permutations(list(range(30))), st.integers(2, 8))
@settings(max_examples=100, deadline=None)
def test_a_capped_journey_keeps_the_newest_and_the_first_in_any_order(order: list[int], cap: int) -> None:
    """The cap is a function of the set, and conversions that lose a touch to it are written again."""
    config = replace(CONFIG, max_touchpoints=cap)
    journey, rows, attributor = Journey(), Rows(), Attributor(config, timeline=TIMELINE)
    conversion = ConversionEvent(START + 40 * DAY_US, "k", "purchase", "", 7, "USD", "completed", "")
    for applied in [
        journey.apply([], [conversion], config),
        *(journey.apply([(START + i * DAY_US, f"t{i:02d}", "email", "")], [], config) for i in order),
    ]:
        for found in applied.affected:
            rows.write(attributor.attribute(journey, found))

    assert [t[1] for t in journey.touches] == ["t00", *(f"t{i:02d}" for i in range(30 - cap, 30))]
    assert journey.truncated
    assert rows.visible()["k"] == essence(attributor.attribute(journey, journey.conversions()[0]))


def test_pruning_keeps_every_touch_that_a_kept_conversion_looks_back_at() -> None:
    """Touches older than the horizon go, except those in the window of a conversion that may still be corrected."""
    journey = Journey()
    old, used = (START, "old", "email", ""), (START + 100 * DAY_US, "used", "email", "")
    conversion = ConversionEvent(START + 110 * DAY_US, "k", "purchase", "", 9, "USD", "completed", "")
    newest = (START + 300 * DAY_US, "new", "email", "")
    for touch in (old, used):
        journey.apply([touch], [], CONFIG)
    journey.apply([], [conversion], CONFIG)
    journey.apply([newest], [], CONFIG)
    journey.prune(journey.newest_us, CONFIG)

    assert [t[1] for t in journey.touches] == ["used", "new"]
    refund = ConversionEvent(START + 301 * DAY_US, "r", "purchase", "", 4, "USD", "refunded", "k")
    (found,) = journey.apply([], [refund], CONFIG).affected
    assert found.value_micros == 5
    assert [t[1] for t in Attributor(CONFIG, timeline=TIMELINE).attribute(journey, found).touches] == ["used"]


def test_what_comes_later_than_allowed_is_answered_as_late_and_leaves_no_trace() -> None:
    """Too late is counted by the caller, never silent; what is already known is not late."""
    journey = Journey()
    journey.apply([(START + 200 * DAY_US, "new", "email", "")], [], CONFIG)
    before = journey.to_bytes()
    late = (START, "late", "email", "")
    conversion = ConversionEvent(START + 100 * DAY_US, "k", "purchase", "", 9, "USD", "completed", "")
    applied = journey.apply([late], [conversion], CONFIG)

    assert applied.late_touches == [late]
    assert applied.late_conversions == [conversion]
    assert not applied.affected
    assert journey.to_bytes() == before


def test_events_that_come_together_do_not_prune_one_another() -> None:
    """A backfill: a conversion and an event 401 days later in one epoch; its row is owed, also by a replay."""
    conversion = ConversionEvent(START, "k", "purchase", "", 9, "USD", "completed", "")
    touch, newest = (START - DAY_US, "t", "email", ""), (START + 401 * DAY_US, "new", "email", "")
    raw = Journey().to_bytes()
    for _ in range(2):
        journey = Journey.from_bytes(raw)
        applied = journey.apply([newest, touch], [conversion], CONFIG)
        (found,) = [Attributor(CONFIG, timeline=TIMELINE).attribute(journey, c) for c in applied.affected]
        if applied.changed:
            journey.prune(applied.newest_before_us, CONFIG)
            raw = journey.to_bytes()

        assert [t[1] for t in found.touches] == ["t"]
        assert not applied.late_touches
        assert not applied.late_conversions
