"""Records per second and CPU of a restore after a wiped directory, for one or more source trees on the same changelog.

    python bench/restore.py --tree before=/path/to/older --tree after=. --rounds 3

A broker of its own gets a changelog of ``--records`` journeys, written through ``PartitionLog`` in transactions of
``--epoch`` records per partition: every customer's journey grows touch by touch (``append_touches``), so that later
records are longer and replace earlier ones, as in the peers' workload (424,000 records of 100,000 customers). Then the
trees take turns (A B A B): each run is a new process that opens empty state and restores all partitions side by side,
as a worker does. The clock runs from the first request to the last record stored; CPU is user and system time of that
process, RocksDB's and librdkafka's threads included, the broker's not. One JSON line per run, medians at the end.
Every run must end with the same journeys (a digest over all keys and values is compared).

``--servers`` with ``--topic`` takes a changelog that is there already.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PARTITIONS: Final = 4
START_US: Final = 1_764_547_200_000_000
CHANNELS: Final = ("paid_search", "email", "organic_search", "paid_social", "display")


def customer_id(number: int) -> str:
    """As a shop would write it; spread over the key space."""
    return f"cust-{number * 2_654_435_761 % 2**32:010d}"


def touch(number: int, nth: int) -> tuple[int, str, str, str]:
    """The ``nth`` touch of a customer."""
    event_id = hashlib.blake2b(b"%d %d" % (number, nth), digest_size=13).hexdigest()
    return (START_US + nth * 3_600_000_000 + number, event_id, CHANNELS[(number + nth) % 5], f"c{number % 40}")


def fill(servers: str, topic: str, partition: int, records: int, customers: int, epoch: int) -> None:
    """One partition's share of the changelog."""
    from attribution.config import AttributionConfig  # noqa: PLC0415  # of the tree that is measured
    from attribution.journey_bytes import append_touches  # noqa: PLC0415
    from stream_app.changelog import PartitionLog  # noqa: PLC0415

    log, config = PartitionLog(servers, topic, partition, f"{topic}-{partition}"), AttributionConfig()
    log.acquire()
    journeys: dict[int, bytes] = {}
    pending: dict[bytes, bytes | None] = {}
    for i in range(records):
        number = i % customers
        raw = append_touches(journeys.get(number), [touch(number, i // customers)], config)
        assert raw is not None
        journeys[number] = raw
        pending[customer_id(number * PARTITIONS + partition).encode()] = raw
        if len(pending) == min(epoch, customers):
            log.write(pending)
            pending = {}
    if pending:
        log.write(pending)
    log.close()


def prepare(servers: str, args: argparse.Namespace) -> None:
    """The changelog."""
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415
    from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415

    from stream_app.topics import CHANGELOG_CONFIG  # noqa: PLC0415

    config = {**CHANGELOG_CONFIG, "min.cleanable.dirty.ratio": "1.0"}  # not compacted while it is measured
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic(args.topic, PARTITIONS, 1, config=config)]).values():
        future.result()
    share, customers = args.records // PARTITIONS, max(1, args.customers // PARTITIONS)
    for partition in range(PARTITIONS):
        fill(servers, args.topic, partition, share, customers, args.epoch)


def restore_all(servers: str, topic: str, folder: Path) -> dict[str, Any]:
    """What a worker does once it has its partitions, without Faust around it."""
    import rocksdict  # noqa: PLC0415

    from stream_app import tables  # noqa: PLC0415

    try:
        from stream_app.restoring import restore  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        from stream_app.changelog import (  # type: ignore[attr-defined,no-redef,unused-ignore]  # noqa: PLC0415
            restore,
        )

    cache = rocksdict.Cache(256 << 20)
    states = [tables.PartitionState(folder / str(p), cache) for p in range(PARTITIONS)]

    def one(partition: int) -> int:
        return int(
            restore(servers, topic, partition, after=None, apply=states[partition].write, is_cancelled=lambda: False)
        )

    gc.freeze()
    gc.set_threshold(200_000, 20, 100)  # as the worker does
    began, cpu = time.perf_counter(), _cpu()
    with ThreadPoolExecutor(PARTITIONS) as threads:
        records = sum(threads.map(one, range(PARTITIONS)))
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = hashlib.blake2b(digest_size=8)
    journeys = 0
    for state in states:
        for key, value in state.items():
            found.update(key + value)
            journeys += 1
    return {
        "records": records,
        "journeys": journeys,
        "digest": found.hexdigest(),
        "seconds": round(seconds, 3),
        "records_s": round(records / seconds),
        "cpu_us_record": round(cpu * 1e6 / records, 3),
        "peak_rss_mib": peak // 1024,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(tree: Path, servers: str, topic: str) -> dict[str, Any]:
    """One run in a process of its own, with the classes of that tree."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("RESTORE_DIR")) as folder:
        command = [sys.executable, "-P", str(Path(__file__).resolve()), "--child", folder, "--servers", servers]
        told = subprocess.run(
            [*command, "--topic", topic],
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            check=False,
        )
    if told.returncode:
        raise RuntimeError(f"the run of {tree} failed:\n{told.stderr[-2000:]}")
    return dict(json.loads(told.stdout.splitlines()[-1]))


@contextmanager
def changelog(args: argparse.Namespace) -> Iterator[str]:
    """Servers with the changelog."""
    if args.servers:
        yield args.servers
        return
    from embedded.broker import Broker  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=os.environ.get("RESTORE_DIR")) as folder, Broker(Path(folder)) as broker:
        began = time.monotonic()
        prepare(broker.bootstrap, args)
        print(json.dumps({"filled_s": round(time.monotonic() - began, 1), "servers": broker.bootstrap}), flush=True)
        if args.hold:
            threading.Event().wait()
        yield broker.bootstrap


def main() -> None:
    """Trees take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", default=[], help="name=path")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=424_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--epoch", type=int, default=8_000, help="records per transaction")
    parser.add_argument("--servers", default="")
    parser.add_argument("--topic", default="bench-journeys-changelog")
    parser.add_argument("--hold", action="store_true", help="fill, say where, and keep the broker up until Ctrl-C")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(restore_all(args.servers, args.topic, Path(args.child))))
        return
    trees = [(name, Path(path).resolve()) for name, path in (t.split("=", 1) for t in args.tree or ["this=."])]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in trees}
    with changelog(args) as servers:
        for _ in range(args.rounds):
            for name, tree in trees:
                found[name].append(run(tree, servers, args.topic))
                print(json.dumps({"tree": name, **found[name][-1]}), flush=True)
    if len({r["digest"] for runs in found.values() for r in runs}) != 1:
        raise SystemExit("the runs do not end with the same journeys")
    for name, runs in found.items():
        medians = {k: statistics.median(r[k] for r in runs) for k in ("records_s", "cpu_us_record", "peak_rss_mib")}
        print(json.dumps({"tree": name, "median": medians, "best_records_s": max(r["records_s"] for r in runs)}))


if __name__ == "__main__":
    main()
