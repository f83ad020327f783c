"""Memory of a worker's journeys and CPU per event, by the number of customers in its state.

    python bench/state_memory.py --customers 10000 --customers 100000 --customers 1000000 --customers 5000000

Each size is a process of its own: journeys of one to eight touches (4.5 on average) are written in chunks as a
restore writes them, RocksDB settles, then ``--epochs`` epochs of ``--events`` events of random customers go through
``JourneyStep`` (1 of 20 events is a conversion), and what changed is stored, as the worker does; there is no broker
and no sink. After each epoch the journeys are set back, outside the clock, or those of few customers would grow and
those of many would not. One JSON line per size: resident memory after the filling and at its highest since
(``RssAnon``: what the process holds, ``RssFile``: pages of files, given back under pressure), CPU (user and system,
RocksDB's threads included) per event of reading, of computing and of writing, and what RocksDB holds in tables,
caches and memtables. The last line compares each size with the first. ``--tree`` measures another source tree.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

START_US: Final = 1_764_547_200_000_000
HOUR_US: Final = 3_600_000_000
CHANNELS: Final = ("paid_search", "email", "organic_search", "paid_social", "display")
CHUNK: Final = 100_000


def customer_id(number: int) -> str:
    """As a shop would write it; spread over the key space."""
    return f"cust-{number * 2_654_435_761 % 2**32:010d}"


def touch(number: int, nth: int) -> tuple[int, str, str, str]:
    """The ``nth`` touch of a customer."""
    event_id = hashlib.blake2b(b"%d %d" % (number, nth), digest_size=13).hexdigest()
    return (START_US + nth * HOUR_US + number % 1_000_000, event_id, CHANNELS[(number + nth) % 5], f"c{number % 40}")


def memory() -> dict[str, int]:
    """Resident MiB by kind."""
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon", "RssFile"):
            found[name] = int(value.split()[0]) >> 10
    return found


def cpu() -> float:
    """User and system seconds of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def journeys(numbers: range) -> Iterator[tuple[int, bytes]]:
    """Journeys of one to eight touches."""
    from attribution.journey_bytes import Parts, to_bytes  # noqa: PLC0415  # of the tree that is measured

    for number in numbers:
        count = 1 + number * 7 % 8
        yield number, to_bytes(Parts(rev=count, touches=[touch(number, n) for n in range(count)]))


class State:
    """The stores of a worker's partitions, in the same cache and options."""

    def __init__(self, folder: Path, partitions: int, cache_mb: int) -> None:
        from stream_app import tables  # noqa: PLC0415

        self.partitions = partitions
        import rocksdict  # noqa: PLC0415

        shared: list[Any] = [rocksdict.Cache(cache_mb << 20)]
        if hasattr(tables, "write_buffers"):  # an older tree has no common limit
            shared.append(tables.write_buffers(256))
        self.stores = [tables.PartitionState(folder / str(p), *shared) for p in range(partitions)]
        self.offset = 0

    def of(self, customer: str) -> int:
        """Partition of a customer."""
        return crc32(customer.encode()) % self.partitions

    def fill(self, customers: int) -> None:
        """Write everything that is missing."""
        for first in range(0, customers, CHUNK):
            chunks: list[dict[bytes, bytes | None]] = [{} for _ in self.stores]
            for number, raw in journeys(range(first, min(customers, first + CHUNK))):
                customer = customer_id(number)
                chunks[self.of(customer)][customer.encode()] = raw
            for store, chunk in zip(self.stores, chunks, strict=True):
                self.offset += len(chunk)
                store.write(chunk, self.offset)

    def settle(self) -> None:
        """Wait until RocksDB's background work is done."""
        for store in self.stores:
            store._db.flush()  # noqa: SLF001  # the state has no way to say it
        while any(
            int(store._db.property_int_value(f"rocksdb.{name}") or 0)  # noqa: SLF001
            for store in self.stores
            for name in ("num-running-compactions", "compaction-pending", "num-running-flushes")
        ):
            time.sleep(0.2)

    def inside(self) -> dict[str, int]:
        """MiB that RocksDB says it holds."""
        names = ("estimate-table-readers-mem", "cur-size-all-mem-tables", "total-sst-files-size")
        found = {
            name: sum(int(s._db.property_int_value(f"rocksdb.{name}") or 0) for s in self.stores) >> 20  # noqa: SLF001
            for name in names
        }
        found["block-cache-usage"] = int(self.stores[0]._db.property_int_value("rocksdb.block-cache-usage") or 0) >> 20  # noqa: SLF001
        return found


def step() -> Any:
    """The worker's own, with nobody to forget."""
    from attribution.config import AttributionConfig  # noqa: PLC0415
    from schemas.channel_rules import load_channel_rules  # noqa: PLC0415
    from schemas.codec import Codec, LocalSchemas  # noqa: PLC0415
    from stream_app.decoding import Source, Sources  # noqa: PLC0415
    from stream_app.journeys import JourneyStep  # noqa: PLC0415
    from stream_app.suppression import Suppression  # noqa: PLC0415

    rules, schemas = load_channel_rules(None), LocalSchemas()
    codec = Codec("touchpoint", channel_rules=rules, schemas=schemas)
    sources = Sources(*(Source(name, codec) for name in ("t", "c", "s", "i", "e")), "h")
    return JourneyStep(AttributionConfig(), sources, Suppression(b""))


