"""Fault 3: the broker is killed and comes back on the same port and directory, or stands still for a while.

A kill counts only with work in flight. One broker keeps one copy: what it lost with its disk would be lost; a killed
process loses nothing of what it acknowledged, because the page cache is the kernel's.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.broker import Broker
from fault_run import FaultRun, MakeRun, population

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(1_500)]

KILLS = int(os.environ.get("ATTRIBUTION_FAULT_BROKER_KILLS", "20"))


@pytest.fixture
def broker(stack_directory: Path, tmp_path: Path) -> Iterator[Broker]:
    with Broker(stack_directory / f"kafka-{tmp_path.name}", log=tmp_path / "kafka.log") as found:
        yield found


def kill(broker: Broker) -> None:
    """SIGKILL, and a new process on the same port and directory."""
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGKILL)
    broker.process.wait()
    broker.start()


def pause(broker: Broker, seconds: float) -> None:
    """SIGSTOP for so long."""
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(broker.process.pid, signal.SIGCONT)


def with_outages(make_run: MakeRun, broker: Broker, seed: int, kills: int, pauses: list[float]) -> FaultRun:
    run: FaultRun = make_run(3, "broker away", seed, bootstrap=broker.bootstrap)
    rng, records = random.Random(seed), population(60_000, seed)
    todo: list[float] = [0.0] * kills + pauses
    rng.shuffle(todo)
    run.top_up(records, 2_000)
    run.start()
    for seconds in todo:
        run.top_up(records, 2_000)
        run.wait_in_flight(below=rng.randint(500, 1_900))
        if seconds:
            pause(broker, seconds)
            run.count("broker pauses")
        else:
            kill(broker)
            run.count("broker kills")
        run.wait_in_flight(below=500, timeout=180)  # at work again
        run.watch.sample()
    run.finish()
    assert run.judge(replay=True).broken == [], run.result.violations
    return run


def test_a_killed_broker_loses_nothing_and_doubles_nothing(broker: Broker, make_run: MakeRun) -> None:
    """The short selection: one kill."""
    assert with_outages(make_run, broker, 31, 1, []).result.counts["broker kills"] == 1


@pytest.mark.faults
def test_many_broker_outages_lose_nothing_and_double_nothing(broker: Broker, make_run: MakeRun) -> None:
    """Kills and pauses, one of them longer than every session and most timeouts."""
    run = with_outages(make_run, broker, 32, KILLS, [3.0, 5.0, 30.0])

    assert run.result.counts["broker kills"] == KILLS
