"""What a message of an SDK becomes: one line of docs/collector.md after the other."""

from __future__ import annotations

from typing import Any

import pytest

from collector.ga4 import read_payload
from collector.mapped import Mapped, Read, ShapeError
from collector.names import ConversionNamesError, Names
from collector.segment import TYPES, read_batch, read_message
from schemas.aliases import canonical
from schemas.events import EventKind

NOW_US = 1_795_000_000_000_000
NAMES = Names.of()
USER = {"messageId": "m", "userId": "ada", "timestamp": NOW_US}


def one(kind: str, message: dict[str, Any], names: Names = NAMES) -> Read:
    return read_message(kind, message, received_us=NOW_US, names=names)


def fields(read: Read, kind: EventKind) -> dict[str, Any]:
    assert read.refusal is None, read.refusal
    (found,) = (event.fields for event in read.events if event.kind == kind)
    return found


def ga4(payload: dict[str, Any], names: Names = NAMES) -> list[Read]:
    return read_payload(payload, received_us=NOW_US, names=names)


def purchase(**params: Any) -> dict[str, Any]:
    return {"client_id": "d", "events": [{"name": "purchase", "params": params}]}


CAMPAIGN = {"name": "spring", "source": "news", "medium": "email", "term": "t", "content": "c", "id": 7}
WHERE = {"source": "news", "medium": "email", "campaign": "spring", "term": "t", "content": "c", "campaign_id": "7"}


@pytest.mark.parametrize("kind", ["page", "screen", "track"])
def test_campaign_page_device_and_session_of_a_touch(kind: str) -> None:
    context = {
        "campaign": CAMPAIGN,
        "page": {"url": "https://shop.example/a#top", "search": "?gclid=g1", "referrer": "https://news.example/"},
        "device": {"type": "ios"},
        "sessionId": 1795,
    }
    found = fields(one(kind, {**USER, "event": "Viewed", "name": "Viewed", "context": context}), "touchpoint")
    assert found == WHERE | {
        "event_id": "m",
        "customer_id": "ada",
        "occurred_at": NOW_US,
        "page_url": "https://shop.example/a?gclid=g1#top",
        "referrer": "https://news.example/",
        "device_type": "ios",
        "session_id": "1795",
        "properties": {"event": "Viewed"},
    }


def test_outer_places_win_and_blanks_are_absent() -> None:
    message = {
        **USER,
        "properties": {
            "utm_source": "paper",
            "utm_medium": " ",
            "url": "https://a.example/",
            "gclid": "g",
            "title": "",
        },
        "context": {"campaign": {"source": "news", "medium": "email"}, "page": {"url": "https://b.example/"}},
    }
    found = fields(one("page", message), "touchpoint")
    assert (found["source"], found["medium"], found["page_url"]) == ("paper", "email", "https://a.example/")
    assert found["click_ids"] == {"gclid": "g"}
    # of a track message the properties' url is often that of a product
    assert fields(one("track", {**message, "event": "x"}), "touchpoint")["page_url"] == "https://b.example/"


@pytest.mark.parametrize("channel", ["web", "mobile", "server", "Paid Search"])
def test_a_channel_is_the_platform_and_never_the_marketing_channel(channel: str) -> None:
    message = {**USER, "channel": channel, "properties": {"channel": "Paid Search"}}
    found = fields(one("page", message), "touchpoint")
    assert found["platform"] == channel
    assert "channel" not in found


def test_an_email_event_is_a_touch_by_email() -> None:
    found = fields(one("track", {**USER, "event": "Email  opened"}), "touchpoint")
    assert (found["touch_type"], found["medium"]) == ("email_open", "email")


def test_a_track_event_that_says_nothing_of_how_one_came_is_no_touch_unless_it_is_named() -> None:
    message = {**USER, "event": "Article Saved", "channel": "server", "context": {"device": {"type": "ios"}}}
    marked = {**message, "context": {"campaign": {"source": "news"}}}
    assert one("track", message).events == []
    named, none = Names.of(touches=("article saved",)), Names.of(touches=())
    assert fields(one("track", message, named), "touchpoint")["properties"] == {"event": "Article Saved"}
    assert fields(one("track", marked), "touchpoint")["source"] == "news"
    assert one("track", marked, none).events == []
    assert fields(one("page", message, none), "touchpoint")["event_id"] == "m"


