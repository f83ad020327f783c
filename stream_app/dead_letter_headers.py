"""Headers of a dead letter and of a record that was sent again from one.

A dead letter has the headers of its record and ``dlq.*``: why it was refused and where it was read. A record that is
sent again has its own headers and ``RETRY_OF`` (where it was first read), ``ATTEMPTS`` (how often it failed) and
``FIRST_FAILED_AT``; if it fails again, the new dead letter goes on from there. A record whose ``dlq.*`` headers
somebody else wrote is a record that never failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from schemas.records import RawRecord, Rejected

PREFIX: Final = "dlq."
RETRY_OF: Final = "dlq.retry_of"
ATTEMPTS: Final = "dlq.attempts"
FIRST_FAILED_AT: Final = "dlq.first_failed_at"
#: Alone on a record of the dead-letter topic: the letters of this origin were sent again.
RETRIED: Final = "dlq.retried"

_MOST_ATTEMPTS: Final = 1_000_000

Headers: TypeAlias = Sequence[tuple[str, bytes]] | Sequence[tuple[str, bytes | None]]


class Origin(NamedTuple):
    """Where a record was read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Origin | None:
        """Of ``topic/partition/offset``; None if it is something else."""
        words = text.split("/")
        if len(words) != 3 or not words[0] or not (words[1].isdecimal() and words[2].isdecimal()):
            return None
        return cls(words[0], int(words[1]), int(words[2]))


class History(NamedTuple):
    """What a record that is sent again knows of itself."""

    attempts: int
    first: Origin
    first_failed_at: str


def history(record: RawRecord) -> History | None:
    """Of a record that was sent again; None for one that comes for the first time."""
    values = as_text(record.headers)
    first = Origin.parse(values.get(RETRY_OF, ""))
    attempts = values.get(ATTEMPTS, "")
    if first is None or not attempts.isdecimal() or not 1 <= int(attempts) <= _MOST_ATTEMPTS:
        return None
    return History(int(attempts), first, values.get(FIRST_FAILED_AT, ""))


def attempts(record: RawRecord) -> int:
    """How often a record that is refused now has been refused, this time included."""
    before = history(record)
    return 1 if before is None else before.attempts + 1


def original(headers: Headers) -> list[tuple[str, str | bytes | None]]:
    """Those that the producer wrote."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def of_dead_letter(item: Rejected, failed_at: str) -> list[tuple[str, str | bytes | None]]:
    """All headers of a dead letter: those of the record, then why and where from."""
    record, before = item.record, history(item.record)
    values = {
        "dlq.reason": item.reason,
        "dlq.detail": item.detail,
        "dlq.field": item.field,
        "dlq.stage": stage(item.reason),
        "dlq.topic": record.topic,
        "dlq.partition": str(record.partition),
        "dlq.offset": str(record.offset),
        "dlq.timestamp": str(record.timestamp),
        "dlq.failed_at": failed_at,
        ATTEMPTS: str(attempts(record)),
    }
    if before is not None:
        values |= {RETRY_OF: str(before.first), FIRST_FAILED_AT: before.first_failed_at}
    return [*original(record.headers), *_encoded(values)]


def of_retry(headers: Headers) -> list[tuple[str, str | bytes | None]]:
    """All headers of the record that is sent again from a dead letter with these headers."""
    values = as_text(headers)
    origin = Origin(values["dlq.topic"], int(values["dlq.partition"]), int(values["dlq.offset"]))
    markers = {
        RETRY_OF: values.get(RETRY_OF) or str(origin),
        ATTEMPTS: values.get(ATTEMPTS, "1"),
        FIRST_FAILED_AT: values.get(FIRST_FAILED_AT) or values.get("dlq.failed_at", ""),
    }
    return [*original(headers), *_encoded(markers)]


def stage(reason: str) -> str:
    """Where in the pipeline a record was refused."""
    return "apply" if reason in {"too_late", "too_many_conversions"} else "decode"


def as_text(headers: Headers) -> dict[str, str]:
    """The ``dlq.*`` headers as text."""
    return {n: (v or b"").decode(errors="replace") for n, v in headers if n.startswith(PREFIX)}


def _encoded(values: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in values.items()]
