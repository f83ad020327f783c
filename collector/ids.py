"""Whose a message is, and the id of its event.

A message of a known user on a known device belongs to the user, and links the device to the user. The link is one
event a month for each pair, however many messages say it: journeys keep every link they were ever told.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from collector.mapped import Mapped
from collector.times import month_start_us
from schemas import values
from schemas.records import InvalidRecordError


class Person(NamedTuple):
    """``customer_id`` is the user, else the device; ``device_id`` only where both are known and differ."""

    customer_id: str
    device_id: str | None


def person(user: object, device: object, names: str) -> Person:
    """Whose message it is.

    Args:
        user: as sent.
        device: as sent.
        names: of the two fields, for the refusal.

    Raises:
        InvalidRecordError: neither was sent, or one is no text.
    """
    user_id, device_id = identifier("userId", user), identifier("anonymousId", device)
    if user_id is None and device_id is None:
        raise InvalidRecordError("missing_identity", "customer_id", f"neither {names} was sent")
    if user_id is None or device_id in {None, user_id}:
        return Person(str(user_id or device_id), None)
    return Person(user_id, device_id)


def identifier(name: str, raw: object) -> str | None:
    """An id as sent; a whole number becomes text, blank text is none.

    Raises:
        InvalidRecordError: neither text nor a whole number.
    """
    text = None if raw is None else values.label(name, raw)
    return text if text and not text.isspace() else None


def link(who: Person, at_us: int) -> list[Mapped]:
    """The identity event of a message, where it has one."""
    if who.device_id is None:
        return []
    month_us = month_start_us(at_us)
    digest = _digest([who.device_id, who.customer_id, month_us])
    fields = {
        "event_id": f"link:{digest}",
        "customer_id": who.customer_id,
        "previous_id": who.device_id,
        "occurred_at": month_us,
    }
    return [Mapped("identity", fields)]


_NOT_CONTENT: Final = frozenset({"sentAt", "writeKey", "integrations", "receivedAt"})


class EventIds:
    """Ids for the messages of one request that have none: the same content is the same event.

    Where nothing in a message says when it happened, the time of receipt is part of its content, or two equal visits
    on two days would be one. The n-th of equal messages in one request has an id of its own; a repeated request has
    the same ids.
    """

    def __init__(self, received_us: int) -> None:
        self._received_us = received_us
        self._seen: Counter[str] = Counter()

    def of(self, prefix: str, message: Mapping[str, Any], *, has_own_time: bool) -> str:
        """The id of a message."""
        content = {name: value for name, value in message.items() if name not in _NOT_CONTENT}
        digest = _digest([content, None if has_own_time else self._received_us])
        nth, self._seen[digest] = self._seen[digest], self._seen[digest] + 1
        return f"{prefix}:{digest}" if nth == 0 else f"{prefix}:{digest}:{nth}"


def _digest(content: object) -> str:
    try:
        text = json.dumps(content, sort_keys=True, default=str)
    except (RecursionError, TypeError, ValueError):
        raise InvalidRecordError("undecodable", "", "holds a value that JSON cannot carry") from None
    return hashlib.sha256(text.encode()).hexdigest()[:32]
