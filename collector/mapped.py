"""What the rooms around exchange with the collector: events by kind, or why a message is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.events import EventKind
from schemas.records import InvalidRecordError


class Mapped(NamedTuple):
    """One event under the wire's canonical names (docs/wire.md), not checked yet; times are epoch microseconds."""

    kind: EventKind
    fields: dict[str, Any]


class Read(NamedTuple):
    """One message and what became of it: its events (none: nothing to attribute), or the rule that it breaks.

    ``kind`` is what the message was meant as, and ``customer_id`` whose it is; both as far as known.
    """

    message: object
    kind: EventKind
    customer_id: str | None
    events: Sequence[Mapped] = ()
    refusal: InvalidRecordError | None = None


class ShapeError(ValueError):
    """A body that holds no messages at all; nothing of it can be used. The text says what is wanted."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def place(message: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """An object inside a message; empty where there is none."""
    found: Any = message
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def label(raw: object) -> str | None:
    """A text or whole number as text; None for what is blank or neither: labels of other tools have no fixed type."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    return raw.strip() or None if isinstance(raw, str) else None


def first_label(source: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The label under the first name that has one."""
    return next((text for name in names if (text := label(source.get(name))) is not None), None)