@pytest.mark.parametrize(
    ("event", "sent", "want"),
    [
        ("Order Completed", {"total": 19.99}, {"value": 19.99}),
        ("ORDER  completed", {"revenue": "5", "total": 19.99}, {"value": "5"}),
        ("Purchase", {"value": 3, "revenue": 5, "coupon": "C", "products": [{"sku": "p"}]},
         {"value": 3, "properties": {"event": "Purchase", "coupon": "C", "products": '[{"sku":"p"}]'}}),
        ("Order Completed", {"value": None, "revenue": ""}, {}),
        ("Order Refunded", {"total": 4}, {"status": "refunded", "adjusts": "o-1", "value": 4}),
        ("Order Refunded", {}, {"status": "refunded", "adjusts": "o-1"}),
        ("Order Cancelled", {"total": 19.99}, {"status": "cancelled", "adjusts": "o-1"}),
        ("Order Canceled", {}, {"status": "cancelled", "adjusts": "o-1"}),
        ("Order Updated", {"total": 7}, {"adjusts": "o-1", "value": 7}),
    ],
)  # fmt: skip
def test_orders_and_their_corrections(event: str, sent: dict[str, Any], want: dict[str, Any]) -> None:
    message = {**USER, "event": event, "properties": {"order_id": "o-1", "currency": "EUR", **sent}}
    found = fields(one("track", message), "conversion")
    ours = {"event_id": "m", "customer_id": "ada", "occurred_at": NOW_US, "order_id": "o-1", "currency": "EUR"}
    assert found == ours | {"conversion_type": "purchase", "properties": {"event": event}} | want
    if event in {"Order Completed", "Purchase", "Order Refunded"}:  # the same message on the topic counts the same
        direct = canonical("conversion", message)
        for name in ("value", "order_id", "currency", "conversion_type", "status"):
            assert direct.get(name) in {found.get(name), ""}  # blanks are absent here


@pytest.mark.parametrize("value", [0, "0", "0.00", "00"])
def test_a_refund_of_nothing_changes_nothing(value: object) -> None:
    properties = {"order_id": "o-1", "total": value}
    assert one("track", {**USER, "event": "Order Refunded", "properties": properties}).events == []


def test_own_conversion_events() -> None:
    names = Names.of(("Signed Up=signup", "Trial Started", "Order Completed=sale"))
    kinds = {e: fields(one("track", {**USER, "event": e}, names), "conversion")["conversion_type"]
             for e in ("signed up", "Trial Started", "Order Completed", "purchase")}  # fmt: skip
    assert list(kinds.values()) == ["signup", "trial_started", "sale", "purchase"]
    for wrong in ("=x", "x=", " "):
        with pytest.raises(ConversionNamesError, match="Name=conversion_type"):
            Names.of((wrong,))


@pytest.mark.parametrize("kind", TYPES)
def test_user_and_device_belong_to_the_user_and_are_linked(kind: str) -> None:
    message = {**USER, "anonymousId": "d", "event": "x", "previousId": "old", "context": {"campaign": CAMPAIGN}}
    read = one(kind, message)
    links = [e.fields for e in read.events if e.kind == "identity" and e.fields["previous_id"] == "d"]
    assert [(link["customer_id"], link["previous_id"]) for link in links] == [("ada", "d")]
    assert all(e.fields["customer_id"] == "ada" for e in read.events)


def test_a_pair_has_one_link_a_month_whatever_says_it() -> None:
    def linked(message: dict[str, Any], kind: str = "page") -> dict[str, Any]:
        return fields(one(kind, {"anonymousId": "d", "userId": "ada", **message}), "identity")

    first = linked({"messageId": "a", "timestamp": "2026-11-03T01:02:03Z"})
    again = linked({"messageId": "b", "timestamp": "2026-11-30T23:59:59Z"}, "identify")
    later = linked({"messageId": "c", "timestamp": "2026-12-01T00:00:00Z"})
    assert first == again
    assert first["event_id"] != later["event_id"]
    assert linked({"timestamp": "2026-11-03T01:02:03Z", "userId": "eve"})["event_id"] != first["event_id"]


def test_device_alone_identify_alone_alias_and_group() -> None:
    assert fields(one("page", {"anonymousId": "d"}), "touchpoint")["customer_id"] == "d"
    assert one("identify", {**USER, "traits": {"email": "a@example.org"}}).events == []
    assert one("group", {**USER, "groupId": "g"}).events == []
    alias = fields(one("alias", {**USER, "previousId": "old"}), "identity")
    assert alias == {"event_id": "m", "customer_id": "ada", "previous_id": "old", "occurred_at": NOW_US}
    assert one("alias", {**USER, "previousId": "ada"}).events == []
    assert fields(one("page", {**USER, "userId": 42}), "touchpoint")["customer_id"] == "42"


