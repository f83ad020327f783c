"""The bound on conversions per journey: what stays is a function of the set; work does not grow with the square."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.batch import attribute_all, within_bound
from attribution.config import DAY_US, AttributionConfig
from attribution.conversions import linked_keys, resolve, retained
from attribution.journey import Journey
from attribution.types import ConversionEvent, Touch

CONFIG = AttributionConfig(models=("first_touch", "linear", "time_decay"))
START = 1_760_000_000_000_000


def conversion(i: int, *, adjusts: str = "", order_id: str = "") -> ConversionEvent:
    status = "refunded" if adjusts else "completed"
    value = 1_000_000 if adjusts else 9_000_000
    return ConversionEvent(
        START + i * DAY_US // 9, f"k{i:05d}", "purchase", order_id, value, "USD", status, adjusts  # type: ignore[arg-type]
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[ConversionEvent]:
    """Conversions with refunds behind them: every conversion has one event of its own."""
    plan = draw(st.lists(st.one_of(st.none(), st.integers(0, 24)), min_size=4, max_size=24))
    return [
        conversion(i, adjusts=f"k{back:05d}" if back is not None and back < i else "") for i, back in enumerate(plan)
    ]


@given(histories(), st.integers(2, 8), st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=300, deadline=None)
def test_rows_of_what_is_kept_equal_the_batch_in_any_order(
    events: list[ConversionEvent], bound: int, rng: random.Random, chunk: int
) -> None:
    """The newest events stay whatever the order; what is refused is not among them; a replay changes nothing."""
    config = replace(CONFIG, max_conversions=bound)
    attributor, journey = Attributor(config), Journey()
    path: list[Touch] = [(START - DAY_US * i, f"t{i}", "email", "") for i in range(3)]
    journey.apply(path, [], config)
    arrivals = events[:]
    rng.shuffle(arrivals)
    rows: dict[str, Any] = {}
    refused: list[ConversionEvent] = []
    for i in range(0, len(arrivals), chunk):
        applied = journey.apply([], arrivals[i : i + chunk], config)
        refused += applied.excess_conversions
        rows |= {c.conversion_id: attributor.attribute(journey, c) for c in applied.affected}
        journey = Journey.from_bytes(journey.to_bytes())
    rev, raw = journey.rev, journey.to_bytes()

    kept = within_bound(events, bound)
    assert journey.events == sorted(kept)
    assert not set(refused) & set(kept)
    expected = attribute_all([("c", t) for t in path], [("c", e) for e in kept], config)
    for name, batch in expected.items():
        row = rows[name]
        assert (row.conversion, row.touches, row.micros) == (batch.conversion, batch.touches, batch.micros)
    again = journey.apply([], arrivals, config)
    assert set(again.excess_conversions) == set(events) - set(kept)
    assert (journey.rev, journey.to_bytes()) == (rev, raw)


@given(st.integers(12, 40), st.integers(2, 10))
@settings(max_examples=50, deadline=None)
def test_in_order_of_event_time_no_conversion_goes_without_a_row(count: int, bound: int) -> None:
    """Beyond the bound rows stay: a customer with endless orders loses no revenue."""
    config = replace(CONFIG, max_conversions=bound)
    journey, rows = Journey(), set()
    for i in range(count):
        applied = journey.apply([], [conversion(i)], config)
        assert all(c.is_live for c in applied.affected)
        assert not applied.excess_conversions
        rows |= {c.conversion_id for c in applied.affected}

    assert len(rows) == count
    assert len(journey.events) == bound


def test_a_conversion_is_forgotten_as_a_whole() -> None:
    """An order that loses its first event must not come up again at the time of its second one."""
    config = replace(CONFIG, max_conversions=3)
    journey = Journey()
    orders = [conversion(0, order_id="o"), conversion(1, order_id="o"), conversion(2), conversion(3)]
    journey.apply([], orders, config)

    assert [c.conversion_id for c in journey.conversions()] == ["k00002", "k00003"]


class Counted(str):
    """A name that counts how often it is hashed or compared."""

    __slots__ = ()
    work: ClassVar[Counter[str]] = Counter()

    def __hash__(self) -> int:
        Counted.work["all"] += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.work["all"] += 1
        return super().__eq__(other)


def work_of(count: int) -> int:
    """Lookups and comparisons of names for ``count`` orders, each with a refund."""
    events = [conversion(i)._replace(event_id=Counted(f"k{i}"), order_id=Counted(f"o{i}")) for i in range(count)]
    refunds = [conversion(i)._replace(event_id=Counted(f"r{i}"), adjusts=Counted(f"o{i}")) for i in range(count)]
    both = sorted([*events, *refunds], key=lambda e: e.at_us)
    Counted.work.clear()
    assert len(resolve(both)) == count
    linked_keys(refunds, both)
    retained(both, START + DAY_US)
    return Counted.work["all"]


def test_resolving_corrections_costs_per_event_not_per_pair() -> None:
    """Four times the corrections of one customer are about four times the work."""
    assert work_of(800) < 5 * work_of(200)


class CountedTouch(tuple[Any, ...]):
    """A touch that counts comparisons."""

    __slots__ = ()
    work: ClassVar[Counter[str]] = Counter()

    def __lt__(self, other: Any) -> bool:
        CountedTouch.work["all"] += 1
        return super().__lt__(other)

    def __eq__(self, other: object) -> bool:
        CountedTouch.work["all"] += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        return super().__hash__()


def comparisons(count: int) -> int:
    """Of merging ``count`` touches that come in order, and all of them once more, into one journey."""
    found: Any = [CountedTouch((START + i, Counted(f"t{i}"), "email", "")) for i in range(count)]
    config, journey = replace(CONFIG, max_touchpoints=count), Journey()
    CountedTouch.work.clear()
    Counted.work.clear()
    journey.apply(found[: count // 2], [], config)
    journey.apply(found, [], config)
    assert journey.rev == len(journey.touches) == count
    return CountedTouch.work["all"] + Counted.work["all"]


def test_a_bot_costs_per_touch_not_per_pair() -> None:
    """Four times the touches of one customer in one epoch are about four times the comparisons."""
    assert comparisons(4_000) < 5 * comparisons(1_000)
