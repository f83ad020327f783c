"""Fault 7: the disk is full, under the worker's state and under ClickHouse.

The disk is a small tmpfs that a file fills up. Where this process may not mount (no root), the worker's files are
limited in size instead (``RLIMIT_FSIZE``, the writes fail with EFBIG): RocksDB fails for real in both cases. The
ClickHouse engine is only tested where mounting is allowed; the results say which way was used.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.clickhouse import ClickHouse
from fault_run import FaultRun, MakeRun, population
from stream_app.exits import FAIL_STOP, STOP_TIMED_OUT

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.faults, pytest.mark.timeout(300)]


class SmallDisk:
    """A tmpfs of a given size at a folder; ``is_mounted`` is False where mounting is not allowed."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        self.is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Take all that is left; RocksDB may have reserved the rest already."""
        block = 1 << 20
        with contextlib.suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as file:
            while block:
                try:
                    file.write(b"\0" * block)
                except OSError:
                    block //= 16

    def grow(self) -> None:
        """Make room: a larger disk."""
        subprocess.run(["mount", "-o", "remount,size=1g", str(self.folder)], check=True)

    def unmount(self) -> None:
        """Away with it."""
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, int], SmallDisk]]:
    disks: list[SmallDisk] = []

    def make(name: str, megabytes: int) -> SmallDisk:
        disks.append(SmallDisk(tmp_path / name, megabytes))
        return disks[-1]

    yield make
    for disk in disks:
        disk.unmount()


def test_a_worker_without_disk_space_loses_nothing(
    make_run: MakeRun, small_disk: Callable[[str, int], SmallDisk]
) -> None:
    """The changelog is the log, so the worker goes on until RocksDB must write; whatever end it takes, nothing is lost.

    It may end by fail-stop, or be told to stop with a full disk: its state then lags behind, and is restored.
    """
    run: FaultRun = make_run(7, "disk full under the worker", 81)
    disk = small_disk("run-0/state-0", 64)
    run.send(population(6_000, 81))
    run.start()
    run.wait_in_flight(below=5_500)
    if disk.is_mounted:
        disk.fill()
        run.count("worker disks filled (tmpfs)")
    else:
        resource.prlimit(run.stream.workers[0].pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
        run.count("worker disks filled (RLIMIT_FSIZE)")
    code = end_with_a_full_disk(run)
    run.watch.sample()
    if disk.is_mounted:
        disk.grow()
    run.send(population(6_500, 81)[6_000:])
    run.finish()

    assert code in {0, FAIL_STOP, STOP_TIMED_OUT}, run.stream.log_tail()
    assert run.judge(replay=True).broken == [], run.result.violations


def end_with_a_full_disk(run: FaultRun) -> int:
    """Let the worker read on, then ask it to stop unless it has ended; returns its exit code."""
    worker = run.stream.workers[0]
    deadline = time.monotonic() + 60
    while worker.poll() is None and run.lag() and time.monotonic() < deadline:
        time.sleep(0.2)
    if worker.poll() is None:
        run.stream.send(0, signal.SIGTERM)
    return run.wait_dead()


@pytest.fixture
def small_engine(
    small_disk: Callable[[str, int], SmallDisk], tmp_path: Path
) -> Iterator[tuple[SmallDisk, ClickHouse] | None]:
    """An engine on a small disk; None where mounting is not allowed."""
    disk = small_disk("engine", 192)
    if not disk.is_mounted:
        yield None
        return
    with ClickHouse(disk.folder / "data", log=tmp_path / "engine.log") as engine:
        yield disk, engine


def test_clickhouse_without_disk_space_is_waited_for(
    small_engine: tuple[SmallDisk, ClickHouse] | None, new_database: Callable[[str], str], make_run: MakeRun
) -> None:
    """The worker waits with its rows in hand, commits nothing, makes no dead letters, and goes on."""
    if small_engine is None:
        assert os.geteuid() != 0, "root, but not allowed to mount: this fault cannot be made here"
        return
    disk, engine = small_engine
    run: FaultRun = make_run(7, "disk full under ClickHouse", 82, url=engine.url, database=new_database(engine.url))
    records = population(6_000, 82)
    run.send(records[:2_000])
    run.start()
    run.drain()
    disk.fill()
    run.count("ClickHouse disks filled (tmpfs)")
    run.send(records[2_000:])
    stalled_at = wait_for_stall(run)
    disk.grow()
    run.finish()
    run.count("worker exits while ClickHouse was full", len([c for c in run.stream.exits if c]))

    assert stalled_at > 0, "the full disk held nobody up"
    assert run.judge().broken == [], run.result.violations


def wait_for_stall(run: FaultRun) -> int:
    """The lag once it has not moved for three looks in a row."""
    lags = [run.lag()]
    deadline = time.monotonic() + 60
    while len(lags) < 4 or len(set(lags[-4:])) > 1:
        assert time.monotonic() < deadline, f"never stalled: {lags[-10:]}"
        run.supervise()
        time.sleep(1)
        lags.append(run.lag())
    return lags[-1]
