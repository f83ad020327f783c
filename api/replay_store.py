"""The port to replays: runs that are computed anew with other parameters, beside the one that is shown.

``cli.replay_processes`` is the real one, ``testing_replays`` the double. One replay of a workspace is computed at a
time, whoever began it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from clickhouse.run import Run


class ReplayAsked(NamedTuple):
    """What to compute.

    Attributes:
        name: of the run.
        since, until: times of conversion in ISO-8601, from included, to excluded; empty: no bound.
        parameters: those that differ from the shown run's, by the names of ``attribution replay --config``.
        source: auto, topics or facts.
    """

    name: str
    since: str
    until: str
    parameters: Mapping[str, Any]
    source: str


class ReplayRefused(ValueError):  # noqa: N818 - an answer
    """A parameter cannot be used; ``field`` as in ``ReplayAsked.parameters``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class Replays(Protocol):
    """Replays of one workspace. Calls block. They raise ``RunError`` for what the state of runs forbids."""

    def begin(self, asked: ReplayAsked) -> Run:
        """Make the run, or go on with it; the work goes on when this returns.

        Raises:
            RunError: another one is being computed, or the name stands for another replay.
            ReplayRefused: a parameter cannot be used.
            Unavailable: Kafka, ClickHouse or the folder of replays.
        """

    def cancel(self, run: Run) -> Run:
        """Stop computing it; what is done stays, so that ``begin`` goes on there.

        Raises:
            RunError: it is not being computed, or by somebody else.
        """

    def drop(self, run: Run) -> None:
        """Remove a run with all that it has. Doing it twice is the same as once.

        Raises:
            RunError: it is shown, it is the one of the environment, or it is being computed.
        """

    def close(self) -> None:
        """Stop what is being computed, to be gone on with."""
