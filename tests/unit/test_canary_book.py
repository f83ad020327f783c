"""The canary's book: a send is seen exactly when its row's rev says so, and its ids stay few."""

from __future__ import annotations

import json

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import AttributionConfig
from attribution.journey import Journey
from cli.canary_book import DAY_US, CanaryBook
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from schemas.events import ConversionWireEvent
from stream_app.fetch import Record
from stream_app.grouping import to_conversion_event

NOW_US = 1_795_000_000_000_000
CODEC = Codec("conversion", channel_rules=load_channel_rules(), schemas=LocalSchemas())


def partition(key: bytes) -> int:
    return int(murmur2(key) & 0x7FFFFFFF) % 4


def book() -> CanaryBook:
    return CanaryBook("ab12", 4, partition, now_us=NOW_US, now_s=0.0)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_nth_send_is_seen_when_the_product_s_own_journey_has_taken_it(arrives: list[bool]) -> None:
    """Through codec and journey; a delivery that is repeated counts once, one that waits is not seen early."""
    birds, journey, waiting = book(), Journey(), list[bytes]()
    for second, is_delivered in enumerate(arrives, 1):
        key, value = birds.send(2, now_us=NOW_US + second, now_s=float(second))
        assert partition(key) == 2
        waiting.append(value)
        if is_delivered:
            for sent in (*waiting, waiting[0]):  # at least once
                record = Record("c", 2, second, NOW_US // 1_000, key, sent, ())
                events, rejected = CODEC.decode_batch([record])
                assert not rejected
                (event,) = events
                assert isinstance(event, ConversionWireEvent)
                assert event.value_micros == 0
                journey.apply([], [to_conversion_event(event)], AttributionConfig())
            seen = list(birds.look({birds.conversions[2]: journey.rev}, second + 0.5))
            assert seen == [second + 0.5 - at for at in range(second - len(waiting) + 1, second + 1)]
            waiting.clear()
        else:
            assert not list(birds.look({birds.conversions[2]: journey.rev}, second + 0.5))
    assert birds.waiting == len(waiting)
    assert len(journey.conversions()) <= 1
    assert len(journey.events) <= 1


def test_ages_grow_until_a_canary_is_seen_also_over_midnight() -> None:
    birds = book()
    assert birds.ages(3.0) == [3.0] * 4
    birds.send(0, now_us=NOW_US, now_s=4.0)
    before = birds.conversions
    assert list(birds.look({before[0]: 1}, 5.0)) == [1.0]
    assert birds.ages(6.0) == [2.0, 6.0, 6.0, 6.0]
    birds.begin_day(NOW_US + 1)
    assert birds.conversions == before
    birds.begin_day(NOW_US + DAY_US)
    assert not set(before) & set(birds.conversions)
    assert birds.ages(7.0)[0] == 3.0
    _, value = birds.send(0, now_us=NOW_US + DAY_US, now_s=7.0)
    assert json.loads(value)["occurred_at"] == birds.day_us == (NOW_US // DAY_US + 1) * DAY_US


def test_after_a_send_that_kafka_did_not_confirm_another_conversion_is_used() -> None:
    """Nobody knows whether it was written, so its rev would tell nothing."""
    birds = book()
    birds.send(1, now_us=NOW_US, now_s=1.0)
    before = birds.conversions
    birds.lost(before[1])
    assert birds.conversions[1] != before[1]
    assert [c for i, c in enumerate(birds.conversions) if i != 1] == [c for i, c in enumerate(before) if i != 1]
    assert birds.waiting == 0
