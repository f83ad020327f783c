"""``make bench``: this worker and its peers on the same broker and bytes, in one run.

The peers and their runner live in another folder (``PEERS``, default ``../shared/peers``): see its README for the
workload and what is measured. Three workloads: ``small`` (525,000 events, every peer, restore included), ``large``
(2,100,000 events of four times as many customers) and ``long`` (2,100,000 events of the customers of ``small``, so
journeys four times as long), both beside Kafka Streams. Contestants take turns, round by round. The table is
printed; records, checks of what ClickHouse holds, and ratios are stored as one JSON document.

Ends with 1 when a run of ours left wrong credits, or did not finish.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.table import Outcome, markdown

HERE = Path(__file__).resolve().parent
OURS = "realtime-attribution"


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured on one set of bytes; ``steps`` are the runner's."""

    name: str
    touchpoints: int
    conversions: int
    customers: int
    peers: tuple[str, ...]
    steps: str
    runs: int


FULL = (
    Workload(
        "small",
        500_000,
        25_000,
        100_000,
        ("kafka-streams", "kafka-streams-1t", "quix", "faust"),
        "throughput,restore",
        3,
    ),
    Workload("large", 2_000_000, 100_000, 400_000, ("kafka-streams", "kafka-streams-1t"), "throughput", 3),
    Workload("long", 2_000_000, 100_000, 100_000, ("kafka-streams", "kafka-streams-1t"), "throughput", 3),
)
QUICK = (Workload("small", 500_000, 25_000, 100_000, ("kafka-streams-1t", "quix"), "throughput", 1),)


class Runner:
    """The peers' runner, and what it has recorded since this run began."""

    def __init__(self, program: Path, work: Path) -> None:
        self._program, self._results, self._checks = program, work / "results.jsonl", work / "contender-checks.jsonl"
        self._work = work
        self._env = {**os.environ, "PEERS_WORK": str(work), "ATTRIBUTION_BENCH_OUTPUT": str(self._checks)}
        self._seen = {path: path.stat().st_size if path.exists() else 0 for path in (self._results, self._checks)}

    def set_up(self) -> None:
        """Once per work folder: virtual environments and jars of the peers."""
        if not (self._work / "venv-harness").exists():
            subprocess.run([sys.executable, self._program, "setup"], env=self._env, check=True)

    def measure(self, load: Workload) -> Outcome:
        """Every contestant, round by round, and the records of exactly these runs."""
        size = ["--touchpoints", str(load.touchpoints), "--conversions", str(load.conversions)]
        size += ["--customers", str(load.customers)]
        contender = f"{OURS}={sys.executable} {HERE / 'contender.py'}"
        for turn in range(load.runs):
            steps = load.steps if turn == load.runs - 1 else "throughput"
            options = [*size, "--runs", "1", "--steps", steps]
            for peer in load.peers:
                self._call([peer, *options])
            self._call(["contender", *options, "--contender", contender, "--done", "lag0"])
        return Outcome(load.name, self._new(self._results), self._new(self._checks))

    def _call(self, arguments: list[str]) -> None:
        subprocess.run([sys.executable, self._program, *arguments], env=self._env, check=True)

    def _new(self, path: Path) -> list[dict[str, object]]:
        if not path.exists():
            return []
        raw = path.read_bytes()
        lines, self._seen[path] = raw[self._seen[path] :], len(raw)
        return [json.loads(line) for line in lines.splitlines()]


def options() -> argparse.Namespace:
    """What the user asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run each beside two peers, in under five minutes")
    parser.add_argument("--workload", choices=[load.name for load in FULL], help="only this one")
    parser.add_argument("--runs", type=int, help="of each contestant (default 3, quick: 1)")
    parser.add_argument("--store", type=Path, help="where the JSON document goes (default: data/bench/<time>.json)")
    return parser.parse_args()


def main() -> int:
    """Measure, print, store."""
    asked = options()
    program = Path(os.environ.get("PEERS", HERE.parent.parent / "shared" / "peers")).resolve() / "run.py"
    if not program.exists():
        print(f"no peers at {program.parent}: set PEERS to the folder that holds run.py", file=sys.stderr)
        return 2
    runner = Runner(program, Path(os.environ.get("PEERS_WORK", Path(tempfile.gettempdir()) / "peers")))
    runner.set_up()
    now = datetime.now(UTC)
    loads = [load for load in (QUICK if asked.quick else FULL) if asked.workload in {None, load.name}]
    outcomes = [runner.measure(replace(load, runs=asked.runs or load.runs)) for load in loads]
    store = asked.store or HERE.parent / "data" / "bench" / f"{now:%Y%m%dT%H%M%S}.json"
    store.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "outcomes": [o.as_dict() for o in outcomes],
    }
    store.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{document['at']}, {document['machine']}\n")
    for outcome in outcomes:
        print(markdown(outcome, OURS))
    print(f"stored in {store}")
    faults = [fault for outcome in outcomes for fault in outcome.faults(OURS)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def machine() -> str:
    """Cores, memory and interpreter, without the machine's name."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
