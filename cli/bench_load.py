"""Background load for measurements: how much a stack takes, and a process that sends a part of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from stream_app.group_offsets import GroupOffsets

if TYPE_CHECKING:
    import subprocess

    from stream_app.group_offsets import Place

TOPICS: Final = ("attribution.touchpoints", "attribution.conversions", "attribution.spend")
#: Records of a pool, and its customers: as many, so that journeys stay as long as they are in life.
POOL: Final = 200_000
#: Share of the backlog that may be left when the clock is stopped: the last epochs are small.
_LEFT: Final = 0.05


class LoadError(RuntimeError):
    """The load could not be made or was not worked off; says why."""


def simulator(env: Mapping[str, str], log: Path, seed: int, *options: str) -> subprocess.Popen[bytes]:
    """``attribution simulate`` from a pool, as a process of its own; its summary goes to ``log`` as JSON."""
    from embedded.process import spawn

    log.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "cli", "simulate", "--pool", str(POOL), "--customers", str(POOL)]
    return spawn([*command, "--seed", str(seed), "--json", *options], log=log, env=env)


def summary(log: Path) -> dict[str, Any]:
    """What a simulator has said at its end.

    Raises:
        LoadError: it failed.
    """
    lines = log.read_text().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise LoadError(f"the load failed; end of {log}:\n" + "\n".join(lines[-5:])) from None
    return found


class Backlog:
    """How far a group is behind on the topics of the load; a context manager."""

    def __init__(self, servers: str, group_id: str) -> None:
        self._offsets = GroupOffsets(servers, group_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._offsets.__exit__()

    def read(self) -> tuple[int, int]:
        """Records done and records there."""
        bounds = self._offsets.bounds(TOPICS)
        done = self._done(list(bounds))
        return sum(done.get(place, bound.low) for place, bound in bounds.items()), sum(b.high for b in bounds.values())

    def _done(self, places: list[Place]) -> dict[Place, int]:
        return self._offsets.committed(places)

    def wait(self, until: int, timeout_s: float, each: Callable[[], None]) -> None:
        """Until at most ``until`` records are left.

        Raises:
            LoadError: not in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            done, there = self.read()
            if there - done <= until:
                return
            if time.monotonic() > deadline:
                raise LoadError(f"{there - done} records were still waiting after {timeout_s:g} s")
            each()
            time.sleep(0.1)


def maximum(backlog: Backlog, env: Mapping[str, str], log: Path, events: int, each: Callable[[], None]) -> float:
    """Records a second that the workers take while they are behind and nothing else is sent.

    ``events`` records are sent as fast as possible; the clock runs from the end of that until 5 % of them are left.

    Raises:
        LoadError: they were not sent, not worked off within ten minutes, or worked off too soon to tell.
    """
    process = simulator(env, log, 1, "--rate", "0", "--events", str(events))
    if process.wait():
        raise LoadError(f"the load failed; see {log}")
    summary(log)
    began = time.monotonic()
    done, there = backlog.read()
    left = round(events * _LEFT)
    if there - done < events // 4:
        raise LoadError(f"only {there - done} of {events} records were left when all were sent: send more of them")
    backlog.wait(left, 600, each)
    seconds = time.monotonic() - began
    after, _ = backlog.read()
    return (after - done) / seconds
