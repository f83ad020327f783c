"""The part of the store that is about runs: which there are, how two differ, which one is shown.

Raises like the store; ``RunError`` for what a run's state forbids, with the way out in its words.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple, Protocol, TypeAlias

from clickhouse.run import Checksum, Comparison, Run

#: Refuses, with ``RunError``, a promotion that would leave a gap: workspace, run that is shown, run to show. Raises
#: ``Unavailable`` when that cannot be found out.
GapCheck: TypeAlias = Callable[[str, Run, Run], None]


class Compared(NamedTuple):
    """Two runs side by side, each with the checksum of all of its credits."""

    sums: tuple[Checksum, Checksum]
    found: Comparison


class Difference(NamedTuple):
    """Two runs by channel: rows of ``runs_difference``, and days of each whose sums are not up to date."""

    channels: list[dict[str, Any]]
    pending: tuple[int, int]


class RunStore(Protocol):
    """Runs of one workspace. Calls block."""

    def runs(self) -> list[Run]:
        """All of them by id, dropped ones too."""

    def compare_runs(self, a: Run, b: Run, limit: int) -> Compared:
        """Rows, channels and at most ``limit`` conversions that differ most, in the time that both hold."""

    def run_difference(self, a: Run, b: Run, model: str, start: date, end: date) -> Difference:
        """Channels under one model on these conversion days, both inclusive, from the daily sums."""

    def promote_run(self, run: Run, *, expected: int, frozen: bool, is_wanted: Callable[[], bool]) -> bool:
        """Show ``run``, when its sums are built, if the run ``expected`` is still the one that is shown.

        Args:
            run: which one.
            expected: id of the run that the caller believes is shown.
            frozen: also a run that no worker can keep up to date.
            is_wanted: asked before the switch; False: the caller is gone, so nothing is switched.

        Returns:
            Whether anything changed: False when ``run`` is shown already, or nobody wants it any more.

        Raises:
            RunChanged: another run is shown by now.
        """
