"""A record as the broker hands it over, and the verdict on one that is no event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from schemas.reasons import DROP_REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.reasons import Reason

#: Longest rendering of a foreign value inside a message.
SHOWN_CHARS: Final = 80


class RawRecord(Protocol):
    """What the codec reads of a record; the transport's ``Record`` has this shape."""

    @property
    def topic(self) -> str:
        """Topic it was read from."""
        ...

    @property
    def partition(self) -> int:
        """Partition of that topic."""
        ...

    @property
    def offset(self) -> int:
        """Offset in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """The broker's or the producer's clock, in milliseconds."""
        ...

    @property
    def key(self) -> bytes | None:
        """Key bytes as sent."""
        ...

    @property
    def value(self) -> bytes | None:
        """Value bytes as sent."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Names and contents as sent."""
        ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is no event. ``detail`` never holds an id or more than 80 characters of any value."""

    record: RawRecord
    reason: Reason
    field: str
    detail: str

    @property
    def is_drop(self) -> bool:
        """True for a correct outcome that is only counted; False for an error that becomes a dead letter."""
        return self.reason in DROP_REASONS


class InvalidRecordError(Exception):
    """Raised inside the codec for a record that cannot become an event; the codec turns it into ``Rejected``."""

    def __init__(self, reason: Reason, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.reason: Reason = reason
        self.field = field
        self.detail = detail


def shown(value: object) -> str:
    """A value shortened for a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
