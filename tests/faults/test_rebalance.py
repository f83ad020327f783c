"""Fault 5: a second worker joins and leaves under load, again and again, in every way there is.

It leaves by SIGTERM, by kill -9, killed while it restores, or paused past its session: then it comes back as a zombie
whose writes must be refused. Rebalances are counted by what the first worker says it serves.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from fault_run import SESSION_S, FaultRun, MakeRun, population

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(900)]

ROUNDS = int(os.environ.get("ATTRIBUTION_FAULT_REBALANCES", "50")) // 2
WAYS = ("pause", "term", "kill", "kill in recovery")


def served(run: FaultRun, index: int) -> set[int]:
    """Partitions that a worker says it serves."""
    try:
        found = json.loads((run.stream.data_dir(index) / "ready.json").read_text())
    except (OSError, ValueError):
        return set()
    return set(found["partitions"])


def wait_served(run: FaultRun, index: int, count: int) -> None:
    """Until a worker serves so many partitions; whoever ends meanwhile is restarted."""
    deadline = time.monotonic() + 90
    while len(served(run, index)) != count:
        run.supervise()
        assert time.monotonic() < deadline, f"worker {index}: {served(run, index)}\n{run.stream.log_tail()}"
        time.sleep(0.02)


def one_round(run: FaultRun, way: str, rng: random.Random) -> None:
    """The second worker comes, works and goes."""
    before = run.epochs(1)
    run.start(1)
    if way != "kill in recovery":
        wait_served(run, 1, 2)
        wait_served(run, 0, 2)
        run.count("rebalances")
        deadline = time.monotonic() + 60
        while run.epochs(1) == before:
            assert time.monotonic() < deadline, f"the second worker did nothing\n{run.stream.log_tail()}"
            time.sleep(0.02)
        run.count("rounds in which both worked")
    else:
        time.sleep(rng.uniform(1.5, 3.5))
    if way == "pause":
        run.stream.send(1, signal.SIGSTOP)
        wait_served(run, 0, 4)
        run.stream.send(1, signal.SIGCONT)
        time.sleep(SESSION_S / 2)
    run.stream.stop(1, signal.SIGTERM if way == "term" else signal.SIGKILL)
    wait_served(run, 0, 4)
    run.count("rebalances")
    run.count(f"left by {way}")


def rounds(make_run: MakeRun, seed: int, ways: list[str]) -> FaultRun:
    run: FaultRun = make_run(5, "second worker comes and goes", seed)
    rng, records = random.Random(seed), population(60_000, seed)
    run.top_up(records, 1_500)
    run.start(0)
    wait_served(run, 0, 4)
    for way in ways:
        run.top_up(records, 2_000)
        one_round(run, way, rng)
        run.watch.sample()
    run.finish()
    text = (run.stream.folder / "worker-1.log").read_text()
    run.count("stale writes refused", text.count("another worker owns"))
    assert run.judge(stores=(0, 1)).broken == [], run.result.violations
    return run


def test_a_zombie_and_a_leaver_lose_nothing_and_double_nothing(make_run: MakeRun) -> None:
    """The short selection: one pause past the session, one orderly stop."""
    run = rounds(make_run, 51, ["pause", "term"])

    assert run.result.counts["rounds in which both worked"] == 2


@pytest.mark.faults
def test_many_rebalances_lose_nothing_and_double_nothing(make_run: MakeRun) -> None:
    """Every way in turn, shuffled by the seed."""
    ways = [WAYS[i % len(WAYS)] for i in range(ROUNDS)]
    random.Random(52).shuffle(ways)
    run = rounds(make_run, 52, ways)

    assert run.result.counts["rebalances"] >= ROUNDS
