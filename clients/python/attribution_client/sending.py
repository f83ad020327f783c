"""``track``, ``conversion`` and ``identify``: events that are queued and sent in the background.

The id of an event is made when it is queued, so that however often it is sent, it counts once.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from attribution_client import lines
from attribution_client.batching import Queued
from attribution_client.money import Amount, to_text
from attribution_client.sender import Sender


class Sending:
    """What both clients have to queue events; ``_sender`` is theirs to make."""

    _sender: Sender

    def track(
        self,
        customer_id: str,
        channel: str | None = None,
        *,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
        cost: Amount | None = None,
        currency: str | None = None,
        **fields: Any,
    ) -> str:
        """Queue a touchpoint; the other fields are those of docs/wire.md, such as ``campaign`` or ``page_url``.

        Args:
            customer_id: whose.
            channel: left out, the service finds it by source, medium, page and referrer.
            occurred_at: aware; left out: now.
            event_id: left out: a new one.
            cost: of this touch, in units of ``currency``.
            currency: ISO 4217.
            fields: more of them.

        Returns:
            The event's id.

        Raises:
            QueueFull: the event was not taken.
            TypeError, ValueError: it cannot be sent as it is; see ``lines.line``.
        """
        own = {"channel": channel, "cost": _checked(cost), "currency": currency}
        return self._queue("touchpoints", customer_id, occurred_at, event_id, own | fields)

    def conversion(
        self,
        customer_id: str,
        value: Amount | None = None,
        *,
        currency: str | None = None,
        order_id: str | None = None,
        conversion_type: str | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
        **fields: Any,
    ) -> str:
        """Queue a conversion, or a correction by ``status`` and ``adjusts``; returns and raises as ``track``."""
        own = {"value": _checked(value), "currency": currency, "order_id": order_id, "conversion_type": conversion_type}
        return self._queue("conversions", customer_id, occurred_at, event_id, own | fields)

    def identify(
        self,
        customer_id: str,
        previous_id: str,
        *,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
        **fields: Any,
    ) -> str:
        """Queue a link: ``previous_id`` is the same person as ``customer_id``; returns and raises as ``track``."""
        own = {"previous_id": previous_id}
        return self._queue("identities", customer_id, occurred_at, event_id, own | fields)

    def _queue(
        self, kind: str, customer_id: str, occurred_at: datetime | None, event_id: str | None, fields: dict[str, Any]
    ) -> str:
        if not customer_id:
            raise ValueError("customer_id is empty")
        named = event_id or uuid.uuid4().hex
        event = {"event_id": named, "customer_id": customer_id, "occurred_at": occurred_at or datetime.now(UTC)}
        self._sender.put(Queued(kind, named, lines.line({**fields, **event})))
        return named


def _checked(amount: Amount | None) -> str | None:
    return None if amount is None else to_text(amount)
