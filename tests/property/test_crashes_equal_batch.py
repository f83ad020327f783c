"""Whatever is crashed, lost, repeated and interleaved: the final rows are those of the batch.

Arrival permutations, duplicates, interleavings of partitions and epochs, crashes between any two steps of an epoch
(changelog written and store not, some tables inserted and others not, answers lost after the insert), wiped
directories, rebalances and epochs lost on the way. With a bound on conversions every record is in the rows or has a
dead letter, and which one follows from the order of the topic alone. The second half shows that the property can fail:
five protocols, each broken in one place, are all found out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from faust.types import TP
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from attribution.batch import admitted, attribute_all
from attribution.types import ConversionEvent, Touch
from crash_world import CONFIG, CrashError, Life, ModelConsumer, Protocol, Record, Script, World, run_to_the_end
from stream_app.batch import Batch
from stream_app.pipeline import Pipeline
from stream_app.state import DurableState
from stream_app.transport import Epoch

START = datetime(2026, 9, 1, tzinfo=UTC)
PARTITIONS = 2


@dataclass(frozen=True)
class Event:
    """One event of one of four customers; ``number`` makes ids. Values are small, so that remainders matter."""

    customer: int
    number: int
    day: int
    is_touch: bool
    corrects: bool

    @property
    def id(self) -> str:
        return f"{'t' if self.is_touch else 'k'}{self.customer}-{self.number}"

    @property
    def at(self) -> datetime:
        return START + timedelta(days=self.day, seconds=self.number)

    @property
    def adjusts(self) -> str:
        return f"k{self.customer}-{self.number - 1}" if self.corrects else ""

    def core(self) -> tuple[str, Touch | ConversionEvent]:
        """For the batch."""
        at_us, customer = round(self.at.timestamp() * 1_000_000), f"customer-{self.customer}"
        if self.is_touch:
            return customer, (at_us, self.id, "Email", "")
        value = 1_000_000 + self.number
        return customer, ConversionEvent(at_us, self.id, "purchase", "", value, "USD", "completed", self.adjusts)

    def record(self, tp: TP, offset: int) -> Record:
        """For the stream."""
        body: dict[str, Any] = {
            "event_id": self.id,
            "customer_id": f"customer-{self.customer}",
            "occurred_at": self.at.isoformat(),
        }
        if self.is_touch:
            body["channel"] = "Email"
        else:
            body |= {"value": f"1.{self.number:06d}", "currency": "USD", "conversion_type": "purchase"}
            body |= {"adjusts": self.adjusts} if self.adjusts else {}
        return Record(tp.topic, tp.partition, offset, body["customer_id"].encode(), json.dumps(body).encode())


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Event], World]:
    """Events in some order of arrival, some twice, and what happens on the way."""
    kinds = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.booleans(), st.booleans()), max_size=24))
    events = [
        Event(customer, number, day, is_touch, corrects and not is_touch)
        for number, (customer, day, is_touch, corrects) in enumerate(kinds, 1)
    ]
    again = draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    logs: dict[TP, list[Record]] = {TP(topic, p): [] for topic in "tc" for p in range(PARTITIONS)}
    for event in draw(st.permutations(events + again)):
        tp = TP("t" if event.is_touch else "c", event.customer % PARTITIONS)
        logs[tp].append(event.record(tp, len(logs[tp])))
    script = Script(draw(st.lists(st.integers(0, 23), max_size=150)))
    crashes = draw(st.frozensets(st.integers(1, 60), max_size=5))
    lost_answers = draw(st.frozensets(st.integers(1, 20), max_size=3))
    config = replace(CONFIG, max_conversions=draw(st.sampled_from((1, 2, CONFIG.max_conversions))))
    return events, World(logs, script, crashes, lost_answers, config)


def visible(world: World) -> dict[tuple[str, str], Any]:
    return {
        (model, row["conversion_id"]): (
            row["value_micros"],
            tuple(row["t.id"]),
            tuple(x[n] for x in row["t.value_micros"]),
        )
        for row in world.sink.final("attributions")
        for n, model in enumerate(row["models"])
    }


def taken(events: list[Event], world: World) -> tuple[list[Event], set[tuple[str, int, int]]]:
    """Events that count, and the places of the records that do not: the topic's order decides, crashes never."""
    by_id = {event.id: event for event in events}
    counted = {e.id for e in events if e.is_touch}
    refused = set()
    for customer in range(4):
        tp = TP("c", customer % PARTITIONS)
        arrived = [(r.offset, by_id[json.loads(r.value)["event_id"]]) for r in world.logs[tp]]
        mine = [(offset, event) for offset, event in arrived if event.customer == customer]
        kept = admitted([cast(ConversionEvent, e.core()[1]) for _, e in mine], world.config)
        counted |= {e.event_id for e in kept}
        refused |= {(tp.topic, tp.partition, offset) for offset, event in mine if event.id not in counted}
    return [e for e in events if e.id in counted], refused


