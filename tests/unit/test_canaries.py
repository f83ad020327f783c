"""Canaries: told apart by aggregates, aged from when they were due, and none passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from cli.canaries import SLOTS, Flock, Sightings, Watcher, quantiles, send
from cli.epoch_log import STAGES, EpochLog, stages
from cli.freshness_run import Outcome
from cli.freshness_text import table
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas, RawRecord
from schemas.events import ConversionWireEvent, TouchpointEvent

TOPICS = {"touchpoint": "t", "conversion": "c"}


def partition(key: bytes) -> int:
    return int(murmur2(key) & 0x7FFFFFFF) % 4


def flock(count: int = 200, rate: float = 20.0) -> Flock:
    return Flock("ab12", rate, count, 4, partition)


class Broker:
    """A clock, and a producer that stalls before one record and confirms everything at once."""

    def __init__(self, stall_at: int = -1, lose: int = -1) -> None:
        self.now, self.sent = 50.0, list[tuple[float, str, bytes]]()
        self._stall_at, self._lose = stall_at, lose

    def clock(self) -> float:
        return self.now

    def poll(self, timeout: float) -> int:
        self.now += timeout
        return 0

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Any) -> None:  # noqa: ARG002  # the client's names
        if len(self.sent) == self._stall_at:
            self.now += 3.0
        self.sent.append((self.now, topic, key))
        on_delivery("lost" if len(self.sent) == self._lose else None, None)

    def flush(self, timeout: float) -> int:  # noqa: ARG002  # the client's name
        return 0


def test_every_canary_is_a_fresh_customer_on_the_partition_of_its_slot() -> None:
    """Ids and customers are new, a slot has one partition, and both events are valid and belong together."""
    canaries = flock()
    rules, schemas = load_channel_rules(), LocalSchemas()
    keys = Counter[bytes]()
    for number in range(canaries.count):
        found = []
        for kind, key, value in canaries.messages(number, 1_790_000_000_000_000):
            raw = SimpleNamespace(
                topic=kind, partition=0, offset=0, timestamp=1_790_000_000_500, key=key, value=value, headers=()
            )
            codec = Codec(cast("Any", kind), channel_rules=rules, schemas=schemas)
            found.append(codec.decode(cast("RawRecord", raw)))
            assert partition(key) == number % SLOTS % 4
            keys[key] += 1
        touch, conversion = found
        assert isinstance(touch, TouchpointEvent)
        assert isinstance(conversion, ConversionWireEvent)
        assert touch.channel == canaries.channel(number % SLOTS)
        assert touch.customer_id == conversion.customer_id
        assert touch.occurred_at_us < conversion.occurred_at_us
        assert canaries.prefix < conversion.event_id < canaries.prefix + "~"
    assert set(keys.values()) == {2}
    assert len(keys) == canaries.count


def test_canaries_leave_when_they_are_due_whatever_happened_before() -> None:
    """A stall makes those behind it late by the time they waited, and moves no later one."""
    calm, stalled = Broker(), Broker(stall_at=100)
    send(flock(), calm, TOPICS, 50.0, calm.clock, lambda: 0)
    ages = send(flock(), stalled, TOPICS, 50.0, stalled.clock, lambda: 0)

    assert [round(at - 50.0, 6) for at, topic, _ in calm.sent if topic == "c"] == [n / 20 for n in range(200)]
    assert max(ages) == pytest.approx(3.0)
    assert sum(age > 1.0 for age in ages) == pytest.approx(2 * 40, abs=4)  # two seconds of them, both events
    assert [at for at, *_ in stalled.sent[-100:]] == [at for at, *_ in calm.sent[-100:]]


def test_what_the_broker_does_not_confirm_is_an_error() -> None:
    """A canary that was never stored says nothing of freshness."""
    broker = Broker(lose=7)
    with pytest.raises(RuntimeError, match="399 of 400"):
        send(flock(), broker, TOPICS, 50.0, broker.clock, lambda: 0)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=30))
def test_ages_count_from_when_each_was_due_to_the_first_look_that_counts_it(steps: list[tuple[int, int]]) -> None:
    """Counts go up slot by slot; every canary gets one age, whoever else is seen before it."""
    due = [[0.0, 3.0, 6.0, 9.0], [1.0, 4.0], [2.0]]
    sightings, expected, counts = Sightings(due), [], [0, 0, 0]
    for at, (slot, more) in enumerate(steps, 10):
        fresh = due[slot][counts[slot] : counts[slot] + more]
        counts[slot] = min(counts[slot] + more, len(due[slot]))
        expected += [at - d for d in fresh]
        sightings.look(dict(enumerate(counts)), at)

    assert sightings.ages == expected
    assert sightings.missing == 7 - sum(counts)
    assert sightings.surplus == 0


def test_a_count_that_falls_or_is_too_high_is_not_taken_for_more_canaries() -> None:
    """A place that shows less for a moment does not age anybody twice; one that shows too much is told."""
    sightings = Sightings([[0.0, 1.0]])
    for at, count in enumerate((1, 0, 1, 3), 5):
        sightings.look({0: count}, at)

    assert sightings.ages == [5.0, 7.0]
    assert (sightings.missing, sightings.surplus) == (0, 1)
    assert sightings.longest_gap_s == 1.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_quantiles_are_ages_that_were_seen(ages: list[float]) -> None:
    """Nearest rank: at least so many are not older."""
    found = quantiles(ages)

    assert found["max"] == max(ages)
    assert list(found.values()) == sorted(found.values())
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)):
        assert found[name] in ages
        assert sum(age <= found[name] for age in ages) >= share * len(ages)
    assert quantiles([]) == {}


def test_a_look_that_fails_is_counted_and_the_next_one_is_tried() -> None:
    """Trouble at one look loses no canary."""
    looks: Iterator[dict[int, int] | OSError] = iter([{0: 1}, OSError("away"), {0: 2}])
    sightings = Sightings([[0.0, 0.0]])

    def look() -> dict[int, int]:
        found = next(looks, None)
        if found is None:
            watcher._stopped.set()
            return {}
        if isinstance(found, OSError):
            raise found
        return found

    watcher = Watcher(look, sightings, 0.0, 0.0)
    watcher.run()
    assert (watcher.failures, watcher.last_failure) == (1, "OSError: away")
    assert sightings.missing == 0
    assert len(sightings.ages) == 2


def test_stages_are_read_from_what_was_logged_since(tmp_path: Path) -> None:
    """Earlier epochs and other lines do not count."""
    log = tmp_path / "worker-0.log"
    line = (
        "[x] Epoch of {} records, 1 conversions attributed, 0 rejected: waited 0.{} s, computed in 0.020 s, "
        "durable 0.030, inserted 0.040, committed 0.050\n"
    )
    log.write_text(line.format(1, 100))
    epochs = EpochLog([log, tmp_path / "none.log"])
    with log.open("a") as more:
        more.write("[x] something else\n" + line.format(20, 200) + line.format(30, 300))
    found = epochs.epochs()

    assert [e.records for e in found] == [20, 30]
    assert found[1].seconds == (0.3, 0.02, 0.03, 0.04, 0.05)
    assert list(stages(found)) == ["records", *STAGES]
    assert stages(found)["waited"]["max"] == 0.3


def place(**numbers: Any) -> dict[str, Any]:
    return {"missing": 0, "late": 0, "surplus": 0, "count": 2, **quantiles([1.0, 2.0]), **numbers}


@pytest.mark.parametrize("trouble", ["missing", "late", "surplus"])
def test_a_missing_a_late_and_a_double_canary_make_a_run_incomplete(trouble: str) -> None:
    """And the table says so."""
    whole, broken = Outcome(places={"rest": place()}), Outcome(places={"rest": place(**{trouble: 1})})

    assert whole.is_complete
    assert not broken.is_complete
    text = table({"load": {"rate": 0}, "places": broken.places, "stages": {}, "epochs": 0})
    assert "REST channel-performance" in text
    assert text.split()[-3:].count("1") == 1
