"""CPU of the worker and of the ClickHouse engine, apart, for one or more source trees on the same bytes.

    python bench/profile_write_path.py --tree base=/tmp/base --tree new=. --rounds 3

The peers' workload (``generate.py`` in ``PEERS``, default ``../shared/peers``) is loaded into a broker of its own once.
Then the trees take turns (A B A B), each run with a new group, changelog, state directory and engine. A tree may carry
settings: ``--tree big=.,ATTRIBUTION_EPOCH_RECORDS=50000``. One JSON line per run, medians at the end. The window goes
from the moment the workers have their partitions to all consumed and committed (the peers' runner begins at 5 %
consumed, when this pipeline has three epochs under way already); CPU is user and system time. What the
stages of an epoch took is read from the worker's log. The broker's CPU is not counted.

``--worker-hook`` and ``--engine-hook`` are started beside the process at the beginning of the window, with ``{pid}``
replaced: for perf or py-spy.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import types
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from embedded.broker import Broker
from embedded.clickhouse import ClickHouse
from embedded.process import spawn, stop

HERE: Final = Path(__file__).resolve().parent
PEERS: Final = Path(os.environ.get("PEERS", HERE.parent.parent / "shared" / "peers")).resolve()
CHECK: Final = Path("bench") / "check.sql"
TOPICS: Final = ("touchpoints", "conversions")
PARTITIONS: Final = 4
_STAGES: Final = re.compile(
    r"Epoch of (\d+) records.*computed in ([\d.]+) s, durable ([\d.]+), inserted ([\d.]+), committed ([\d.]+)"
)


@dataclass(frozen=True)
class Variant:
    """A source tree and the settings it runs with."""

    name: str
    tree: Path
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Variant:
        """``name=path[,SETTING=value...]``."""
        first, *rest = text.split(",")
        name, path = first.split("=", 1)
        return cls(name, Path(path).resolve(), dict(item.split("=", 1) for item in rest))

    @property
    def environment(self) -> dict[str, str]:
        """What its processes add to ours."""
        return {"PYTHONPATH": str(self.tree), **self.settings}


@dataclass(frozen=True)
class Sample:
    """State of a run at one moment."""

    at: float
    is_ready: bool
    consumed: int
    worker_cpu: float
    engine_cpu: float


def load(servers: str, touchpoints: int, conversions: int, customers: int) -> int:
    """Produce the workload; returns the number of events."""
    sys.path.insert(0, str(PEERS))
    sys.modules.setdefault("orjson", types.SimpleNamespace(dumps=msgspec.json.encode))  # its one use of it
    from generate import dataset  # noqa: PLC0415  # type: ignore[import-not-found]  # the folder is a parameter

    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in TOPICS]).values():
        future.result()
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.messages": 2_000_000,
            "enable.idempotence": True,
        }
    )
    total = 0
    for topic, records in zip(TOPICS, dataset(touchpoints, conversions, customers), strict=True):
        for key, value, at in records:
            producer.produce(topic, value, key, timestamp=at)
            total += 1
            if total % 5_000 == 0:
                producer.poll(0)
    producer.flush()
    return total


def cpu(process: psutil.Process) -> float:
    """User and system seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def run(variant: Variant, servers: str, total: int, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """One run of one variant."""
    group = f"{variant.name}-{uuid.uuid4().hex[:8]}"
    home = work / group
    admin = AdminClient({"bootstrap.servers": servers})
    own = {name: f"{group}-{name}" for name in ("spend", "identities", "erasures", "dead-letter")}
    for future in admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in own.values()]).values():
        future.result()
    with Environment(variant.environment), ClickHouse(home / "clickhouse", log=home / "clickhouse.log") as engine:
        store = {"CLICKHOUSE_URL": engine.url, "CLICKHOUSE_DATABASE": "bench"}
        subprocess.run([sys.executable, "-P", "-m", "cli", "migrate"], env={**os.environ, **store}, check=True)
        logs = [home / f"worker-{i}.log" for i in range(args.workers)]
        workers = [
            spawn(
                [sys.executable, "-P", "-m", "cli", "worker"],
                log=log,
                env={
                    **store,
                    "KAFKA_BOOTSTRAP_SERVERS": servers,
                    "ATTRIBUTION_GROUP_ID": group,
                    "ATTRIBUTION_DATA_DIR": str(home / log.stem),
                    "ATTRIBUTION_TOUCHPOINTS_TOPIC": TOPICS[0],
                    "ATTRIBUTION_CONVERSIONS_TOPIC": TOPICS[1],
                    "ATTRIBUTION_SPEND_TOPIC": own["spend"],
                    "ATTRIBUTION_IDENTITIES_TOPIC": own["identities"],
                    "ATTRIBUTION_ERASURES_TOPIC": own["erasures"],
                    "ATTRIBUTION_DEAD_LETTER_TOPIC": own["dead-letter"],
                    "ATTRIBUTION_LOG_LEVEL": "info",
                },
            )
            for log in logs
        ]
        try:
            assert engine.process is not None
            hooks = [(args.worker_hook, workers[0].pid), (args.engine_hook, engine.process.pid)]
            ready = [home / log.stem / "ready.json" for log in logs]
            samples = watch(servers, group, total, workers, ready, engine.process.pid, hooks, args.timeout)
            by_thread = {"worker": threads(workers[0].pid), "engine": threads(engine.process.pid)}
            peak = {"worker_mib": sum(peak_mib(w.pid) for w in workers), "engine_mib": peak_mib(engine.process.pid)}
        finally:
            for worker in workers:
                stop(worker)
        found = connect(ClickHouseSettings(url=engine.url, database="bench")).query((variant.tree / CHECK).read_text())
        check = dict(zip(found.column_names, found.result_rows[0], strict=True))
    return {
        "variant": variant.name,
        **summary(samples, total),
        **stages(logs),
        **peak,
        "check": check,
        "threads": by_thread,
    }


