"""What ``attribution rollups`` counts, and what a second connection finds out: backlog, age, and whether sums agree."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from clickhouse import queries, standing
from clickhouse.errors import StoreError
from telemetry.metrics import Metrics
from telemetry.program_metrics import ROLLUPS, RollupsMetric

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

BACKLOG_EVERY_S: Final = 5.0
#: The sums of all days are added up for it.
SUMS_EVERY_S: Final = 60.0


class RollupsMeter:
    """The counts of one roller; ``clock`` is the wall clock, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.metrics: Metrics[RollupsMetric] = Metrics(ROLLUPS, "rollups")
        self._clock = clock

    def passed(self, built: list[tuple[int, date]], seconds: float, *, is_full: bool) -> None:
        """A pass has built days."""
        kind = "full" if is_full else "quick"
        self.metrics.add("attribution_rollups_passes_total", kind)
        self.metrics.observe("attribution_rollups_pass_seconds", seconds, kind)
        self.metrics.add("attribution_rollups_built_partitions_total", by=len(built))

    def refused(self) -> None:
        """A pass was not possible."""
        self.metrics.add("attribution_rollups_refusals_total")

    def look(self, client: Any, *, with_sums: bool) -> None:
        """Ask the database.

        Raises:
            StoreError: it does not answer.
        """
        found, now = standing.read(partial(queries.run, client)), self._clock()
        waits_s = 0.0
        if found.dirty_days:
            waits_s = max(0.0, now - found.as_of.timestamp()) if found.as_of else now
        self.metrics.put("attribution_rollups_dirty_partitions", found.dirty_days)
        self.metrics.put("attribution_rollups_oldest_dirty_seconds", waits_s)
        if with_sums:
            (row,) = queries.run(client, "rollups_conservation")
            self.metrics.put("attribution_rollups_conservation_error_micros", row["error_micros"] or 0)
        self.metrics.put("attribution_rollups_checked_timestamp_seconds", now)

    def look_on(self, connect: Callable[[], Any], on_trouble: Callable[[StoreError], None]) -> None:
        """Look for as long as the process lives, in a thread with a connection of its own."""
        threading.Thread(target=self._repeat, args=(connect, on_trouble), name="rollups-look", daemon=True).start()

    def _repeat(self, connect: Callable[[], Any], on_trouble: Callable[[StoreError], None]) -> None:
        client: Any = None
        summed_at = float("-inf")
        wait = threading.Event()
        while True:
            try:
                client = client or connect()
                is_time = time.monotonic() - summed_at >= SUMS_EVERY_S
                self.look(client, with_sums=is_time)
                summed_at = time.monotonic() if is_time else summed_at
            except StoreError as error:
                on_trouble(error)
            wait.wait(BACKLOG_EVERY_S)
