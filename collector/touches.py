"""How the customer came, from the places in which SDKs put it: properties, campaign, page, device, platform.

The marketing channel is never taken from a message: the workers derive it from these fields. RudderStack's
``channel`` says web, mobile or server, which is the platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from collector.mapped import first_label, label, place
from collector.names import EMAIL_TOUCHES, fold

_LABELS: Final[Mapping[str, Sequence[str]]] = {
    "source": ("utm_source",),
    "medium": ("utm_medium",),
    "campaign": ("utm_campaign", "campaign_name", "campaignName"),
    "content": ("utm_content",),
    "term": ("utm_term",),
    "campaign_id": ("campaign_id", "campaignId", "utm_id"),
    "ad_group_id": ("ad_group_id", "adGroupId", "adset_id"),
    "ad_id": ("ad_id", "adId"),
    "session_id": ("session_id", "sessionId", "ga_session_id"),
}
_CAMPAIGN: Final[Mapping[str, Sequence[str]]] = {
    "campaign": ("name",),
    "source": ("source",),
    "medium": ("medium",),
    "content": ("content",),
    "term": ("term",),
    "campaign_id": ("id",),
}
_GA4: Final[Mapping[str, Sequence[str]]] = {
    "page_url": ("page_location",),
    "referrer": ("page_referrer",),
    **{name: (name,) for name in ("campaign", "source", "medium", "content", "term")},
}
_PAGE: Final[Mapping[str, Sequence[str]]] = {"page_url": ("url",), "referrer": ("referrer", "referer")}
_CLICK_IDS: Final = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "li_fat_id",
    "twclid",
    "yclid",
)
#: Fields that say nothing of how the customer came.
_NO_CONTACT: Final = frozenset({"session_id", "platform", "device_type", "properties", "touch_type"})


def segment_touch(kind: str, name: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a page, screen or track message, without ids and times. Outer places win over inner ones."""
    properties, context = place(message, "properties"), place(message, "context")
    page = _page(place(context, "page"))
    pages = (properties, page) if kind == "page" else (page, properties)
    fields = _first(
        (properties, _LABELS),
        (place(properties, "campaign"), _CAMPAIGN),
        (properties, {"campaign": ("campaign",)}),
        (place(context, "campaign"), _CAMPAIGN),
        *((source, _PAGE) for source in pages),
        (context, {"session_id": ("sessionId",)}),
        (place(context, "device"), {"device_type": ("type",)}),
        (message, {"platform": ("channel",)}),
        (context, {"platform": ("channel",)}),
    )
    _add_click_ids(fields, properties)
    if (email := EMAIL_TOUCHES.get(fold(name))) is not None:
        fields["touch_type"] = email
        fields.setdefault("medium", "email")
    return _named(fields, name)


def ga4_touch(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a GA4 event, without ids and times."""
    fields = _first((params, _GA4), (params, _LABELS))
    _add_click_ids(fields, params)
    return _named(fields, name)


def says_how(fields: Mapping[str, Any]) -> bool:
    """Whether the fields of a touch say anything of how the customer came."""
    return not fields.keys() <= _NO_CONTACT


def _first(*places: tuple[Mapping[str, Any], Mapping[str, Sequence[str]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source, names in places:
        for ours, theirs in names.items():
            if ours not in found and (text := first_label(source, theirs)) is not None:
                found[ours] = text
    return found


def _page(page: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the query in the address, where click ids and campaigns are; some libraries send it beside."""
    url, search = label(page.get("url")), label(page.get("search"))
    if url is None or search is None or "?" in url or not search.startswith("?"):
        return page
    address, mark, fragment = url.partition("#")
    return {**page, "url": f"{address}{search}{mark}{fragment}"}


def _add_click_ids(fields: dict[str, Any], source: Mapping[str, Any]) -> None:
    found = {name: text for name in _CLICK_IDS if (text := label(source.get(name))) is not None}
    if found:
        fields["click_ids"] = found


def _named(fields: dict[str, Any], name: str) -> dict[str, Any]:
    if name:
        fields["properties"] = {"event": name[:256]}
    return fields