class Environment:
    """Variables of this process, for the children, as long as it is entered."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def watch(
    servers: str,
    group: str,
    total: int,
    workers: list[subprocess.Popen[bytes]],
    ready: list[Path],
    engine: int,
    hooks: list[tuple[str, int]],
    timeout_s: float,
) -> list[Sample]:
    """Samples until everything is committed.

    Raises:
        RuntimeError: a worker ended.
        TimeoutError: not done in time.
    """
    reader = Consumer({"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False})
    parts = [TopicPartition(t, p) for t in TOPICS for p in range(PARTITIONS)]
    processes, engine_process = [psutil.Process(w.pid) for w in workers], psutil.Process(engine)
    samples: list[Sample] = []
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if any(w.poll() is not None for w in workers):
            raise RuntimeError("a worker ended")
        consumed = committed(reader, parts)
        is_ready = all(file.exists() for file in ready)
        samples.append(Sample(time.monotonic(), is_ready, consumed, sum(map(cpu, processes)), cpu(engine_process)))
        if is_ready:
            for command, pid in hooks:
                if command:
                    subprocess.Popen(shlex.split(command.replace("{pid}", str(pid))))
            hooks = []
        if consumed >= total:
            reader.close()
            return samples
        time.sleep(0.1)
    raise TimeoutError(f"not done after {timeout_s} s")


def committed(reader: Consumer, parts: list[TopicPartition]) -> int:
    """Records of the group so far; 0 while the broker has no coordinator for it."""
    try:
        return sum(max(0, p.offset) for p in reader.committed(parts, timeout=10))
    except KafkaException:
        return 0


def summary(samples: list[Sample], total: int) -> dict[str, float]:
    """Rates from the last sample before the workers were ready to the end."""
    first = next(i for i, s in enumerate(samples) if s.is_ready)
    begin, end = samples[max(0, first - 1)], samples[-1]
    events, seconds = total - begin.consumed, end.at - begin.at
    per_million = 1e6 / events
    worker, engine = end.worker_cpu - begin.worker_cpu, end.engine_cpu - begin.engine_cpu
    return {
        "events_per_s": round(events / seconds),
        "cpu_per_million": round((worker + engine) * per_million, 2),
        "worker": round(worker * per_million, 2),
        "engine": round(engine * per_million, 2),
    }


def stages(logs: list[Path]) -> dict[str, float]:
    """Epochs and seconds in the stages, from the workers' logs."""
    found = [_STAGES.search(line) for log in logs for line in log.read_text().splitlines()]
    rows = [[float(x) for x in match.groups()] for match in found if match]
    names = ("records", "computed_s", "durable_s", "inserted_s", "committed_s")
    sums = {name: round(sum(column), 2) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    return {"epochs": len(rows), **sums}


def threads(pid: int) -> dict[str, float]:
    """CPU seconds since the start by name of living threads, start-up included; Python's own have no name."""
    found: Counter[str] = Counter()
    tick = os.sysconf("SC_CLK_TCK")
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        user, system = rest.split()[11:13]
        main = "main" if task.name == str(pid) else name
        found[main] += (int(user) + int(system)) / tick
    return {name: round(seconds, 2) for name, seconds in found.most_common(8)}


def peak_mib(pid: int) -> int:
    """Highest resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


def main() -> None:
    """Load once, then rounds over the variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", type=Variant.read, metavar="NAME=PATH[,SETTING=VALUE...]")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--touchpoints", type=int, default=500_000)
    parser.add_argument("--conversions", type=int, default=25_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--worker-hook", default="")
    parser.add_argument("--engine-hook", default="")
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--keep", type=Path, help="folder for logs and data; default: a temporary one, deleted")
    args = parser.parse_args()
    variants = args.tree or [Variant("this", HERE.parent)]
    with tempfile.TemporaryDirectory() as temporary:
        work = args.keep or Path(temporary)
        with Broker(work / "kafka") as broker:
            total = load(broker.bootstrap, args.touchpoints, args.conversions, args.customers)
            results = []
            for _ in range(args.rounds):
                for variant in variants:
                    results.append(run(variant, broker.bootstrap, total, args, work))
                    print(json.dumps(results[-1]), flush=True)
    for variant in variants:
        mine = [r for r in results if r["variant"] == variant.name]
        medians = {
            name: statistics.median(r[name] for r in mine)
            for name in ("events_per_s", "cpu_per_million", "worker", "engine", "worker_mib", "engine_mib")
        }
        print(json.dumps({"median": variant.name, **medians}))


if __name__ == "__main__":
    main()