def wanted(events: list[Event]) -> dict[tuple[str, str], Any]:
    touches = [(c, e) for c, e in (event.core() for event in events) if not isinstance(e, ConversionEvent)]
    conversions = [(c, e) for c, e in (event.core() for event in events) if isinstance(e, ConversionEvent)]
    return {
        (model, conversion_id): (found.conversion.value_micros, tuple(t[1] for t in found.touches), micros)
        for conversion_id, found in attribute_all(touches, conversions, CONFIG).items()
        if found.conversion.is_live
        for model, micros in zip(found.models, found.micros, strict=True)
    }


def check(found: tuple[list[Event], World], protocol: Protocol) -> None:
    """Rows, facts, and the store against its changelog."""
    events, world = found
    run_to_the_end(world, protocol)

    events, refused = taken(events, world)
    assert visible(world) == wanted(events)
    assert world.letters == refused
    facts = [row["event_id"] for table in ("touchpoints", "conversions") for row in world.sink.final(table)]
    assert sorted(facts) == sorted(e.id for e in events)
    for partition, (_, journeys) in world.stores.items():
        assert journeys == world.rebuilt(partition)


@given(worlds())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_final_rows_equal_the_batch_whatever_happens(found: tuple[list[Event], World]) -> None:
    """The product's pipeline, chain and state."""
    check(found, Protocol())


class CommitsBeforeTheInsert(Pipeline):
    async def _deliver(self, batch: Batch, seconds: Any, fail_stop: Callable[[BaseException], None]) -> None:
        consumer = self._consumer()
        real: Callable[[], Any] = self._consumer
        self._consumer = cast("Any", _Committed)
        try:
            await consumer.finish(batch.epoch, batch.notes)
            await super()._deliver(batch, seconds, fail_stop)
        except CrashError as error:
            fail_stop(error)
        finally:
            self._consumer = real


class _Committed:
    def note(self, _: TP) -> tuple[int, str]:
        return -1, ""

    def begin(self, _: Epoch) -> bool:
        return True

    async def finish(self, _: Epoch, notes: Mapping[TP, str]) -> None:
        """Done before."""


class EmitsOnlyWhatIsNew(Pipeline):
    def compute(self, epoch: Epoch) -> Batch | None:
        batch = super().compute(epoch)
        if batch is not None:
            changed = {key.decode() for journeys in batch.journeys.values() for key in journeys}
            batch.credits = [(customer, found) for customer, found in batch.credits if customer in changed]
        return batch


class ReadsOnlyTheStore(Pipeline):
    """Epochs at once: what the one before has changed is not seen."""

    @property
    def _not_stored(self) -> dict[int, dict[bytes, bytes | None]]:
        return {}

    @_not_stored.setter
    def _not_stored(self, _: object) -> None:
        """Forgotten."""


class TakesWhatComes(ModelConsumer):
    """No chain."""

    def begin(self, epoch: Epoch) -> bool:
        self._tail.update(epoch.end)
        self._in_flight += 1
        self.idle.clear()
        return True


class StoreFirst(DurableState):
    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        self._store.write(journeys, None)
        self._log.write(journeys)


class StoresBeforeTheChangelog(Life):
    def state(self, partition: int) -> DurableState:
        found = super().state(partition)
        return StoreFirst(found._log, found._store)


@pytest.mark.parametrize(
    "broken",
    [
        Protocol(pipeline=CommitsBeforeTheInsert),
        Protocol(pipeline=EmitsOnlyWhatIsNew),
        Protocol(pipeline=ReadsOnlyTheStore),
        Protocol(consumer=TakesWhatComes),
        Protocol(life=StoresBeforeTheChangelog),
    ],
    ids=["commit first", "no re-emit", "stale reads", "no chain", "store first"],
)
def test_a_broken_protocol_is_found_out(broken: Protocol) -> None:
    """The property is no tautology: each protection taken away makes it fail."""

    @given(worlds())
    @settings(
        max_examples=1_000,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def search(found: tuple[list[Event], World]) -> None:
        check(found, broken)

    with pytest.raises(AssertionError):
        search()
