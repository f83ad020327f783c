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
from collections.abc import Callable
from itertools import islice

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


class Rounds:
    """The stream under a steady load, and the second worker that comes and goes."""

    def __init__(self, run: FaultRun, seed: int) -> None:
        self.run, self.rng = run, random.Random(seed)
        self._records = iter(population(90_000, seed))

    def feed(self, count: int = 60) -> None:
        """A little more to do."""
        self.run.send(list(islice(self._records, count)))

    def wait(self, what: str, is_so: Callable[[], bool], timeout: float = 90) -> None:
        """Under load, until something is so; whoever ends meanwhile is restarted."""
        deadline = time.monotonic() + timeout
        while not is_so():
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.run.stream.log_tail()}"
            self.run.supervise()
            self.feed()
            time.sleep(0.2)

    def wait_served(self, index: int, count: int) -> None:
        """Until a worker serves so many partitions."""
        self.wait(f"worker {index} serves {count}", lambda: len(served(self.run, index)) == count)

    def one(self, way: str) -> None:
        """The second worker comes, works and goes."""
        run, before = self.run, self.run.epochs(1)
        run.start(1)
        if way == "kill in recovery":
            time.sleep(self.rng.uniform(1.5, 3.5))
        else:
            self.wait_served(1, 2)
            self.wait_served(0, 2)
            run.count("rebalances")
            self.wait("the second worker works", lambda: run.epochs(1) > before)
            run.count("rounds in which both worked")
        if way == "pause":
            self._pause()
        if 1 in run.stream.workers:
            run.stream.stop(1, signal.SIGTERM if way == "term" else signal.SIGKILL)
        self.wait_served(0, 4)
        run.count("rebalances")
        run.count(f"left by {way}")

    def _pause(self) -> None:
        """Past the session, with work in hand; then it comes back, and ends itself or joins again."""
        run = self.run
        self.feed(600)
        run.stream.send(1, signal.SIGSTOP)
        self.wait_served(0, 4)
        run.stream.send(1, signal.SIGCONT)
        deadline = time.monotonic() + 3 * SESSION_S
        while run.stream.workers[1].poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if run.stream.workers[1].poll() is not None:
            run.stream.exits.append(run.stream.workers.pop(1).returncode)
            run.count("zombies that ended themselves")


def rounds(make_run: MakeRun, seed: int, ways: list[str]) -> FaultRun:
    run: FaultRun = make_run(5, "second worker comes and goes", seed)
    work = Rounds(run, seed)
    work.feed(1_500)
    run.start(0)
    work.wait_served(0, 4)
    for way in ways:
        work.one(way)
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
