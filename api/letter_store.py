"""The port to dead letters: what was refused and why, and sending it again.

The topic is all there is. ``cli.letter_box`` is the real one, ``testing_letters`` the double. Every method raises
``store.Unavailable`` ("kafka") when the broker does not answer in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Where a letter lies in the dead-letter topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


class LetterRow(NamedTuple):
    """One letter without key and value.

    Attributes:
        place: of the letter itself.
        topic, partition, offset: where the record was read; of a message of the collector, a number made from it.
        detail: may quote what the producer sent, so it is personal data.
        failed_at: aware UTC; None where the header says something else.
        retry_of: ``topic/partition/offset`` of the first record, of one that was sent again; else empty.
        retried: whether it was sent again.
    """

    place: Place
    topic: str
    partition: int
    offset: int
    reason: str
    field: str
    detail: str
    stage: str
    failed_at: datetime | None
    attempts: int
    retry_of: str
    retried: bool


class LetterRows(NamedTuple):
    """Letters in any order; ``is_whole``: older ones are not in the topic any more."""

    rows: Sequence[LetterRow]
    is_whole: bool


class WholeLetter(NamedTuple):
    """A letter with all that was sent; ``written_at_ms`` is the broker's time of the record, 0 if it is not known."""

    row: LetterRow
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    written_at_ms: int


class Retried(NamedTuple):
    """What became of letters: counts by topic, those that were sent before, and places where no letter is."""

    sent: Mapping[str, int]
    already_sent: int
    missing: Sequence[Place]


class Letters(Protocol):
    """Dead letters of one workspace. Calls block."""

    def newest(self) -> LetterRows:
        """The newest ones."""

    def letter(self, place: Place) -> WholeLetter | None:
        """One letter whole; None where none is. ``retried`` is not known then."""

    def retry(self, places: frozenset[Place], reason: str, *, again: bool) -> Retried:
        """Send letters to their topics again, as they came.

        Args:
            places: which ones; empty: all of ``reason``.
            reason: not read where places are given.
            again: also those that were sent again before.
        """

    def retry_as(self, place: Place, key: bytes | None, value: bytes, *, again: bool) -> Retried:
        """Send one letter again with another key and value, without its producer's headers."""
