"""Durable journeys of one partition: the changelog first, awaited, then the local store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_app import failpoints
from stream_app.changelog import PartitionLog
from stream_app.tables import PartitionState


class DurableState:
    """The store is never ahead of the changelog: what was not acknowledged is not stored."""

    def __init__(self, log: PartitionLog, store: PartitionState) -> None:
        self._log, self._store = log, store

    @property
    def erased(self) -> dict[bytes, bytes]:
        """Who asked to be forgotten here: digest, and the request as ``suppression`` packs it."""
        return self._store.erased

    def journey_format(self) -> int:
        """See ``PartitionState``."""
        return self._store.journey_format()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Journey bytes per key, None for an unknown customer."""
        return self._store.get_many(keys) if keys else []

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        """Blocking; raises ``FencedError`` when another worker has the partition."""
        failpoints.passed("before_changelog")
        offset = self._log.write(journeys)
        failpoints.passed("after_changelog")
        self._store.write(journeys, offset)
        if deleted := [key for key, journey in journeys.items() if journey is None]:
            self._store.purge(deleted)
        failpoints.passed("after_store")
