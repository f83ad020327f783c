"""Stops a worker that would drain a topic into the dead letters after a bad deploy.

Per topic partition: at most so many invalid records in a row, and at most a share of the last ``window`` records.
The window slides in ``BUCKETS`` steps: it holds between 19/20 of ``window`` records and all of them.

The counts are committed with the offsets they belong to (``encode``), so a restart or another owner of the partition
goes on counting: a worker that is started again and again drains no more than one that is started once.

Records that are valid but come too late, links that are refused and drops are no sign of a bad deploy and count as
valid. Raises ``TooManyInvalidError``; reads no clock, does no IO.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from faust.types import TP

from schemas.reasons import DROP_REASONS, Reason
from schemas.records import RawRecord, Rejected

BUCKETS: Final = 20

#: Rejections that say nothing about the form of a record.
TOLERATED: Final[frozenset[Reason]] = DROP_REASONS | {
    "too_late",
    "identity_cycle",
    "too_many_ids",
    "too_many_conversions",
}

_FORMAT: Final = "v1"


class TooManyInvalidError(RuntimeError):
    """Too many records are invalid. The message has the partition, the offset, the counts and the way out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings; 0 switches a limit off. ``window`` is rounded up to a multiple of ``BUCKETS``."""

    max_ratio: float = 0.5
    window: int = 5_000
    max_consecutive: int = 1_000

    @property
    def bucket(self) -> int:
        """Records per bucket."""
        return math.ceil(self.window / BUCKETS)


@dataclass(slots=True)
class Counts:
    """What is remembered of one topic partition.

    ``invalid`` has the invalid records of the last buckets, the newest last; it holds ``filled`` records so far.
    """

    bucket: int
    consecutive: int = 0
    filled: int = 0
    invalid: deque[int] = field(default_factory=lambda: deque([0], BUCKETS))

    def pass_valid(self, count: int) -> None:
        """So many valid records."""
        if count:
            self.consecutive = 0
            self._move(count)

    def pass_invalid(self) -> None:
        """One invalid record."""
        self.consecutive += 1
        self._move(1)
        self.invalid[-1] += 1

    @property
    def in_window(self) -> int:
        """Invalid records among those of the window."""
        return sum(self.invalid)

    def _move(self, count: int) -> None:
        total = self.filled + count
        full = (total - 1) // self.bucket
        self.invalid.extend([0] * min(full, BUCKETS))
        self.filled = total - full * self.bucket

    def encode(self) -> str:
        """A short text, empty while there is nothing to remember."""
        if not self.consecutive and not any(self.invalid):
            return ""
        return f"{_FORMAT} {self.bucket} {self.consecutive} {self.filled} {','.join(map(str, self.invalid))}"

    @classmethod
    def decode(cls, text: str, bucket: int) -> Counts:
        """Counts from a text; fresh ones if it is empty, foreign, or of another window."""
        words = text.split(" ")
        try:
            size, consecutive, filled = (int(w) for w in words[1:4])
            invalid = deque((int(w) for w in words[4].split(",")), BUCKETS)
        except (ValueError, IndexError):
            return cls(bucket)
        is_sound = words[0] == _FORMAT and size == bucket and 0 <= filled <= size and min(invalid) >= 0
        return cls(bucket, consecutive, filled, invalid) if is_sound and consecutive >= 0 else cls(bucket)


class LimitGuard:
    """The counts of every topic partition that this worker reads.

    Args:
        limits: the settings.
        note: what was committed with an offset of a topic partition, ``(offset, text)``.
    """

    def __init__(self, limits: Limits, note: Callable[[TP], tuple[int, str]]) -> None:
        self._limits, self._note = limits, note
        self._counts: dict[TP, tuple[int, Counts]] = {}  # with the offset up to which they count

    def advance(
        self, chunks: Mapping[TP, Sequence[RawRecord]], start: Mapping[TP, int], rejected: Iterable[Rejected]
    ) -> dict[TP, str]:
        """Count the records of an epoch; returns the notes to commit with the end of each chunk.

        Raises:
            TooManyInvalidError: a limit is passed; nothing of the epoch may become durable.
        """
        invalid: dict[TP, list[Rejected]] = {}
        for item in rejected:
            if item.reason not in TOLERATED:
                invalid.setdefault(TP(item.record.topic, item.record.partition), []).append(item)
        notes = {}
        for tp, records in chunks.items():
            counts = self._counts_at(tp, start[tp])
            self._count(tp, records, invalid.get(tp, []), counts)
            self._counts[tp] = (records[-1].offset + 1, counts)
            notes[tp] = counts.encode()
        return notes

    def _counts_at(self, tp: TP, offset: int) -> Counts:
        """Those in memory if they reach to this offset, else those that were committed with it."""
        at, counts = self._counts.get(tp, (None, None))
        if counts is not None and at == offset:
            return counts
        committed, text = self._note(tp)
        return Counts.decode(text if committed == offset else "", self._limits.bucket)

    def _count(self, tp: TP, records: Sequence[RawRecord], invalid: Sequence[Rejected], counts: Counts) -> None:
        done = 0
        found = sorted(invalid, key=lambda r: r.record.offset)
        for number, item in enumerate(found, 1):
            index = bisect_left(records, item.record.offset, key=lambda r: r.offset)
            counts.pass_valid(index - done)
            counts.pass_invalid()
            done = index + 1
            if broken := self._broken(counts):
                raise TooManyInvalidError(_message(tp, item.record.offset, broken, found[:number]))
        counts.pass_valid(len(records) - done)

    def _broken(self, counts: Counts) -> str:
        """The limit that is passed, in words; empty if none is."""
        limits = self._limits
        if limits.max_consecutive and counts.consecutive > limits.max_consecutive:
            return (
                f"{counts.consecutive} invalid records in a row "
                f"(limit ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE={limits.max_consecutive})"
            )
        window = limits.bucket * BUCKETS
        if limits.max_ratio and counts.in_window > limits.max_ratio * window:
            return (
                f"{counts.in_window} of the last {window} records are invalid "
                f"(limit ATTRIBUTION_DEAD_LETTER_MAX_RATIO={limits.max_ratio:g} of "
                f"ATTRIBUTION_DEAD_LETTER_WINDOW={limits.window})"
            )
        return ""


def _message(tp: TP, offset: int, broken: str, found: Sequence[Rejected]) -> str:
    kinds = Counter(f"{r.reason} of {r.field}" if r.field else str(r.reason) for r in found)
    common = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(3))
    return (
        f"{tp.topic}-{tp.partition} at offset {offset}: {broken}; in this epoch: {common}. "
        "Nothing of this epoch was written or committed. If the worker, its schemas or its channel rules are wrong, "
        "mend them and start again; if the records are, raise the limit (0: off) to drain them into the dead letters"
    )
