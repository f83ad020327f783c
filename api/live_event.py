"""Rows of the live feed as server-sent events, and which of them a listener asked for. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import msgspec

from api.live_cursor import LiveCursor
from api.live_hub import LiveItem
from api.live_store import LiveRow
from api.responses import amount, iso

#: Conversions of a filter by channel whose corrections are sent whatever they say, so that a credit's end is seen.
_REMEMBERED: Final = 10_000


class Wanted:
    """What one listener asked for; empty texts mean all. Remembers which conversions it has let through."""

    def __init__(self, model: str, conversion_type: str, channel: str) -> None:
        self.model, self._type, self._channel = model, conversion_type, channel
        self._shown: OrderedDict[str, None] = OrderedDict()

    def __call__(self, item: LiveItem) -> bool:
        """Whether to send it."""
        row = item.row
        if row is None:
            return True
        if self._type and row.conversion_type != self._type:
            return False
        if not self._channel:
            return True
        conversion_id = row.position.conversion_id
        if conversion_id not in self._shown and not self._has_credit(row):
            return False
        self._shown[conversion_id] = None
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)
        return True

    def _has_credit(self, row: LiveRow) -> bool:
        if self.model not in row.models:
            return False
        n = row.models.index(self.model)
        return any(c == self._channel and w[n] for c, w in zip(row.channels, row.weights, strict=True))


def conversion(cursor: LiveCursor, row: LiveRow, model: str) -> bytes:
    """A version of a conversion with the credits of a model."""
    return _event(cursor, "conversion", fields(row, model, cursor.run_id))


def run_changed(cursor: LiveCursor) -> bytes:
    """Another run is shown: what was sent before is of the other one."""
    return _event(cursor, "run", {"run_id": cursor.run_id})


def end(reason: str, detail: str) -> bytes:
    """The last event."""
    return b"event: end\ndata: %b\n\n" % msgspec.json.encode({"reason": reason, "detail": detail})


def heartbeat(cursor: LiveCursor | None) -> bytes:
    """A comment; with the id, so that a filter that lets nothing through does not hold the cursor back."""
    return b": heartbeat\n\n" if cursor is None else b"id: %b\n: heartbeat\n\n" % cursor.encode().encode()


def _event(cursor: LiveCursor, name: str, data: object) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode().encode(), name.encode(), msgspec.json.encode(data))


def fields(row: LiveRow, model: str, run_id: int) -> dict[str, Any]:
    """``live_responses.LiveConversion`` as plain values."""
    has_credits = model in row.models and not row.position.is_removed
    n = row.models.index(model) if has_credits else 0
    touches = (
        list(zip(row.ids, row.ats, row.channels, row.campaigns, row.weights, row.micros, strict=True))
        if has_credits
        else []
    )
    return {
        "conversion_id": row.position.conversion_id,
        "rev": row.position.rev,
        "removed": row.position.is_removed,
        "customer_id": row.customer_id,
        "conversion_type": row.conversion_type,
        "converted_at": iso(row.converted_at),
        "value": amount(row.value_micros),
        "value_micros": row.value_micros,
        "currency": row.currency,
        "run_id": run_id,
        "model": model if has_credits else None,
        "model_version": row.config_hash,
        "emitted_at": iso(row.emitted_at),
        "credits": [
            {
                "position": position,
                "touchpoint_id": touch_id,
                "touched_at": iso(at),
                "channel": channel,
                "campaign": campaign or None,
                "weight": weights[n],
                "value": amount(micros[n]),
                "value_micros": micros[n],
            }
            for position, (touch_id, at, channel, campaign, weights, micros) in enumerate(touches, 1)
            if touch_id
        ],
        "unattributed_value_micros": sum(t[5][n] for t in touches if not t[0]),
    }