@pytest.mark.parametrize(
    ("kind", "message", "reason", "field"),
    [
        ("page", {"messageId": "m"}, "missing_identity", "customer_id"),
        ("page", {"userId": " ", "anonymousId": ""}, "missing_identity", "customer_id"),
        ("page", {"userId": {"id": 1}}, "wrong_type", "userId"),
        ("track", {"userId": "u"}, "missing_field", "event"),
        ("alias", {"userId": "u"}, "missing_field", "previousId"),
        ("page", {"userId": "u", "timestamp": "yesterday"}, "bad_timestamp", "timestamp"),
        ("identify", {"userId": "u", "anonymousId": "d", "timestamp": 10**24}, "implausible_time", "timestamp"),
    ],
)
def test_a_message_that_breaks_a_rule_is_refused_with_it(
    kind: str, message: dict[str, Any], reason: str, field: str
) -> None:
    read = one(kind, message)
    assert read.events == ()
    assert read.refusal is not None
    assert (read.refusal.reason, read.refusal.field) == (reason, field)


def test_one_broken_message_leaves_the_batch_as_it_is() -> None:
    good = {"type": "page", **USER}
    body = {
        "batch": [good, 7, {"type": "paeg", **USER}, USER, {**good, "messageId": "n"}],
        "context": {"campaign": CAMPAIGN},
    }
    found = read_batch(body, received_us=NOW_US, names=NAMES)
    assert [r.refusal.reason if r.refusal else r.events[0].fields["campaign"] for r in found] == [
        "spring", "undecodable", "wrong_type", "missing_field", "spring",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [None, [], {}, {"batch": {}}, "x", 3])
def test_a_body_without_messages_has_no_shape(body: object) -> None:
    with pytest.raises(ShapeError, match="batch"):
        read_batch(body, received_us=NOW_US, names=NAMES)
    with pytest.raises(ShapeError, match="events"):
        read_payload(body, received_us=NOW_US, names=NAMES)


def test_ga4_events_share_who_and_when() -> None:
    found = ga4({
        "client_id": "1.2",
        "user_id": "ada",
        "timestamp_micros": str(NOW_US),
        "events": [
            {"name": "campaign_details", "params": {"source": "news", "medium": "x", "campaign": "s", "gclid": "g"}},
            {"name": "page_view", "params": {"page_location": "https://a.test/", "page_referrer": "https://b.test/"}},
            {"name": "refund", "params": {"transaction_id": "o", "value": 2, "items": [{"item_id": "i"}]},
             "timestamp_micros": NOW_US // 1000 + 1},
            {"name": "scroll"},
            {"name": "close_unconvert_lead", "params": {"value": 50, "currency": "EUR"}},
        ],
    })  # fmt: skip
    events: list[Mapped] = [read.events[-1] for read in found if len(read.events) == 2]
    assert [len(read.events) for read in found] == [2, 2, 2, 1, 2]
    assert {e.fields["customer_id"] for e in events} == {"ada"}
    assert [e.fields["occurred_at"] for e in events] == [NOW_US, NOW_US, NOW_US + 1000, NOW_US]
    campaign, page, refund, lost = (e.fields for e in events)
    assert (campaign["source"], campaign["campaign"], campaign["click_ids"]) == ("news", "s", {"gclid": "g"})
    assert (page["page_url"], page["referrer"]) == ("https://a.test/", "https://b.test/")
    assert (refund["status"], refund["adjusts"], refund["value"]) == ("refunded", "o", 2)
    assert refund["properties"]["products"] == '[{"item_id":"i"}]'
    assert (lost["conversion_type"], "value" in lost) == ("close_unconvert_lead", False)


@pytest.mark.parametrize(
    ("name", "conversion_type"),
    [
        ("purchase", "purchase"), ("generate_lead", "lead_created"), ("qualify_lead", "qualify_lead"),
        ("working_lead", "working_lead"), ("close_convert_lead", "closed_won"), ("disqualify_lead", "disqualify_lead"),
    ],
)  # fmt: skip
def test_ga4_conversions(name: str, conversion_type: str) -> None:
    (read,) = ga4({"client_id": "d", "events": [{"name": name, "params": {"value": 1.5, "currency": "EUR"}}]})
    found = fields(read, "conversion")
    assert found["conversion_type"] == conversion_type
    assert found.get("value") == (None if name == "disqualify_lead" else 1.5)


def test_a_ga4_payload_sent_twice_is_the_same_events_where_it_says_when_or_names_an_order() -> None:
    def ids(payload: dict[str, Any], received_us: int) -> list[str]:
        reads = read_payload(payload, received_us=received_us, names=NAMES)
        return [e.fields["event_id"] for read in reads for e in read.events]

    visit = {"client_id": "d", "events": [{"name": "page_view"}, {"name": "page_view"}]}
    assert len(set(ids(visit, NOW_US))) == 2
    assert set(ids(visit, NOW_US)).isdisjoint(ids(visit, NOW_US + 1))  # two visits
    for known in (visit | {"timestamp_micros": NOW_US}, purchase(transaction_id="o", value=1)):
        assert ids(known, NOW_US) == ids(known, NOW_US + 1)
    assert ids(purchase(transaction_id="o"), NOW_US) != ids(purchase(transaction_id="p"), NOW_US)
