"""CPU per event of each part of the worker, one after the other in one process, without broker and engine.

    python bench/profile_parts.py                          # this tree, as it is installed
    ATTRIBUTION_PURE_PYTHON=1 python bench/profile_parts.py
    PYTHONPATH=/tmp/before python bench/profile_parts.py --rounds 3

The peers' workload (``generate.py`` in ``PEERS``, default ``../shared/peers``) goes in epochs through the worker's own
classes: record batches as the broker stores them, decoding, journeys in RocksDB, credits, a producer without a broker,
Arrow tables and their bodies. CPU is that of the process, RocksDB's and the producer's threads included. One JSON line
per round, microseconds per event; ``conversion`` is per conversion, and apart. The last line has the
lowest figure of each part. The tree is the first of ``PYTHONPATH``, so that an older one can be measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec
import pyarrow as pa
import rocksdict
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from confluent_kafka import Producer

import attribution
from attribution.attribute import Attributor
from attribution.config import AttributionConfig
from attribution.journey import Journey
from clickhouse import rows
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from stream_app.decoding import Decoder, Source, Sources
from stream_app.fetch import SlimRecords
from stream_app.journeys import JourneyStep
from stream_app.suppression import Suppression
from stream_app.tables import PartitionState

HERE: Final = Path(__file__).resolve().parent
PEERS: Final = Path(os.environ.get("PEERS", HERE.parent.parent / "shared" / "peers")).resolve()
TOPICS: Final = ("touchpoints", "conversions")
PARTITIONS: Final = 4
BATCH_RECORDS: Final = 400


class Clock:
    """CPU seconds of the process by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds what the block takes."""
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - began


class TimedState:
    """The journeys of one partition; reading them is counted apart."""

    def __init__(self, state: PartitionState, clock: Clock) -> None:
        self.erased = state.erased
        self.state, self._clock = state, clock

    def get_many(self, keys: Any) -> Any:
        """As the state's own."""
        with self._clock.part("rocksdb_read"):
            return self.state.get_many(keys)


def workload(touchpoints: int, conversions: int, customers: int) -> list[list[list[tuple[bytes, bytes, int]]]]:
    """Records ``(key, value, timestamp)`` by topic and partition, in log order."""
    sys.path.append(str(PEERS))
    sys.modules.setdefault("orjson", types.SimpleNamespace(dumps=msgspec.json.encode))  # its one use of it
    from generate import dataset  # noqa: PLC0415  # type: ignore[import-not-found]  # the folder is a parameter

    found: list[list[list[tuple[bytes, bytes, int]]]] = []
    for records in dataset(touchpoints, conversions, customers):
        parts: list[list[tuple[bytes, bytes, int]]] = [[] for _ in range(PARTITIONS)]
        for record in records:
            parts[crc32(record[0]) % PARTITIONS].append(record)
        found.append(parts)
    return found


def stored(first: int, records: list[tuple[bytes, bytes, int]]) -> bytes:
    """The records as the broker keeps them: batches of a few hundred."""
    content = []
    for at in range(0, len(records), BATCH_RECORDS):
        builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 24)
        for i, (key, value, timestamp) in enumerate(records[at : at + BATCH_RECORDS]):
            builder.append(i, timestamp=timestamp, key=key, value=value, headers=[])
        batch = bytearray(builder.build())
        batch[:8] = (first + at).to_bytes(8, "big")
        content.append(bytes(batch))
    return b"".join(content)


def epochs(data: list[list[list[tuple[bytes, bytes, int]]]], records: int) -> Iterator[list[dict[str, Any]]]:
    """Per epoch and partition: what aiokafka holds of each topic before it is unpacked."""
    total = sum(len(part) for parts in data for part in parts)
    count = max(1, round(total / records))
    for n in range(count):
        epoch: list[dict[str, Any]] = [{} for _ in range(PARTITIONS)]
        for topic, parts in zip(TOPICS, data, strict=True):
            for partition, part in enumerate(parts):
                first, last = len(part) * n // count, len(part) * (n + 1) // count
                tp = TopicPartition(topic, partition)
                memory = MemoryRecords(stored(first, part[first:last]))
                epoch[partition][topic] = PartitionRecords(tp, memory, [], first, None, None, True, READ_UNCOMMITTED)
        yield epoch


