"""A run from the raw facts in ClickHouse: a batch, bucket by bucket of customers.

A bucket is done when its rows are written and the run's row says so; a replay that was killed does its open buckets
again, and their rows replace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attribution.recompute import recomputer
from cli.replay_screen import Meter
from clickhouse import facts, rows
from clickhouse.writer import Writer, write_with_backoff

if TYPE_CHECKING:
    from clickhouse.rows import CustomerCredits
    from clickhouse.run import Run
    from stream_app.settings import WorkerSettings

_FACTS_PER_BUCKET: Final = 100_000
_MAX_BUCKETS: Final = 1_024
#: Credits (of all models of one conversion) in one insert.
_CREDITS_PER_INSERT: Final = 5_000
_NO_MERGES: Final[Mapping[str, str]] = MappingProxyType({})


class FactsReplay:
    """The work on one run. ``state`` is the run as far as it is known to be done.

    Args:
        run: what is to be done.
        settings: of the run.
        client: of ClickHouse.
        save: keeps the run's row.
        roots: customer id -> surviving id, of customers that were merged.
    """

    unit = "facts"

    def __init__(
        self,
        run: Run,
        settings: WorkerSettings,
        client: Any,
        save: Callable[[Run], None],
        roots: Mapping[str, str] = _NO_MERGES,
    ) -> None:
        self._settings, self._client, self._save, self._roots = settings, client, save, roots
        self._config = settings.attribution_config()
        self._recompute = recomputer(self._config)
        self._writer = Writer(client)
        self.state = run

    @staticmethod
    def plan_of(total: int) -> dict[str, Any]:
        """Into how many buckets so many facts are cut, and that none is done."""
        return {"buckets": min(max(1, -(-total // _FACTS_PER_BUCKET)), _MAX_BUCKETS), "finished": []}

    def run(self) -> Run:
        """Work until every bucket is done.

        Raises:
            SinkUnavailable: ClickHouse does not answer a query; inserts are tried again until they succeed.
            SinkRejected: ClickHouse refuses.
        """
        run = self.state
        buckets, finished = run.plan["buckets"], list(run.plan["finished"])
        with Meter(run.total, self.unit) as meter:
            for bucket in range(buckets):
                if bucket in finished:
                    continue
                done = self._bucket(bucket, buckets, meter)
                finished.append(bucket)
                self.state = replace(self.state, done=done, plan={**run.plan, "finished": [*finished]})
                self._save(self.state)
        return self.state

    def _bucket(self, bucket: int, buckets: int, meter: Meter) -> int:
        """Returns how many facts are done then."""
        done = self.state.done
        found: list[CustomerCredits] = []
        for count, (customer_id, touches, events) in enumerate(
            facts.customers(self._client, bucket=bucket, buckets=buckets, roots=self._roots)
        ):
            found += [(customer_id, item) for item in self._recompute(touches, events)]
            done += len(touches) + len(events)
            if len(found) >= _CREDITS_PER_INSERT:
                self._insert(found)
                found = []
            if count % 200 == 0:
                meter.show(done)
        self._insert(found)
        meter.show(done)
        return done

    def _insert(self, found: list[CustomerCredits]) -> None:
        table = rows.attribution_rows(
            self._settings.window.credits(found),
            run_id=self._settings.run_id,
            config_hash=self.state.config_hash,
            emitted_at_us=time.time_ns() // 1000,
        )
        write_with_backoff(self._writer, {"attributions": table}, sleep=time.sleep, should_stop=lambda: False)
