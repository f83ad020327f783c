"""The pipeline without broker and engine: what one epoch amounts to, and in which order it becomes durable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from faust.types import TP

from attribution.config import AttributionConfig
from attribution.identity import Link
from attribution.merging import Handover
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from stream_app.batch import Batch
from stream_app.dead_letter_limits import LimitGuard, Limits, TooManyInvalidError
from stream_app.decoding import Source, Sources
from stream_app.handovers import Forget, encode
from stream_app.journeys import JourneyStep
from stream_app.pipeline import Pipeline
from stream_app.suppression import Suppression
from stream_app.transport import Epoch

RULES, SCHEMAS = load_channel_rules(), LocalSchemas()


TOUCH = {"event_id": "t9", "occurred_at": "2026-10-01T00:00:00Z", "channel": "Email"}


@dataclass
class Record:
    topic: str
    offset: int
    value: bytes
    key: bytes = b"ada"
    partition: int = 0
    timestamp: int = 1_795_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


def touch(offset: int, event_id: str, at: str) -> Record:
    body = {"event_id": event_id, "customer_id": "ada", "occurred_at": at, "channel": "Email"}
    return Record("t", offset, json.dumps(body).encode())


def order(offset: int, event_id: str, at: str) -> Record:
    body = {"event_id": event_id, "customer_id": "ada", "occurred_at": at, "value": "1", "currency": "USD"}
    return Record("c", offset, json.dumps(body).encode())


@dataclass
class Parts:
    """Fakes of everything outside; ``happened`` is what they saw, in order."""

    happened: list[str] = field(default_factory=list)
    erased: dict[bytes, bytes] = field(default_factory=dict)
    stored: dict[bytes, bytes] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    notices: list[Any] = field(default_factory=list)
    is_in_chain: bool = True
    fails_at: str = ""
    notes: dict[TP, tuple[int, str]] = field(default_factory=dict)

    def begin(self, _: Epoch) -> bool:
        return self.is_in_chain

    def note(self, tp: TP) -> tuple[int, str]:
        return self.notes.get(tp, (-1, ""))

    async def finish(self, epoch: Epoch, notes: Mapping[TP, str]) -> None:
        self.notes.update({tp: (epoch.end[tp], text) for tp, text in notes.items()})
        self._say(f"commit {max(epoch.end.values())}")

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.stored.get(k) for k in keys]

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        self._say("durable")
        for key, journey in journeys.items():
            if journey is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = journey

    def write_dead_letters(self, rejected: Sequence[Any]) -> None:
        self._say(f"dead letters {[r.reason for r in rejected]}")

    def write_notices(self, notices: Sequence[Any]) -> None:
        self.notices += notices
        self._say(f"notices to {[n.receiver for n in notices]}")

    def write_rows(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._say("rows")

    def _say(self, what: str) -> None:
        if self.fails_at and what.startswith(self.fails_at):
            raise RuntimeError(what)
        self.happened.append(what)


NO_LIMITS = Limits(max_ratio=0, max_consecutive=0)
NO_MORE_THAN_TWO = Limits(max_ratio=0, max_consecutive=2)


def pipeline(parts: Parts, limits: Limits, most: int = 1_000) -> Pipeline:
    def codec(kind: Any) -> Codec:
        return Codec(kind, channel_rules=RULES, schemas=SCHEMAS)

    sources = Sources(
        Source("t", codec("touchpoint")),
        Source("c", codec("conversion")),
        Source("s", codec("spend")),
        Source("i", codec("identity")),
        Source("e", codec("erasure")),
        "h",
    )
    config = AttributionConfig(models=("linear",), max_conversions=most)
    return Pipeline(
        sources=sources,
        journeys=JourneyStep(config, sources, Suppression(b"secret")),
        state=lambda _: parts,
        consumer=lambda: parts,
        write_dead_letters=parts.write_dead_letters,
        write_notices=parts.write_notices,
        write_rows=parts.write_rows,
        threads=ThreadPoolExecutor(1),
        limits=LimitGuard(limits, parts.note),
    )


def epoch(*records: Record) -> Epoch:
    chunks: dict[TP, list[Any]] = {}
    for record in records:
        chunks.setdefault(TP(record.topic, record.partition), []).append(record)
    return Epoch(0, chunks, {tp: found[0].offset for tp, found in chunks.items()})


async def run(parts: Parts, *epochs: Epoch, limits: Limits = NO_LIMITS, most: int = 1_000) -> list[BaseException]:
    errors: list[BaseException] = []
    line = pipeline(parts, limits, most)
    for found in epochs:
        await line.run(found, errors.append)
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return errors


async def test_an_epoch_is_durable_then_written_then_committed() -> None:
    """Steps in order; the second epoch sees the journeys of the first although they are stored in the background."""
    parts = Parts()
    errors = await run(
        parts,
        epoch(touch(0, "t1", "2026-10-01T00:00:00Z"), touch(1, "t2", "2026-10-02T00:00:00Z")),
        epoch(order(7, "k1", "2026-10-03T00:00:00Z")),
    )

    assert not errors
    for step in ("durable", "rows"):
        assert parts.happened.count(step) == 2
    assert [h for h in parts.happened if h.startswith("commit")] == ["commit 2", "commit 8"]
    assert parts.happened[0] == "durable"
    assert parts.happened.index("rows") < parts.happened.index("commit 2")
    ((customer, found),) = parts.batches[1].credits
    assert customer == "ada"
    assert [t[1] for t in found.touches] == ["t1", "t2"]
    assert found.micros == ((500_000, 500_000),)


async def test_broken_and_late_records_become_dead_letters_and_no_facts() -> None:
    """Before anything of the epoch is committed, with their own records."""
    parts = Parts()
    records = epoch(touch(0, "new", "2026-10-01T00:00:00Z"))
    late = epoch(touch(1, "late", "2026-01-01T00:00:00Z"), Record("t", 2, b"{"), touch(3, "ok", "2026-10-02T00:00:00Z"))
    errors = await run(parts, records, late)

    assert not errors
    assert "dead letters ['undecodable', 'too_late']" in parts.happened
    assert [e.event_id for e in parts.batches[1].touchpoints] == ["ok"]
    assert [r.record.offset for r in parts.batches[1].rejected] == [2, 1]


async def test_conversions_beyond_the_bound_become_dead_letters_with_a_way_out_and_no_facts() -> None:
    """Also of an id with links; what is known is taken again, and nothing names the customer."""
    parts = Parts()
    await run(parts, epoch(*(order(i, f"k{i}", f"2026-10-0{i + 1}T00:00:00Z") for i in range(4))), most=2)
    linked = epoch(record("i", 0, **LINK), *(order(i, f"k{i - 4}", f"2026-10-0{i - 3}T00:00:00Z") for i in range(4, 8)))
    await run(parts, linked, most=2)

    for batch, offsets in zip(parts.batches, ([2, 3], [6, 7]), strict=True):
        assert [c.conversion.conversion_id for _, c in batch.credits] == ["k0", "k1"]
        assert [e.event_id for e in batch.conversions] == ["k0", "k1"]
        assert [(r.reason, r.field, r.record.offset) for r in batch.rejected] == [
            ("too_many_conversions", "customer_id", offset) for offset in offsets
        ]
        assert "has 2 conversions" in batch.rejected[0].detail
        assert "ATTRIBUTION_MAX_CONVERSIONS" in batch.rejected[0].detail
        assert "ada" not in batch.rejected[0].detail


async def test_a_failure_at_any_step_stops_before_the_commit() -> None:
    """Nothing is committed after a failure."""
    for step in ("durable", "dead letters", "rows", "commit"):
        parts = Parts(fails_at=step)
        errors = await run(parts, epoch(touch(0, "t1", "2026-10-01T00:00:00Z"), Record("t", 1, b"{")))

        assert [str(e).split(" ")[0] for e in errors] == [step.split(" ")[0]]
        assert not [h for h in parts.happened if h.startswith("commit")]


async def test_what_is_out_of_the_chain_has_no_effect() -> None:
    """A dropped epoch is not even decoded."""
    parts = Parts(is_in_chain=False)
    assert await run(parts, epoch(touch(0, "t1", "2026-10-01T00:00:00Z"))) == []
    assert parts.happened == []


def record(topic: str, offset: int, key: str = "ada", **body: Any) -> Record:
    return Record(topic, offset, json.dumps(body).encode(), key.encode())


LINK = {"event_id": "l1", "customer_id": "ada", "previous_id": "device", "occurred_at": "2026-10-01T00:00:00Z"}


async def test_a_link_tells_the_other_id_before_the_journey_is_stored() -> None:
    """What is stored is known to have been told; a replay of the link tells nobody twice and owes all rows."""
    parts = Parts()
    buy = order(0, "k1", "2026-10-03T00:00:00Z")
    errors = await run(parts, epoch(buy), epoch(record("i", 0, **LINK)), epoch(record("i", 1, **LINK)))

    assert not errors
    assert (
        parts.happened.index("notices to ['device']") < [i for i, h in enumerate(parts.happened) if h == "durable"][1]
    )
    assert parts.happened.count("notices to ['device']") == 1
    assert [len(b.credits) for b in parts.batches] == [1, 1, 1]
    assert [len(b.identities) for b in parts.batches] == [0, 1, 1]


async def test_a_former_id_hands_over_and_writes_nothing_the_survivor_writes_all() -> None:
    """Both ids in one partition: the notice comes back on the internal topic."""
    parts = Parts()
    first = Record("t", 0, json.dumps({**TOUCH, "customer_id": "device"}).encode(), b"device")
    await run(parts, epoch(first, order(0, "k1", "2026-10-03T00:00:00Z")), epoch(record("i", 0, **LINK)))
    told = Record("h", 0, encode(parts.notices[0]), b"device")
    await run(parts, epoch(told))
    handed_over = Record("h", 1, encode(parts.notices[1]), b"ada")
    await run(parts, epoch(handed_over))

    assert [n.receiver for n in parts.notices] == ["device", "ada"]
    assert [len(b.credits) for b in parts.batches] == [1, 1, 0, 1]
    ((customer, found),) = parts.batches[-1].credits
    assert (customer, [t[1] for t in found.touches]) == ("ada", ["t9"])


async def test_a_cycle_becomes_a_dead_letter_with_the_record_as_it_came() -> None:
    """The link back is refused; it is told to nobody as followed."""
    parts = Parts()
    back = {
        **LINK,
        "event_id": "l2",
        "customer_id": "device",
        "previous_id": "ada",
        "occurred_at": "2026-10-02T00:00:00Z",
    }
    closing = record("i", 1, "device", **back)
    await run(parts, epoch(record("i", 0, **LINK)))
    told = Record("h", 0, encode(parts.notices[0]), b"device")
    await run(parts, epoch(told), epoch(closing))

    (letter,) = parts.batches[-1].rejected
    assert (letter.reason, letter.field) == ("identity_cycle", "previous_id")
    assert (letter.record.topic, letter.record.offset, letter.record.value) == ("i", 1, closing.value)


async def test_an_erased_customer_leaves_no_journey_and_later_events_are_counted_and_dropped() -> None:
    """The digest stays, the id does not; other ids of the person are told."""
    parts = Parts()
    request = {"event_id": "e1", "customer_id": "ada", "requested_at": "2026-10-04T00:00:00Z"}
    await run(
        parts,
        epoch(touch(0, "t1", "2026-10-01T00:00:00Z"), order(0, "k1", "2026-10-03T00:00:00Z")),
        epoch(record("i", 0, **LINK)),
        epoch(record("e", 0, **request), touch(1, "t2", "2026-10-02T00:00:00Z")),
        epoch(touch(2, "t3", "2026-10-05T00:00:00Z")),
    )

    assert [type(n).__name__ for n in parts.notices] == ["Handover", "Forget"]
    assert [e.customer_id for e in parts.batches[2].erased] == ["ada"]
    assert parts.batches[2].credits == []
    assert b"ada" not in b"".join([*parts.stored, *parts.stored.values()])
    assert [(r.reason, r.is_drop) for r in parts.batches[3].rejected] == [("erased", True)]
    assert parts.batches[3].touchpoints == []


async def test_bytes_that_no_worker_wrote_on_the_internal_topic_are_a_dead_letter() -> None:
    """Nothing stops for them."""
    parts = Parts()
    errors = await run(parts, epoch(Record("h", 0, b"{}"), Record("h", 1, b"\x01\xc1")))

    assert not errors
    assert [r.reason for r in parts.batches[0].rejected] == ["undecodable", "undecodable"]


async def test_too_many_invalid_records_stop_before_anything_of_their_epoch_is_written() -> None:
    """What was within the limit is a dead letter; the run goes on over the epochs' border."""
    parts = Parts()
    line = pipeline(parts, NO_MORE_THAN_TWO)
    errors: list[BaseException] = []
    await line.run(epoch(Record("t", 0, b"{"), Record("t", 1, b"{")), errors.append)
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    before = list(parts.happened)
    with pytest.raises(TooManyInvalidError, match=r"t-0 at offset 2: 3 invalid records in a row.*undecodable"):
        await line.run(epoch(Record("t", 2, b"{"), touch(3, "t1", "2026-10-01T00:00:00Z")), errors.append)

    assert not errors
    assert "commit 2" in before
    assert parts.happened == before