class Worker:
    """The parts of one worker, without what they are connected to."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        rules = load_channel_rules(None)
        codecs = {
            kind: Codec(kind, channel_rules=rules, schemas=LocalSchemas()) for kind in ("touchpoint", "conversion")
        }
        other = Codec("spend", channel_rules=rules, schemas=LocalSchemas())
        sources = Sources(
            Source(TOPICS[0], codecs["touchpoint"]),
            Source(TOPICS[1], codecs["conversion"]),
            Source("spend", other),
            Source("identities", other),
            Source("erasures", other),
            "handovers",
        )
        self.clock, self.config = clock, AttributionConfig()
        self.decoder = Decoder(sources)
        self.step = JourneyStep(self.config, sources, Suppression(b""))
        cache = rocksdict.Cache(256 << 20)
        self.states = [TimedState(PartitionState(folder / str(p), cache), clock) for p in range(PARTITIONS)]
        self.producer = Producer(
            {
                "bootstrap.servers": "127.0.0.1:1",
                "queue.buffering.max.messages": 10_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "linger.ms": 200_000,
                "log_level": 0,
            }
        )
        self.offset = 0
        self.conversions = self.body_bytes = 0

    def run(self, epoch: list[dict[str, Any]]) -> int:
        """One epoch; returns how many events it had."""
        part, count = self.clock.part, 0
        events: dict[str, list[Any]] = {"touchpoints": [], "conversions": [], "credits": []}
        for state, stock in zip(self.states, epoch, strict=True):
            with part("unpack"):
                records = {topic: list(SlimRecords(batches)) for topic, batches in stock.items()}
            with part("decode"):
                decoded = self.decoder.decode(records)
            with part("journeys"):
                result = self.step.apply(decoded, state, {})
            self.offset += len(result.journeys)
            with part("changelog_queue"):
                messages = [{"key": key, "value": value} for key, value in result.journeys.items()]
                self.producer.produce_batch("changelog", messages, partition=0)
            self.producer.purge()
            self.producer.poll(0)
            with part("rocksdb_write"):
                state.state.write(result.journeys, self.offset)
            assert not decoded.rejected
            events["touchpoints"] += result.events.touchpoints
            events["conversions"] += result.events.conversions
            events["credits"] += result.credits
            count += sum(map(len, records.values()))
            del records, decoded, result
        self._rows(events)
        return count

    def _rows(self, events: dict[str, list[Any]]) -> None:
        with self.clock.part("rows_facts"):
            tables = [rows.touchpoint_rows(events["touchpoints"]), rows.conversion_rows(events["conversions"])]
        self.conversions += len(events["credits"])
        with self.clock.part("rows_credits"):
            tables.append(rows.attribution_rows(events["credits"], run_id=1, config_hash="0" * 12, emitted_at_us=1))
        with self.clock.part("bodies"):
            for table in tables:
                body = pa.BufferOutputStream()
                with pa.ipc.new_stream(body, table.schema) as stream:
                    stream.write_table(table)
                self.body_bytes += len(body.getvalue().to_pybytes())

    def per_conversion(self) -> float:
        """Microseconds to attribute one of the conversions that the journeys hold in the end."""
        attributor = Attributor(self.config)
        todo = []
        for state in self.states:
            for _, raw in state.state.items():
                journey = Journey.from_bytes(raw)
                todo += [(journey, conversion) for conversion in journey.conversions()]
        attribute = attributor.attribute
        began = time.process_time()
        for journey, conversion in todo:
            attribute(journey, conversion)
        return (time.process_time() - began) * 1e6 / len(todo)


def round_(data: Any, args: argparse.Namespace) -> dict[str, float]:
    """One pass over the workload with new state."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), clock)
        events = sum(worker.run(epoch) for epoch in epochs(data, args.epoch_records))
        found = {name: round(seconds * 1e6 / events, 3) for name, seconds in clock.seconds.items()}
        found["journeys"] = round(found["journeys"] - found["rocksdb_read"], 3)
        found["sum"] = round(sum(found.values()), 3)
        found["conversion"] = round(worker.per_conversion(), 2)
        return found


def main() -> None:
    """Rounds over the same input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--touchpoints", type=int, default=500_000)
    parser.add_argument("--conversions", type=int, default=25_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--epoch-records", type=int, default=50_000)
    args = parser.parse_args()
    print(json.dumps({"tree": str(Path(attribution.__file__).parent.parent), "python": sys.version.split()[0]}))
    data = workload(args.touchpoints, args.conversions, args.customers)
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # as the worker does
    results = []
    for _ in range(args.rounds):
        results.append(round_(data, args))
        print(json.dumps(results[-1]), flush=True)
    print(json.dumps({"lowest": {name: min(r[name] for r in results) for name in results[0]}}))


if __name__ == "__main__":
    main()
