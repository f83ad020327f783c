"""What happens between "these partitions are yours" and "go": fence, restore, seek.

Replaces Faust's recovery protocol, which reads the changelog through the group consumer. For each assigned
partition: take the right to write (``PartitionLog.acquire``, which fences a paused former owner), then read
the changelog behind the local state up to its end with a plain consumer. Partitions are restored side by
side in threads. A rebalance in the middle cancels and starts over.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from faust.tables.manager import TableManager as FaustTableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service, get_logger

from stream_app.changelog import PartitionLog
from stream_app.restore_progress import RestoreProgress
from stream_app.restoring import StaleStateError, restore
from stream_app.state import DurableState
from stream_app.state_format import NewerStateError, claim
from stream_app.tables import JourneyTable
from stream_app.topics import tombstone_retention_ms

logger = get_logger(__name__)

#: Partitions that are restored at the same time.
RESTORE_THREADS: Final = 8


class FencedRecovery(Recovery):
    """Fence and restore every assigned partition, then let Faust resume the flow."""

    def on_init(self) -> None:
        """Called by the service's constructor."""
        self.logs: dict[int, PartitionLog] = {}
        self._threads = ThreadPoolExecutor(RESTORE_THREADS, thread_name_prefix="restore")

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]  # faust's own pattern
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            cancelled = threading.Event()
            self._set_recovery_started()
            work = asyncio.ensure_future(self._take_over(cancelled))
            try:
                await self._wait(asyncio.shield(work))
                await work
                await self._wait(self.on_recovery_completed(generation))
            except RebalanceAgain:
                await self._abandon(work, cancelled)
            except ServiceStopped:
                await self._abandon(work, cancelled)
                break

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The worker serves nothing until the next assignment is restored."""
        app: Any = self.app
        app.on_not_ready()
        app.beat("partitions revoked")
        super().on_partitions_revoked(revoked)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Resume the flow, and say so."""
        await super().on_recovery_completed(generation_id)
        app: Any = self.app
        if app.consumer_generation_id == generation_id:
            app.beat("partitions taken over")
            app.on_ready(set(self.logs))

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Stock Faust reads changelog events here; ``_take_over`` does it in bulk."""

    @staticmethod
    async def _abandon(work: asyncio.Future[None], cancelled: threading.Event) -> None:
        cancelled.set()
        await asyncio.wait([work])
        if not work.cancelled() and (error := work.exception()) is not None:
            logger.info("Recovery was interrupted: %r", error)

    async def _take_over(self, cancelled: threading.Event) -> None:
        partitions = sorted(tp.partition for tp in self.active_tps)
        for partition in list(self.logs):
            self.logs.pop(partition).close()
        app: Any = self.app
        progress = RestoreProgress(app.on_restoring, time.monotonic)
        loop = asyncio.get_running_loop()
        taken = [loop.run_in_executor(self._threads, self._take_one, p, cancelled, progress) for p in partitions]
        for partition, log in zip(partitions, await asyncio.gather(*taken), strict=True):
            self.logs[partition] = log

    def _take_one(self, partition: int, cancelled: threading.Event, progress: RestoreProgress) -> PartitionLog:
        app: Any = self.app
        settings = app.worker_settings
        topic = settings.changelog_topic
        log = PartitionLog(settings.bootstrap_servers, topic, partition, f"{settings.group_id}-{partition}")
        log.acquire()
        app.beat(f"partition {partition} fenced")
        journeys: JourneyTable = app.journeys
        state = journeys.partition(partition)
        # half of it: compaction counts from a later moment, clocks may differ
        kept_ms = tombstone_retention_ms(settings.bootstrap_servers, topic) // 2

        def apply(chunk: Mapping[bytes, bytes | None], offset: int) -> None:
            state.write(chunk, offset)
            app.beat(f"partition {partition} restored up to {offset}")
            progress.stored(partition, offset)

        while True:
            try:
                count = restore(
                    settings.bootstrap_servers,
                    topic,
                    partition,
                    after=state.changelog_offset(),
                    apply=apply,
                    is_cancelled=cancelled.is_set,
                    all_kept_since_ms=time.time_ns() // 1_000_000 - kept_ms,
                    on_begin=partial(progress.begin, partition),
                )
            except StaleStateError as error:
                logger.warning("%s: local state is wiped and restored", error)
                state = journeys.wipe(partition)
                continue
            if not cancelled.is_set():
                progress.end(partition, count)
                self._claim(DurableState(log, state), f"{topic}-{partition}")
            return log

    def _claim(self, state: DurableState, name: str) -> None:
        app: Any = self.app
        try:
            claim(state, name)
        except NewerStateError as error:
            app.fail_stop(error)
            raise


class TableManager(FaustTableManager):
    """Faust's table manager with the fenced recovery."""

    @property
    def recovery(self) -> FencedRecovery:
        """The one recovery service."""
        if self._recovery is None:
            self._recovery = FencedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        recovery = self._recovery
        if not isinstance(recovery, FencedRecovery):
            raise TypeError("another recovery service is in place")
        return recovery
