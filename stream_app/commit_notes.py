"""Offsets with a note: a short text, committed with an offset and read back by whoever owns the partition next."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from stream_app.fetch import ConsumerThread


class NotingThread(ConsumerThread):
    """Faust's consumer thread, which commits and reads notes."""

    async def commit_noted(self, offsets: Mapping[TP, int], notes: Mapping[TP, str]) -> bool:
        """Commit offsets of partitions that are still ours; False if the group refuses them."""
        return bool(await self.call_thread(self._commit_noted, offsets, notes))

    async def notes(self, partitions: Collection[TP]) -> dict[TP, tuple[int, str]]:
        """Committed offset and note of each partition that has one."""
        found: dict[TP, tuple[int, str]] = await self.call_thread(self._notes, partitions)
        return found

    async def seek_all(self, positions: Mapping[TP, int]) -> None:
        """Read on at these offsets, in one visit to the thread."""
        await self.call_thread(self._seek_all, positions)

    async def _seek_all(self, positions: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in positions.items():
            consumer.seek(TopicPartition(*tp), offset)

    async def _commit_noted(self, offsets: Mapping[TP, int], notes: Mapping[TP, str]) -> bool:
        mine = {tp: at for tp, at in offsets.items() if tp in self.assignment()}
        self.tp_last_committed_at.update(dict.fromkeys(mine, time.monotonic()))
        try:
            await self._ensure_consumer().commit(
                {TopicPartition(*tp): OffsetAndMetadata(at, notes.get(tp, "")) for tp, at in mine.items()}
            )
        except (CommitFailedError, IllegalStateError):
            return False
        return True

    async def _notes(self, partitions: Collection[TP]) -> dict[TP, tuple[int, str]]:
        consumer: Any = self._ensure_consumer()
        coordinator = consumer._coordinator  # noqa: SLF001  # the public call leaves the note out
        found = await coordinator.fetch_committed_offsets([TopicPartition(*tp) for tp in partitions])
        return {TP(*tp): (at.offset, at.metadata) for tp, at in found.items()}
