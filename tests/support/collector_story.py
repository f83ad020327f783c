"""One customer's story as messages of Segment's spec and as a GA4 payload, and what must come of it, said by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from attribution.identity import Link
from attribution.types import ConversionEvent, Touch
from schemas.events import ConversionWireEvent, IdentityEvent, TouchpointEvent
from stream_harness import Credit, batch_credits

Event = TouchpointEvent | ConversionWireEvent | IdentityEvent


class Told(NamedTuple):
    """An event that must be in the topics: whose, when by the sender's clock, and what it says."""

    event_id: str
    customer_id: str
    at: datetime
    says: tuple[Any, ...]


@dataclass(frozen=True)
class Story:
    """Messages of one customer, and what they amount to."""

    messages: Sequence[dict[str, Any]]
    touches: Sequence[Told]
    conversions: Sequence[Told]
    links: frozenset[tuple[str, str]]
    refused: Mapping[str, str]

    def credits(self, found: Mapping[str, Event]) -> dict[str, list[Credit]]:
        """The batch's answer over what was told; only the times, which the skew rule moves, are those found."""
        touches: list[tuple[str, Touch]] = [
            (t.customer_id, (_at(found[t.event_id]), t.event_id, t.says[0], t.says[1])) for t in self.touches
        ]
        conversions = [
            (c.customer_id, ConversionEvent(_at(found[c.event_id]), c.event_id, *c.says)) for c in self.conversions
        ]
        links = [
            Link(e.occurred_at_us, e.event_id, e.previous_id, e.customer_id)
            for e in found.values()
            if isinstance(e, IdentityEvent) and (e.previous_id, e.customer_id) in self.links
        ]
        return batch_credits(touches, conversions, links=links)


def _at(event: Event) -> int:
    return event.occurred_at_us


def story(who: str, now: datetime) -> Story:
    """A device that becomes a customer, three channels, an order, a partial refund, a message that is broken."""
    user, device, old = f"{who}-ada", f"{who}-device", f"{who}-former"
    days = [now - timedelta(days=n) for n in range(10, 0, -1)]
    ad = {
        "page": {"url": "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=x1"},
        "campaign": {"source": "google", "medium": "cpc", "name": "spring"},
    }
    total, back = 100.01, "33.333334"
    return Story(
        messages=[
            _message("page", f"{who}-1", days[0], anonymousId=device, context=ad),
            _message(
                "page", f"{who}-2", days[1], userId=old, context={"campaign": {"source": "x", "medium": "social"}}
            ),
            _message("identify", f"{who}-3", days[2], userId=user, anonymousId=device, traits={"plan": "gold"}),
            _message("alias", f"{who}-4", days[2], userId=user, previousId=old),
            _message(
                "track", f"{who}-5", days[3], userId=user, event="Email Link Clicked", properties={"link_id": "7"}
            ),
            _message("group", f"{who}-6", days[3], userId=user, groupId="g-1"),
            _message(
                "page",
                f"{who}-7",
                days[4],
                userId=user,
                context={"page": {"url": "https://shop.example/a", "referrer": "https://shop.example/"}},
            ),
            _message(
                "screen", f"{who}-8", days[5], userId=user, name="Deal", context={"campaign": {"medium": "affiliate"}}
            ),
            _order(f"{who}-9", days[6], user, "Order Completed", total=total),
            _order(f"{who}-10", days[6], user, "Order Completed", total="ten"),
            _order(f"{who}-11", days[7], user, "Order Refunded", total=back),
            _message("track", f"{who}-12", days[7], userId=user, event="Article Saved", properties={"id": "n-1"}),
        ],
        touches=[
            Told(f"{who}-1", device, days[0], ("Paid Search", "spring")),
            Told(f"{who}-2", old, days[1], ("Organic Social", "")),
            Told(f"{who}-5", user, days[3], ("Email", "")),
            Told(f"{who}-8", user, days[5], ("Affiliates", "")),
        ],
        conversions=[
            Told(f"{who}-9", user, days[6], ("purchase", f"{who}-o", 100_010_000, "EUR", "completed", "")),
            Told(f"{who}-11", user, days[7], ("purchase", f"{who}-o", 33_333_334, "EUR", "refunded", f"{who}-o")),
        ],
        links=frozenset({(device, user), (old, user)}),
        refused={f"{who}-10": "bad_amount"},
    )


def _message(kind: str, message_id: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"type": kind, "messageId": message_id, "timestamp": at.isoformat(), **more}


def _order(message_id: str, at: datetime, user: str, event: str, total: object) -> dict[str, Any]:
    properties = {
        "order_id": f"{user.removesuffix('-ada')}-o",
        "total": total,
        "currency": "EUR",
        "products": [{"product_id": "p-1", "price": 100.01, "quantity": 1}],
    }
    return _message("track", message_id, at, userId=user, event=event, properties=properties)
