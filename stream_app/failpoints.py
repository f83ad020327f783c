"""Places at which a test can end, delay or break a worker: all of them are listed here.

They are armed only by the environment variable ``ATTRIBUTION_FAILPOINTS``, a comma list of ``name=action@n``: the
``n``-th time that the place is passed (1 without ``@n``) the action happens, once.

* ``kill``: SIGKILL to the own process, so nothing is closed, flushed or said;
* ``sleep:seconds``: the thread waits;
* ``error``: ``InjectedError`` is raised;
* ``lose``: ``passed`` answers True, and the caller loses what it has in hand.

Not armed, a place costs one look at an empty dictionary, once per epoch and partition at most.

Raises ``FailpointError`` for a specification that cannot be read.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

ENVIRONMENT: Final = "ATTRIBUTION_FAILPOINTS"

Failpoint: TypeAlias = Literal[
    "hand_over", "before_changelog", "after_changelog", "after_store", "after_insert", "after_commit"
]

#: Where each one stands. The last four are the gaps of an epoch: what came before is done, what follows is not.
PLACES: Final[dict[Failpoint, str]] = {
    "hand_over": "transport: an epoch is about to reach the pipeline; ``lose`` is a queue that a rebalance has cleared",
    "before_changelog": "state: the journeys of one partition are computed, nothing of them is written",
    "after_changelog": "state: the changelog of one partition is committed, its store is not written",
    "after_store": "state: changelog and store of one partition are written, no row of the epoch is inserted",
    "after_insert": "pipeline: all rows of the epoch are inserted, its source offsets are not committed",
    "after_commit": "pipeline: the source offsets of the epoch are committed",
}

_FORM: Final = re.compile(r"(?P<name>\w+)=(?P<action>kill|error|lose|sleep:\d+(\.\d+)?)(@(?P<nth>[1-9]\d*))?")


class FailpointError(ValueError):
    """The specification names no failpoint or no action."""


class InjectedError(RuntimeError):
    """What the action ``error`` raises."""


@dataclass(slots=True)
class _Armed:
    action: str
    nth: int
    passes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


_armed: dict[Failpoint, list[_Armed]] = {}


def arm(specification: str) -> None:
    """Replace what is armed; an empty text disarms everything.

    Raises:
        FailpointError: an entry that is no ``name=action@n``; nothing is changed.
    """
    found: dict[Failpoint, list[_Armed]] = {}
    for entry in filter(None, (e.strip() for e in specification.split(","))):
        match = _FORM.fullmatch(entry)
        if match is None or match["name"] not in PLACES:
            raise FailpointError(
                f"{ENVIRONMENT}={entry!r} is no failpoint: give name=action@n with a name of {', '.join(PLACES)} and "
                "an action of kill, error, lose, sleep:seconds; for instance after_changelog=kill@17"
            )
        armed = _Armed(match["action"], int(match["nth"] or 1))
        found.setdefault(cast(Failpoint, match["name"]), []).append(armed)
    _armed.clear()
    _armed.update(found)


def passed(name: Failpoint) -> bool:
    """Say that a place is passed, from any thread; True if what the caller has in hand shall be lost."""
    if not _armed:
        return False
    is_lost = False
    for armed in _armed.get(name, ()):
        is_lost |= _pass(name, armed)
    return is_lost


def _pass(name: Failpoint, armed: _Armed) -> bool:
    with armed.lock:
        armed.passes += 1
        if armed.passes != armed.nth:
            return False
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "error":
        raise InjectedError(f"failpoint {name}, passed {armed.nth} times")
    if armed.action.startswith("sleep:"):
        time.sleep(float(armed.action.removeprefix("sleep:")))
    return armed.action == "lose"