class Timed:
    """A store whose reads are counted apart."""

    def __init__(self, store: Any) -> None:
        self.erased, self._store, self.seconds = store.erased, store, 0.0
        self.seen: dict[bytes, bytes | None] = {}

    def get_many(self, keys: Any) -> Any:
        """As the store's own."""
        began = cpu()
        found = self._store.get_many(keys)
        self.seconds += cpu() - began
        self.seen.update(zip(keys, found, strict=True))
        return found


def events(random_: random.Random, customers: int, count: int, epoch: int) -> list[tuple[str, int, bool]]:
    """Customer, number of the event, and whether it is a conversion."""
    return [
        (customer_id(random_.randrange(customers)), epoch * count + i, random_.random() < 0.05) for i in range(count)
    ]


def decoded(items: list[tuple[str, int, bool]]) -> Any:
    """The events of one partition as they come out of the decoder."""
    from schemas.events import ConversionWireEvent, TouchpointEvent  # noqa: PLC0415
    from stream_app.decoding import Decoded  # noqa: PLC0415

    found = Decoded({})
    for customer, n, is_conversion in items:
        at_us, event_id = START_US + 20 * HOUR_US + n * 1_000, f"{n:026d}"
        if is_conversion:
            found.conversions.append(
                ConversionWireEvent(
                    customer_id=customer, event_id=event_id, occurred_at_us=at_us, conversion_type="purchase",
                    value_micros=1_000_000, currency="EUR",
                )
            )  # fmt: skip
        else:
            found.touchpoints.append(
                TouchpointEvent(
                    customer_id=customer, event_id=event_id, occurred_at_us=at_us, channel=CHANNELS[n % 5],
                    campaign="c1",
                )
            )  # fmt: skip
    return found


def measure(customers: int, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One size: fill, settle, run epochs."""
    state, filled_s = State(folder, args.partitions, args.cache_mb), time.monotonic()
    began = cpu()
    state.fill(customers)
    fill_us = (cpu() - began) * 1e6 / customers
    state.settle()
    filled_s = time.monotonic() - filled_s
    resting = memory()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # as the worker does
    random_ = random.Random(1)  # noqa: S311  # the same load every time
    journey_step, highest = step(), dict(resting)
    seconds = {"read": 0.0, "compute": 0.0, "write": 0.0}
    counted = 0
    for epoch in range(args.epochs):
        by_partition: list[list[tuple[str, int, bool]]] = [[] for _ in state.stores]
        for item in events(random_, customers, args.events, epoch):
            by_partition[state.of(item[0])].append(item)
        is_warm = epoch >= args.epochs // 4  # before that the caches fill
        for store, items in zip(state.stores, by_partition, strict=True):
            input_, timed = decoded(items), Timed(store)
            began = cpu()
            result = journey_step.apply(input_, timed, {})
            computed = cpu()
            state.offset += len(result.journeys)
            store.write(result.journeys, state.offset)
            if is_warm:
                seconds["read"] += timed.seconds
                seconds["compute"] += computed - began - timed.seconds
                seconds["write"] += cpu() - computed
            store.write({key: timed.seen[key] for key in result.journeys}, state.offset)
        counted += args.events if is_warm else 0
        now = memory()
        highest = {name: max(value, now[name]) for name, value in highest.items()}
    per_event = {name: round(value * 1e6 / counted, 2) for name, value in seconds.items()}
    return {
        "customers": customers,
        "cpu_us_event": {**per_event, "sum": round(sum(per_event.values()), 2)},
        "mib_resting": resting,
        "mib_highest": highest,
        "mib_trimmed": _trimmed(),
        "rocksdb_mib": state.inside(),
        "fill_us_customer": round(fill_us, 2),
        "filled_s": round(filled_s, 1),
    }


def _trimmed() -> int:
    """Resident MiB of anonymous memory once the allocator has given back what is free: the rest is really held."""
    ctypes.CDLL(None).malloc_trim(0)
    return memory()["RssAnon"]


def main() -> None:
    """Each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, action="append", default=[])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--cache-mb", type=int, default=256)
    parser.add_argument("--folder", type=Path, default=None, help="default: a temporary one")
    parser.add_argument("--tree", type=Path, default=Path(), help="source tree, default: the working directory")
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args.customers[0], args, args.child)))
        return
    found = []
    for customers in args.customers or [10_000, 100_000, 1_000_000, 5_000_000]:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            command = [sys.executable, "-P", str(Path(__file__).resolve()), "--child", folder]
            for name in ("epochs", "events", "partitions", "cache_mb"):
                command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
            told = subprocess.run(
                [*command, "--customers", str(customers)],
                env={**os.environ, "PYTHONPATH": str(args.tree.resolve())},
                stdout=subprocess.PIPE,
                check=True,
            )
        found.append(json.loads(told.stdout.splitlines()[-1]))
        print(json.dumps(found[-1]), flush=True)
    base = found[0]["cpu_us_event"]["sum"]
    times = {f["customers"]: round(f["cpu_us_event"]["sum"] / base, 2) for f in found}
    print(json.dumps({"cost per event, times the first": times, "highest MiB": found[-1]["mib_highest"]["VmRSS"]}))


if __name__ == "__main__":
    main()
