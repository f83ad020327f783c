"""The bound on conversions per journey: no order goes without a row or a refusal; work grows with the events.

That the rows are the batch over what was not refused: ``test_streaming_equals_batch``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from attribution.attribute import Attributor
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


class Stored:
    """A journey that is written and read between epochs, with the rows and refusals of all of them."""

    def __init__(self, bound: int) -> None:
        self.config = replace(CONFIG, max_conversions=bound)
        self.journey, self.rows, self.refused = Journey(), dict[str, int](), list[str]()

    def epoch(self, *events: ConversionEvent, touches: Sequence[Touch] = ()) -> list[str]:
        """Apply, attribute, prune and store; answers what was refused."""
        applied = self.journey.apply(touches, events, self.config)
        for conversion in applied.affected:
            row = Attributor(self.config).attribute(self.journey, conversion)
            self.rows[row.conversion.conversion_id] = row.conversion.value_micros if row.conversion.is_live else 0
        if applied.changed:
            self.journey.prune(applied.newest_before_us, self.config)
        self.journey = Journey.from_bytes(self.journey.to_bytes())
        found = [e.event_id for e in applied.excess_conversions]
        self.refused += found
        return found


def test_of_orders_that_come_together_each_has_a_row_or_is_refused() -> None:
    """Six of one customer in one epoch with room for three: none is lost without a trace."""
    stored = Stored(3)
    orders = [conversion(i) for i in range(6)]
    stored.epoch(*orders)

    assert sorted(stored.rows) == [e.event_id for e in orders[:3]]
    assert stored.refused == [e.event_id for e in orders[3:]]


def test_a_second_event_of_an_order_makes_no_second_conversion_when_newer_ones_came() -> None:
    """The first event of the order stays in a full journey; its second one is taken or refused, and moves no row."""
    stored = Stored(3)
    for i in range(6):
        stored.epoch(conversion(i, order_id=f"o{i}"))
    restated = conversion(7, order_id="o0")

    assert stored.epoch(restated) == [restated.event_id]
    assert stored.rows == {f"purchase:o{i}": 9_000_000 for i in range(3)}
    stored.config = replace(stored.config, max_conversions=4)
    assert stored.epoch(restated) == []
    assert stored.rows == {f"purchase:o{i}": 9_000_000 for i in range(3)}
    assert len(stored.journey.conversions()) == 3


def test_a_refund_takes_effect_or_is_refused() -> None:
    """Never accepted without effect: its order is there, however many came after; without room it is a dead letter."""
    stored = Stored(3)
    for i in range(6):
        stored.epoch(conversion(i))
    refund = conversion(8, adjusts="k00000")

    assert stored.epoch(refund) == [refund.event_id]
    assert stored.rows["k00000"] == 9_000_000
    stored.config = replace(stored.config, max_conversions=4)
    assert stored.epoch(refund) == []
    assert stored.rows["k00000"] == 8_000_000


def test_what_was_taken_is_taken_again_and_what_was_refused_is_refused_again_while_there_is_no_room() -> None:
    """A replay after a crash, cut otherwise, changes no byte; only a refused event can change its mind, given room."""
    stored = Stored(2)
    orders = [conversion(i) for i in range(4)]
    stored.epoch(*orders)
    rows, raw = dict(stored.rows), stored.journey.to_bytes()
    stored.refused.clear()
    for order in orders:
        stored.epoch(order)

    assert stored.refused == ["k00002", "k00003"]
    assert (stored.rows, stored.journey.to_bytes()) == (rows, raw)
    stored.config = replace(stored.config, max_conversions=3)
    assert stored.epoch(orders[3], orders[2]) == ["k00002"]


def test_what_left_no_room_is_not_forgotten_before_a_replay_refuses_the_same() -> None:
    """An event that comes late counts what is past its retention by now: forgotten at once, a replay would take it."""
    stored = Stored(2)
    stored.epoch(conversion(0))
    stored.epoch(conversion(9 * 401))
    late, touch = conversion(9 * 390), (START + 402 * DAY_US, "t", "email", "")

    assert stored.epoch(late, touches=[touch]) == [late.event_id]
    assert stored.epoch(late, touches=[touch]) == [late.event_id]
    assert stored.epoch(touches=[(START + 403 * DAY_US, "u", "email", "")]) == []
    assert stored.epoch(late) == []


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
