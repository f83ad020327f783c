"""Faults 1 and 2: kill -9 in each gap of an epoch, again and again in one stream, with and without the state directory.

A kill counts only if it hit work in flight: records were durable and not committed, so they are replayed.
``ATTRIBUTION_FAULT_KILLS`` says how many kills (200 of which 20 are in the short selection).
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence

import pytest

from fault_run import FaultRun, MakeRun, population
from loadgen.records import Record

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(900)]

GAPS = ("after_changelog", "after_store", "after_insert", "after_commit")
KILLS_A_RUN = 20
RUNS = max(1, int(os.environ.get("ATTRIBUTION_FAULT_KILLS", "200")) // KILLS_A_RUN)
FIRST = int(os.environ.get("ATTRIBUTION_FAULT_FIRST", "1"))
SHORT_THEN_FULL = [
    pytest.param(seed, marks=[] if seed == FIRST else pytest.mark.faults) for seed in range(FIRST, FIRST + RUNS)
]


def kill_once(run: FaultRun, records: Sequence[Record], gap: str, nth: int) -> bool:
    """One worker's life, which ends in a gap; True if the kill hit work in flight."""
    run.top_up(records, 2_500)
    is_aligned = "true" if nth == 1 else "false"  # lives as in production among the faster ones
    run.start(failpoints=f"{gap}=kill@{nth}", env={"ATTRIBUTION_ALIGN_TOPICS": is_aligned})
    code = run.wait_dead()
    assert code == -signal.SIGKILL, f"{gap}@{nth}: exit {code}\n{run.stream.log_tail()}"
    replayed = run.watch.sample()
    run.count("records replayed", replayed)
    run.count("kills" if replayed else "kills between epochs")
    return replayed > 0


def passes(gap: str, rng: random.Random) -> int:
    """At which passage to die: the first two gaps are passed once a partition, the others once an epoch."""
    return rng.randint(1, 12) if gap in GAPS[:2] else rng.randint(1, 4)


@pytest.mark.parametrize("seed", SHORT_THEN_FULL)
def test_kills_in_every_gap_lose_nothing_and_double_nothing(make_run: MakeRun, seed: int) -> None:
    """Twenty kills, five per gap, and the same invariants as if nothing had happened."""
    run = make_run(1, "kill in a gap", seed)
    rng, records = random.Random(seed), population(30_000, seed)
    todo = list(GAPS) * (KILLS_A_RUN // len(GAPS))
    rng.shuffle(todo)
    while todo:
        if kill_once(run, records, todo[-1], passes(todo[-1], rng)):
            run.count(f"{todo.pop()}")
    run.finish()

    assert run.judge(replay=True).broken == [], run.result.violations
    assert run.result.counts["kills"] == KILLS_A_RUN


@pytest.mark.faults
@pytest.mark.parametrize("seed", [FIRST, FIRST + 1])
def test_kills_with_the_loss_or_exchange_of_the_directory(make_run: MakeRun, seed: int) -> None:
    """After each kill the next worker has an empty directory, or that of another one that was left behind earlier."""
    run = make_run(2, "kill and move", seed)
    rng, records = random.Random(seed), population(30_000, seed)
    index = 0
    for number in range(10):
        run.top_up(records, 2_500)
        gap = GAPS[number % len(GAPS)]
        run.start(index, failpoints=f"{gap}=kill@{passes(gap, rng)}")
        assert run.wait_dead(index) == -signal.SIGKILL, run.stream.log_tail()
        replayed = run.watch.sample()
        run.count("kills" if replayed else "kills between epochs")
        if rng.random() < 0.5:
            run.stream.wipe(index)
            run.count("directories wiped")
        else:
            index = rng.choice([i for i in range(3) if i != index])
            run.count("directories exchanged")
    run.finish(index)

    assert run.judge(stores=(index,), replay=True).broken == [], run.result.violations
