"""Two workers while one of them is killed, stopped or paused past its session, again and again, by a seeded script.

``ATTRIBUTION_FAULT_SEEDS`` says how many seeds run, ``ATTRIBUTION_FAULT_FIRST`` with which the count begins. A pause
longer than the session makes a zombie: it comes back with an epoch in hand while another worker owns its partitions.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_report import Result
from simulated import Input, assert_converged, simulated
from stream_harness import Stream, differences

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SESSION_S = 2.0
ENV = {
    "ATTRIBUTION_EPOCH_RECORDS": "300",
    "ATTRIBUTION_FETCH_BYTES": "24576",
    "ATTRIBUTION_SESSION_TIMEOUT_S": str(SESSION_S),
}
FIRST = int(os.environ.get("ATTRIBUTION_FAULT_FIRST", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("ATTRIBUTION_FAULT_SEEDS", "2")))
FAULTS = 12


@pytest.fixture(scope="module")
def data() -> Input:
    return simulated(60_000, seed=11, customers=5_000)


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def inflict(stream: Stream, rng: random.Random) -> str:
    """One fault on one of the two; returns what it was."""
    index = rng.choice((0, 1))
    kind = rng.choice(("kill", "kill", "kill and wipe", "term", "pause", "pause"))
    if stream.workers[index].poll() is not None:
        return "already down"
    if kind == "pause":
        stream.send(index, signal.SIGSTOP)
        time.sleep(SESSION_S * rng.uniform(1.3, 2.5))
        stream.send(index, signal.SIGCONT)
    elif kind == "term":
        stream.stop(index)
    else:
        stream.stop(index, signal.SIGKILL)
        if kind == "kill and wipe" and stream.data_dir(index).exists():
            stream.wipe(index)
    return f"{kind} {index} at lag {stream.lag()}"


def restart_what_is_down(stream: Stream) -> None:
    """What a supervisor does."""
    for index in (0, 1):
        worker = stream.workers.get(index)
        if worker is None or worker.poll() is not None:
            if worker is not None:
                stream.exits.append(worker.returncode)
            stream.start(index, env=ENV)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_workers_under_faults_converge_to_the_batch(stream: Stream, data: Input, seed: int) -> None:
    """Rows equal the batch, dead letters are the malformed records, lag is 0, and faults did hit work in flight."""
    rng = random.Random(seed)
    half = len(data.records) // 2
    stream.produce(data.sent()[:half])
    restart_what_is_down(stream)
    faults: list[str] = []
    deadline = time.monotonic() + 400
    while len(faults) < FAULTS:
        time.sleep(rng.uniform(0.3, 3.0))
        faults.append(inflict(stream, rng))
        restart_what_is_down(stream)
        if len(faults) == FAULTS // 2:
            stream.produce(data.sent()[half:])
        assert time.monotonic() < deadline, f"{faults}\n{stream.log_tail()}"
    while stream.lag():
        restart_what_is_down(stream)
        time.sleep(0.2)
        assert time.monotonic() < deadline, f"lag {stream.lag()} after {faults}\n{stream.log_tail()}"

    wrong = differences(stream.credits(), data.expected())
    counts = Counter(f.split(" at ")[0].rstrip(" 01") for f in faults)
    violations: dict[str, list[str]] = {"I2": [wrong] if wrong else [], "I9": []}
    Result(5, "two workers", seed, counts=dict(counts), violations=violations).write()
    assert_converged(stream, data)
    assert sum("at lag 0" not in f for f in faults) >= FAULTS // 3, f"too few faults hit work in flight: {faults}"
    log = stream.folder / "faults.txt"
    log.write_text(f"seed {seed}: {faults}; exit codes {stream.exits}\n")