async def test_a_partition_that_comes_back_is_read_from_its_store() -> None:
    """What another worker wrote meanwhile must not be covered by what this one remembers."""
    parts = Parts()
    line, errors = pipeline(parts, Limits()), list[BaseException]()

    async def through(found: Epoch) -> None:
        await line.run(found, errors.append)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    await through(epoch(touch(0, "t1", "2026-10-01T00:00:00Z")))
    elsewhere = Parts(stored=dict(parts.stored))
    await run(elsewhere, epoch(touch(1, "t2", "2026-10-02T00:00:00Z")))
    parts.stored = elsewhere.stored
    await through(epoch(order(7, "k1", "2026-10-03T00:00:00Z")))

    assert not errors
    ((_, found),) = parts.batches[1].credits
    assert [t[1] for t in found.touches] == ["t1", "t2"]


def forgotten(*notices: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(n.receiver, n.policy, n.told) for n in notices if isinstance(n, Forget)]


async def test_everybody_is_told_once_to_forget_and_only_the_survivor_is_anonymized() -> None:
    """The former id does not tell the one that told it; rows under it go."""
    parts = Parts()
    request = {"event_id": "e1", "customer_id": "ada", "requested_at": "2026-10-04T00:00:00Z", "policy": "anonymize"}
    await run(parts, epoch(record("i", 0, **LINK)))
    await run(parts, epoch(Record("h", 0, encode(parts.notices[0]), b"device")))
    await run(parts, epoch(record("e", 0, **request)))
    told = parts.notices[-1]
    await run(parts, epoch(Record("h", 1, encode(told), b"device")))

    assert forgotten(*parts.notices) == [("device", "delete", ("ada", "device"))]
    assert [(e.customer_id, e.policy) for b in parts.batches for e in b.erased] == [
        ("ada", "anonymize"),
        ("device", "delete"),
    ]


async def test_an_erasure_that_overtook_a_link_reaches_the_other_id_a_younger_link_does_not_bring_it() -> None:
    """The link was sent before the request; its record or its notice arrives after."""
    parts = Parts()
    request = {"event_id": "e1", "customer_id": "ada", "requested_at": "2026-10-04T00:00:00Z"}
    younger = {**LINK, "event_id": "l2", "previous_id": "phone", "occurred_at": "2026-10-05T00:00:00Z"}
    told = Handover("bob", "ada", (("bob", 1),), (Link(1, "l3", "ada", "bob"),))
    await run(parts, epoch(record("e", 0, **request)))
    await run(parts, epoch(record("i", 0, **LINK), record("i", 1, **younger), Record("h", 0, encode(told), b"ada")))

    assert forgotten(*parts.notices) == [("device", "delete", ("ada",)), ("bob", "delete", ("ada",))]
    assert parts.batches[1].identities == []
