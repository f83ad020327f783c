"""Answers of ``/data/dead-letters``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from attribution_client.frames import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that was refused. ``detail`` is None without the scope ``customers``.

    ``partition`` and ``offset`` are None for a message of the collector, which never was in a topic.
    """

    letter: str
    topic: str
    partition: int | None
    offset: int | None
    reason: str
    field: str
    detail: str | None
    stage: str
    failed_at: datetime | None
    attempts: int
    retry_of: str | None
    retried: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPage(Table):
    """The newest first; ``is_whole`` False: older ones were not looked at."""

    letters: tuple[DeadLetter, ...]
    matching: int
    looked_at: int
    is_whole: bool
    next_cursor: str | None

    row_path = (("letters", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderOut:
    """A header of the letter; ``encoding`` is text or hex."""

    name: str
    value: str | None = field(repr=False)
    encoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterShown(DeadLetter):
    """A letter whole; its key and value are personal data, which no ``repr`` shows."""

    key: str | None = field(repr=False)
    key_encoding: str
    value: str | None = field(repr=False)
    value_encoding: str
    headers: tuple[HeaderOut, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentAgain:
    """Letters of one topic."""

    topic: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOut:
    """What was sent again; ``already_sent`` were passed over, at ``missing`` no letter is."""

    sent: tuple[SentAgain, ...]
    total: int
    already_sent: int
    missing: tuple[str, ...]
