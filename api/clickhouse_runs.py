"""``run_store.RunStore`` over ClickHouse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final, TypeVar

from api.run_store import Compared, Difference
from api.store import Unavailable
from clickhouse.errors import LockHeld, SinkRejected, SinkUnavailable
from clickhouse.run import Run
from clickhouse.runs import Runs

T = TypeVar("T")
#: A roller that is at work for longer than this keeps a promotion waiting in vain: the caller has gone by then.
_SUMS_WAIT_S: Final = 10.0


class ClickHouseRuns:
    """Mixed into the store, which has the connection."""

    def _connected(self) -> Any:
        raise NotImplementedError

    def runs(self) -> list[Run]:
        """All of them by id."""
        return self._of_runs(lambda runs: runs.every())

    def compare_runs(self, a: Run, b: Run, limit: int) -> Compared:
        """Two runs side by side."""
        return self._of_runs(
            lambda runs: Compared((runs.checksum(a), runs.checksum(b)), runs.compare(a, b, limit=limit))
        )

    def run_difference(self, a: Run, b: Run, model: str, start: date, end: date) -> Difference:
        """Channels of two runs."""
        return self._of_runs(lambda runs: Difference(*runs.difference(a, b, model=model, start=start, end=end)))

    def promote_run(self, run: Run, *, expected: int, frozen: bool, is_wanted: Callable[[], bool]) -> bool:
        """Show a run."""

        def promoted(runs: Runs) -> bool:
            runs.build_sums(wait_s=_SUMS_WAIT_S)
            return is_wanted() and runs.promote(run, frozen=frozen, expected=expected)

        try:
            return self._of_runs(promoted)
        except LockHeld as error:
            raise Unavailable("clickhouse", "daily sums are being built or a run is being made; try again") from error
        except SinkRejected as error:
            raise Unavailable(
                "clickhouse", "the API's user may not write; use `attribution runs promote` with the writer's"
            ) from error

    def _of_runs(self, question: Callable[[Runs], T]) -> T:
        try:
            return question(Runs(self._connected()))
        except SinkUnavailable as error:
            raise Unavailable("clickhouse", "it cannot be reached or has no room for the query now") from error
        except SinkRejected as error:
            if "attribution migrate" in str(error):
                raise Unavailable("clickhouse", "its tables are missing or old; run: attribution migrate") from error
            raise
