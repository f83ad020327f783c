"""The pipeline without broker and engine: what one epoch amounts to, and in which order it becomes durable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from faust.types import TP

from attribution.config import AttributionConfig
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from stream_app.pipeline import Batch, Pipeline, Source, Sources
from stream_app.transport import Epoch

RULES, SCHEMAS = load_channel_rules(), LocalSchemas()


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
    stored: dict[bytes, bytes] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    is_in_chain: bool = True
    fails_at: str = ""

    def begin(self, _: Epoch) -> bool:
        return self.is_in_chain

    async def finish(self, epoch: Epoch) -> None:
        self._say(f"commit {max(epoch.end.values())}")

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.stored.get(k) for k in keys]

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        self._say("durable")
        self.stored.update({k: v for k, v in journeys.items() if v is not None})

    def write_dead_letters(self, rejected: Sequence[Any]) -> None:
        self._say(f"dead letters {[r.reason for r in rejected]}")

    def write_rows(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._say("rows")

    def _say(self, what: str) -> None:
        if self.fails_at and what.startswith(self.fails_at):
            raise RuntimeError(what)
        self.happened.append(what)


def pipeline(parts: Parts) -> Pipeline:
    def codec(kind: Any) -> Codec:
        return Codec(kind, channel_rules=RULES, schemas=SCHEMAS)

    return Pipeline(
        config=AttributionConfig(models=("linear",)),
        sources=Sources(
            Source("t", codec("touchpoint")), Source("c", codec("conversion")), Source("s", codec("spend"))
        ),
        state=lambda _: parts,
        consumer=lambda: parts,
        write_dead_letters=parts.write_dead_letters,
        write_rows=parts.write_rows,
        threads=ThreadPoolExecutor(1),
    )


def epoch(*records: Record) -> Epoch:
    chunks: dict[TP, list[Any]] = {}
    for record in records:
        chunks.setdefault(TP(record.topic, record.partition), []).append(record)
    return Epoch(0, chunks, {tp: found[0].offset for tp, found in chunks.items()})


async def run(parts: Parts, *epochs: Epoch) -> list[BaseException]:
    errors: list[BaseException] = []
    line = pipeline(parts)
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
