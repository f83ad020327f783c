"""How fast a wiped state directory is filled again from the changelog: records/s and CPU per record, tree against tree.

    python bench/restore.py --records 424000 --customers 100000 --rounds 3 --tree before=/tmp/base --tree after=.

A broker of its own gets a changelog in the product's format (``PartitionLog``, journeys of ``--touches`` touches,
``--records`` writes over ``--customers`` customers, transactions of 5,000). Then the trees take turns: each restores
all partitions side by side into an empty directory in a new process, as a worker does after it was fenced in. Wall time
and CPU are those of ``restore`` and the store together, without the interpreter's start. One JSON line a run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import rocksdict
from confluent_kafka.admin import AdminClient, NewTopic

from attribution.journey_bytes import Parts, to_bytes
from embedded.broker import Broker
from stream_app.changelog import PartitionLog, restore
from stream_app.tables import PartitionState

TOPIC = "bench-journeys-changelog"
TRANSACTION = 5_000


def journey(rng: random.Random, customer: int, touches: int) -> bytes:
    """Bytes of a journey with so many touches."""
    begin = 1_760_000_000_000_000 + rng.randrange(10**12)
    found = [
        (begin + i * 60_000_000, f"t{customer}-{i:06d}", "paid_search", f"campaign-{i % 9}") for i in range(touches)
    ]
    return to_bytes(Parts(touches, touches=found))


def fill(servers: str, partitions: int, records: int, customers: int, touches: int) -> None:
    """Write the changelog as workers would."""
    settings = {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000"}
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(TOPIC, partitions, 1, config=settings)])[TOPIC].result()
    rng = random.Random(1)  # noqa: S311  # seeded, for equal bytes
    for partition in range(partitions):
        log = PartitionLog(servers, TOPIC, partition, f"bench-{partition}")
        log.acquire()
        mine = customers // partitions
        left = records // partitions
        while left > 0:
            some = rng.sample(range(mine), min(TRANSACTION, left, mine))
            log.write(
                {f"customer-{partition}-{c}".encode(): journey(rng, c, rng.randint(1, 2 * touches - 1)) for c in some}
            )
            left -= len(some)
        log.close()


def restore_all(servers: str, partitions: int, folder: Path) -> dict[str, Any]:
    """One restore of everything by the code on the path."""
    cache = rocksdict.Cache(256 << 20)

    def one(partition: int) -> int:
        state = PartitionState(folder / str(partition), cache)
        return restore(servers, TOPIC, partition, after=None, apply=state.write, is_cancelled=lambda: False)

    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(8) as threads:
        count = sum(threads.map(one, range(partitions)))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024
    return {
        "records": count,
        "seconds": round(seconds, 3),
        "records_per_s": round(count / seconds),
        "cpu_us_per_record": round(spent / count * 1e6, 2),
        "peak_mib": peak,
    }


def main() -> None:
    """Fill once, then rounds over the trees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", metavar="NAME=PATH")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=424_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--touches", type=int, default=5, help="mean touches of a journey")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--one", nargs=2, metavar=("SERVERS", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(restore_all(args.one[0], args.partitions, Path(args.one[1]))))
        return
    trees = [t.split("=", 1) for t in args.tree or [f"this={Path(__file__).resolve().parent.parent}"]]
    with tempfile.TemporaryDirectory() as work, Broker(Path(work) / "kafka") as broker:
        fill(broker.bootstrap, args.partitions, args.records, args.customers, args.touches)
        for round_ in range(args.rounds):
            for name, tree in trees:
                folder = Path(work) / f"{name}-{round_}"
                command = [
                    sys.executable,
                    "-P",
                    __file__,
                    "--partitions",
                    str(args.partitions),
                    "--one",
                    broker.bootstrap,
                ]
                env = {**os.environ, "PYTHONPATH": str(Path(tree).resolve())}
                out = subprocess.run([*command, str(folder)], env=env, check=True, stdout=subprocess.PIPE).stdout
                print(json.dumps({"tree": name, **json.loads(out)}), flush=True)


if __name__ == "__main__":
    main()
