"""A pool sent over and over is a stream like any other: valid, new in every lap, moving on, and true to its truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.config import PopulationConfig
from loadgen.patches import UnpatchableError, places, widened, zigzag
from loadgen.pool import Pool
from loadgen.population import Population
from loadgen.tally import Tally
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas, Rejected
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent

if TYPE_CHECKING:
    from loadgen.records import Kind, Record
    from schemas.codec import RawRecord

START_US = 1_760_000_000_000_000
#: After every event of the laps that are looked at.
RECEIVED_MS = START_US // 1000 + 400 * 86_400_000
RULES, SCHEMAS = load_channel_rules(), LocalSchemas()
KINDS: tuple[Kind, ...] = ("touchpoint", "conversion", "spend")
CODECS = {kind: Codec(kind, channel_rules=RULES, schemas=SCHEMAS) for kind in KINDS}


def pool(size: int = 700, seed: int = 1, rate: float = 0.05, **config: float) -> Pool:
    """At the usual rate a lap of 700 records covers four hours."""
    shares = {"malformed": 0.05, "refunds": 0.2, "events_per_day": 2_000.0} | config
    made = PopulationConfig(**shares)  # type: ignore[arg-type]  # shares and sizes by name
    return Pool(Population(made, seed=seed, start_at_us=START_US, live_rate=rate), size)


def decoded(record: Record, value: bytes) -> object:
    raw = SimpleNamespace(
        topic=record.topic, partition=0, offset=0, timestamp=RECEIVED_MS, key=record.key, value=value, headers=()
    )
    return CODECS[record.kind].decode(cast("RawRecord", raw))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 900),
    rate=st.floats(0.001, 200_000.0),
    avro=st.floats(0, 1),
    delay_us=st.integers(0, 10**13),
    laps=st.integers(1, 4),
)
def test_every_lap_decodes_to_the_events_of_its_truth(
    seed: int, size: int, rate: float, avro: float, delay_us: int, laps: int
) -> None:
    """The bytes are patched, the truth is made from events: both must say the same, in every spelling."""
    made = pool(size, seed, rate, avro=avro)
    made.begin_at(START_US + delay_us)
    sent = max(laps * len(made) - 1, 1)
    truth = list(made.records(sent))
    out = list(islice(made.outgoing(), sent))

    assert len(truth) == sent
    for record, outgoing in zip(truth, out, strict=True):
        assert (outgoing.topic, outgoing.key, outgoing.value) == (record.topic, record.key, record.value)
        got = decoded(record, outgoing.value)
        if record.event is None:
            assert isinstance(got, Rejected), record
            assert got.reason == record.expected_reason
        else:
            assert got == msgspec.structs.replace(record.event, received_at_us=RECEIVED_MS * 1000), record


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_first_lap_is_the_population_and_later_ones_are_the_same_events_anew(seed: int) -> None:
    """New ids, the same customers and keys, every time later by the span."""
    made = pool(seed=seed)
    size = len(made)
    truth = list(made.records(3 * size))
    laps = [truth[i * size : (i + 1) * size] for i in range(3)]

    first_lap = list(made.population.again().records(700))
    assert [r.event for r in laps[0]] == [r.event for r in first_lap]
    assert [r.value for r in laps[0] if b"000000Z" not in r.value] == [
        first.value for r, first in zip(laps[0], first_lap, strict=True) if b"000000Z" not in r.value
    ]
    ids = [{r.event.event_id for r in lap if r.event} for lap in laps]
    assert len(set.union(*ids)) == 3 * len(ids[0])
    assert made.span_us == 700 * 20_000_000
    for number, lap in enumerate(laps):
        for first, later in zip(laps[0], lap, strict=True):
            assert (first.key, first.topic) == (later.key, later.topic)
            if first.event is None or later.event is None:
                assert first == later
            elif isinstance(first.event, SpendEvent):
                moved = number * made.span_us // 86_400_000_000
                assert cast("SpendEvent", later.event).spend_day == first.event.spend_day + moved
            else:
                at = later.event.occurred_at_us  # type: ignore[union-attr]  # the same kind as the first
                assert at == first.event.occurred_at_us + number * made.span_us


def test_corrections_belong_to_a_conversion_of_their_own_lap() -> None:
    """By event or by order; what they correct may lie behind the end of the pool, in every lap alike."""
    made = pool(6_000, refunds=0.5)
    records = list(made.records(3 * len(made)))
    found: list[tuple[int, int]] = []
    for number in range(3):
        events = [r.event for r in records[number * len(made) : (number + 1) * len(made)] if r.event]
        names = {e.event_id for e in events} | {e.order_id for e in events if isinstance(e, ConversionWireEvent)}
        references = [e.adjusts for e in events if isinstance(e, ConversionWireEvent) and e.adjusts]
        found.append((len(references), sum(name in names for name in references)))

    assert found[0] == found[1] == found[2]
    assert found[0][1] > 20
    assert found[0][1] > found[0][0] * 0.9


def test_touchpoints_stay_before_their_conversions_over_the_laps() -> None:
    """Within a customer the order of events is that of the first lap, and no lap begins before the last one's pace."""
    made = pool(2_000, late=0.0, out_of_order=0.0, customers=50)
    by_customer: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for number, record in enumerate(made.records(2 * len(made))):
        if isinstance(record.event, TouchpointEvent) and not record.is_duplicate:
            by_customer[record.key].append((record.event.occurred_at_us, number // len(made)))

    for events in by_customer.values():
        first = [at for at, lap in events if lap == 0]
        assert [at for at, lap in events if lap == 1] == [at + made.span_us for at in first]


@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 500), sent=st.integers(0, 1_700))
def test_counts_are_those_of_the_records(size: int, sent: int) -> None:
    """A tally of many laps is computed, not counted."""
    made = pool(size)
    counted = Tally()
    for record in made.records(sent):
        counted.add(record)

    assert made.tally(sent).as_dict() == counted.as_dict()


def test_the_causes_of_laps_add_up() -> None:
    """Twice the pool has caused twice as much."""
    made = pool(1_500)
    once, twice = made.causal(len(made)), made.causal(2 * len(made))

    assert once.journeys > 0
    assert twice.journeys == 2 * once.journeys
    assert twice.incremental_conversions == {k: 2 * v for k, v in once.incremental_conversions.items()}


def test_hashes_of_laps_differ() -> None:
    """No two of many laps share ids."""
    made = pool(1)

    assert max(Counter(made.hash_of(lap) for lap in range(100_000)).values()) == 1


def test_a_pool_needs_an_even_pace_and_a_record() -> None:
    """A calendar does not repeat evenly."""
    calendar = Population(seed=1, start_at_us=START_US)
    with pytest.raises(ValueError, match="even pace"):
        Pool(calendar, 10)
    with pytest.raises(ValueError, match="size=0"):
        pool(0)


def test_a_time_that_cannot_keep_its_length_is_refused_or_widened() -> None:
    """A time without its microseconds gets them; a short epoch, and bytes in which the time stands twice, do not do."""
    assert widened(b'{"occurred_at":"2025-10-09T08:53:20Z"}') == b'{"occurred_at":"2025-10-09T08:53:20.000000Z"}'
    event = TouchpointEvent(event_id="aaaaaaaa-1", customer_id="c", occurred_at_us=1_760_000_000_000_000, channel="x")
    twice = b"\x00" + zigzag(event.occurred_at_us) * 2
    for value in (b'{"occurred_at":"2025-10-09T08:53:20Z"}', b'{"occurred_at":1760000000}', twice):
        with pytest.raises(UnpatchableError):
            places(value, event, b"aaaaaaaa")
