"""Laws of the collector: neither a device's clock nor a second try matters; money stays whole; nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.collector_intake import collect
from api.testing import at
from attribution.money import to_micros
from collector.ga4 import read_payload
from collector.names import Names
from collector.segment import TYPES, read_batch
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas, Rejected
from schemas.topics import topic_of

NOW_US = 1_795_000_000_000_000
NAMES = Names.of(("Signed Up=signup",))
RULES = load_channel_rules()
DAY_US = 86_400_000_000


class Record:
    """A written record as the worker gets it."""

    def __init__(self, record: Any) -> None:
        self.topic, self.key, self.value, self.headers = record
        self.partition = self.offset = 0
        self.timestamp = NOW_US // 1000


def written(reads: Any) -> Any:
    return collect(reads, RULES, at(NOW_US), lambda topic: topic)


def events(reads: Any) -> list[Any]:
    """What the workers decode; dead letters are left out."""
    found = []
    for record in written(reads).records:
        kinds: list[EventKind] = [
            k for k in ("touchpoint", "conversion", "identity") if topic_of(k).topic == record.topic
        ]
        for kind in kinds:
            event = Codec(kind, channel_rules=RULES, schemas=LocalSchemas()).decode(Record(record))
            assert not isinstance(event, Rejected), event.detail
            found.append(event)
    return found


def batch(messages: Any, received_us: int = NOW_US, **more: Any) -> Any:
    return read_batch({"batch": messages, **more}, received_us=received_us, names=NAMES)


AGO = st.integers(0, 30 * DAY_US)


@given(
    AGO,
    st.integers(-3_000 * DAY_US, 3_000 * DAY_US),
    st.integers(0, 10**9),
    st.sampled_from(["timestamp", "originalTimestamp"]),
)
def test_a_wrong_clock_of_the_device_changes_nothing(ago: int, wrong: int, way: int, name: str) -> None:
    """Received ``way`` after it was sent: off by that and by nothing else."""
    sent = NOW_US - way
    message = {"type": "page", "userId": "u", "messageId": "m", name: sent - ago + wrong}
    (event,) = events(batch([message], sentAt=sent + wrong))
    assert event.occurred_at_us == sent - ago + way
    (own,) = events(batch([{**message, "sentAt": sent + wrong}]))  # a message's own sentAt counts before the batch's
    assert own == event


@given(AGO)
def test_without_sent_at_or_corrected_already_the_time_is_as_said(ago: int) -> None:
    message = {"type": "page", "userId": "u", "messageId": "m", "timestamp": NOW_US - ago}
    assert events(batch([message]))[0].occurred_at_us == NOW_US - ago
    assert events(batch([message], sentAt="soon"))[0].occurred_at_us == NOW_US - ago
    corrected = {**message, "originalTimestamp": 7}
    assert events(batch([corrected], sentAt=NOW_US - DAY_US))[0].occurred_at_us == NOW_US - ago
    del message["timestamp"]
    assert events(batch([message], sentAt=NOW_US - DAY_US))[0].occurred_at_us == NOW_US


IDS = st.sampled_from(["u", "v", None])
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES), "userId": IDS, "anonymousId": IDS},
        optional={
            "messageId": st.sampled_from(["m1", "m2", "m3"]),
            "event": st.sampled_from(["Order Completed", "Order Refunded", "Signed Up", "Email Opened", "x"]),
            "previousId": st.sampled_from(["p", "u"]),
            "timestamp": st.sampled_from([NOW_US - 5, "2026-11-01T00:00:00Z", "never"]),
            "properties": st.fixed_dictionaries(
                {}, optional={"order_id": st.sampled_from(["o", 3]), "total": st.sampled_from([1, "2.5", "ten", -1])}
            ),
        },
    ),
    max_size=6,
)


@given(MESSAGES, st.integers(1, 10**9))
def test_the_same_batch_again_is_the_same_events(messages: Any, later: int) -> None:
    """Where every message says which it is, by ``messageId``; then ids, owners and kinds are the same for ever."""
    for number, message in enumerate(messages):
        message.setdefault("messageId", f"n{number}")

    def told(received_us: int) -> set[tuple[str, str, str]]:
        return {(type(e).__name__, e.event_id, e.customer_id) for e in events(batch(messages, received_us))}

    assert told(NOW_US) == told(NOW_US + later)


@given(MESSAGES)
def test_every_message_is_accepted_ignored_or_a_dead_letter(messages: Any) -> None:
    found = written(batch(messages))
    assert found.accepted + found.ignored + len(found.refused) == len(messages)
    letters = [r for r in found.records if r.topic == topic_of("dead_letter").topic]
    assert len(letters) == len(found.refused)
    assert [dict(r.headers)["dlq.reason"].decode() for r in letters] == [r.refusal.reason for r in found.refused]


AMOUNTS = st.decimals(0, 10**9, places=6, allow_nan=False)


@given(
    st.lists(st.tuples(AMOUNTS, st.booleans()), min_size=1, max_size=8), st.sampled_from(["value", "revenue", "total"])
)
def test_total_micros_are_kept(amounts: list[tuple[Decimal, bool]], name: str) -> None:
    """As a JSON number or as text, by Segment or GA4: the sum of what is written is the sum of what was sent."""
    sent = [(str(amount) if as_text else amount) for amount, as_text in amounts]
    properties = [{"order_id": f"o{n}", name: amount, "currency": "EUR"} for n, amount in enumerate(sent)]
    messages = [{"type": "track", "event": "Order Completed", "userId": "u", "properties": p} for p in properties]
    payload = {"client_id": "c", "events": [{"name": "purchase", "params": p} for p in properties]}
    for reads in (batch(messages), read_payload(payload, received_us=NOW_US, names=NAMES)):
        found = events(reads)
        assert len(found) == len(amounts)
        assert sum(e.value_micros for e in found) == sum(to_micros(amount) for amount, _ in amounts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=12) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *("type", "userId", "anonymousId", "event", "name", "properties", "params", "context", "timestamp", "sentAt"),
    *("messageId", "previousId", "channel", "client_id", "timestamp_micros", "campaign", "page", "url", "total"),
]
WORDS = st.sampled_from([*TYPES, "u", "Order Completed", "Order Refunded", "purchase", "page_view", NOW_US, "2.5"])
NESTED = st.dictionaries(st.sampled_from(FIELDS), WORDS | JSON, max_size=6)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), WORDS | NESTED | JSON, max_size=9) | JSON, max_size=5))
def test_whatever_is_sent_counts_once_and_what_is_taken_decodes(messages: Any) -> None:
    good = {"type": "track", "event": "Order Completed", "userId": "u", "properties": {"total": 1}}
    purchase = {"name": "purchase", "params": {"value": 1}}
    for reads in (
        batch([*messages, good]),
        read_payload({"client_id": "c", "events": [*messages, purchase]}, received_us=NOW_US, names=NAMES),
    ):
        found = written(reads)
        assert found.accepted + found.ignored + len(found.refused) == len(messages) + 1
        assert any(type(e).__name__ == "ConversionWireEvent" for e in events(reads))
