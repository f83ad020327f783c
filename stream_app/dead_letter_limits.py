"""How many invalid records are too many: beyond it the worker stops instead of draining a topic after a bad deploy.

Per topic partition, two limits: a run of invalid records without a valid one between, and the share of invalid ones
among the last ``window``, which is judged once that many were seen. Drops and late records are no errors of a
producer and count as valid. Pure; a restart begins to count anew.

Raises ``TooManyInvalidError``, before anything of the records that were shown is written or committed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.records import RawRecord, Rejected

#: Dead letters that say nothing about the producer's format.
_NOT_INVALID: Final = frozenset({"too_late", "erased"})
_SHOWN_REASONS: Final = 3


class TooManyInvalidError(RuntimeError):
    """A limit is passed; the message says where, why, and the way out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``max_consecutive`` invalid records, ``max_ratio`` of the last ``window``: these many are allowed, 0 is off."""

    max_ratio: float = 0.5
    window: int = 1_000
    max_consecutive: int = 1_000


@dataclass(slots=True)
class Count:
    """What is remembered of one topic partition: records are numbered from 0 as they are seen."""

    seen: int = 0
    run: int = 0
    last_invalid: int = -2
    invalid: deque[int] = field(default_factory=deque)

    def first_over(self, total: int, invalid: Sequence[int], limits: Limits) -> tuple[int, str] | None:
        """Take ``total`` more records, those at ``invalid`` (ascending, from 0) being so.

        Answers the first record at which a limit is passed and which one that is, or None.
        """
        begin, full_at = self.seen, limits.window - 1
        self.seen += total
        for index in invalid:
            number = begin + index
            if begin <= full_at < number and (over := self._over_ratio(full_at, limits)):
                return full_at - begin, over
            self.run = self.run + 1 if number == self.last_invalid + 1 else 1
            self.last_invalid = number
            self.invalid.append(number)
            if 0 < limits.max_consecutive < self.run:
                return index, f"{self.run} invalid records in a row, {limits.max_consecutive} are allowed"
            if number >= full_at and (over := self._over_ratio(number, limits)):
                return index, over
        if begin <= full_at < self.seen and (over := self._over_ratio(full_at, limits)):
            return full_at - begin, over
        self._forget(self.seen - limits.window)
        return None

    def _over_ratio(self, number: int, limits: Limits) -> str:
        """Whether the window that ends with this record has too many."""
        self._forget(number - limits.window + 1)
        if not limits.max_ratio or len(self.invalid) <= limits.max_ratio * limits.window:
            return ""
        return f"{len(self.invalid)} of the last {limits.window} records invalid, {limits.max_ratio:.0%} are allowed"

    def _forget(self, before: int) -> None:
        while self.invalid and self.invalid[0] < before:
            self.invalid.popleft()


class LimitGuard:
    """The counts of every topic partition of a worker."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counts: dict[tuple[str, int], Count] = {}

    def check(
        self, chunks: Iterable[tuple[tuple[str, int], Sequence[RawRecord]]], rejected: Sequence[Rejected]
    ) -> None:
        """Count the records of one epoch and what of them was rejected.

        Raises:
            TooManyInvalidError: a topic partition passed a limit.
        """
        invalid: dict[tuple[str, int], dict[int, Rejected]] = {}
        for item in rejected:
            if not item.is_drop and item.reason not in _NOT_INVALID:
                record = item.record
                invalid.setdefault((record.topic, record.partition), {})[record.offset] = item
        for (topic, partition), records in chunks:
            found = invalid.get((topic, partition), {})
            places = [i for i, r in enumerate(records) if r.offset in found] if found else []
            count = self._counts.setdefault((topic, partition), Count())
            over = count.first_over(len(records), places, self._limits)
            if over is not None:
                where = f"{topic}-{partition} at offset {records[over[0]].offset}"
                raise TooManyInvalidError(_message(where, over[1], list(found.values())))


def _message(where: str, why: str, found: Sequence[Rejected]) -> str:
    reasons = Counter(f"{r.reason} in {r.field}" if r.field else r.reason for r in found)
    frequent = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(_SHOWN_REASONS))
    return (
        f"{where}: {why}; in this epoch: {frequent or 'none'}. Nothing of it was written or committed. "
        "Mend the producer or this worker's version and start it again; to send these records to the dead-letter "
        "topic on purpose, raise ATTRIBUTION_DEAD_LETTER_MAX_RATIO and ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE (0: off)"
    )
