"""Decoded events: what ``codec.decode`` returns and the other rooms read.

Times are ``_us`` (microseconds since the epoch, UTC), money is ``_micros`` (int64). Optional texts are
``None`` when absent. ``received_at_us`` and ``offset`` come from the broker's record.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class TouchpointEvent(msgspec.Struct, gc=False):
    """One contact of a customer with a channel. ``channel`` is never empty: explicit, or derived by the rules."""

    event_id: str
    customer_id: str
    occurred_at_us: int
    channel: str
    campaign: str | None = None
    touch_type: str = "visit"
    source: str | None = None
    medium: str | None = None
    content: str | None = None
    term: str | None = None
    platform: str | None = None
    campaign_id: str | None = None
    ad_group_id: str | None = None
    ad_id: str | None = None
    click_ids: dict[str, str] | None = None
    page_url: str | None = None
    referrer: str | None = None
    session_id: str | None = None
    cost_micros: int = 0
    currency: str | None = None
    country: str | None = None
    device_type: str | None = None
    properties: dict[str, str] | None = None
    received_at_us: int = 0
    offset: int = 0


class ConversionWireEvent(msgspec.Struct, gc=False):
    """A conversion, milestone, refund, cancellation or restatement.

    ``sent_at_us`` tells versions of one event apart: of several contents under one ``event_id`` the latest counts.
    """

    event_id: str
    customer_id: str
    occurred_at_us: int
    conversion_type: str = "purchase"
    order_id: str | None = None
    value_micros: int = 0
    currency: str = "USD"
    status: str = "completed"
    adjusts: str | None = None
    sent_at_us: int | None = None
    properties: dict[str, str] | None = None
    received_at_us: int = 0
    offset: int = 0


class SpendEvent(msgspec.Struct, gc=False):
    """What a channel cost on a day; ``spend_day`` counts days since 1970-01-01."""

    event_id: str
    spend_day: int
    channel: str
    cost_micros: int
    currency: str
    campaign: str | None = None
    campaign_id: str | None = None
    source: str | None = None
    impressions: int = 0
    clicks: int = 0
    received_at_us: int = 0
    offset: int = 0


class IdentityEvent(msgspec.Struct, gc=False):
    """``previous_id`` and ``customer_id`` are one person; ``customer_id`` survives."""

    event_id: str
    customer_id: str
    previous_id: str
    occurred_at_us: int
    traits: dict[str, str] | None = None
    received_at_us: int = 0
    offset: int = 0


class ErasureEvent(msgspec.Struct, gc=False):
    """A customer's request to be forgotten."""

    event_id: str
    customer_id: str
    requested_at_us: int
    policy: str = "delete"
    received_at_us: int = 0
    offset: int = 0


#: The five kinds of events; each has its own topic.
EventKind: TypeAlias = Literal["touchpoint", "conversion", "identity", "spend", "erasure"]

#: What a codec returns for a record that it accepts.
Event: TypeAlias = TouchpointEvent | ConversionWireEvent | IdentityEvent | SpendEvent | ErasureEvent
