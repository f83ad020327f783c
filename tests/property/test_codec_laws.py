"""Laws of the codec over generated events, mutated records and plain noise."""

import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas, Rejected, encode_avro, encode_json, kind_of, local_schema_id
from schemas.events import ConversionWireEvent, ErasureEvent, IdentityEvent, SpendEvent, TouchpointEvent
from schemas.normalise import to_event
from schemas.reasons import REASONS, Reason
from schemas.records import InvalidRecordError
from schemas.values import DAY_US, EARLIEST_US, INT64_MAX
from schemas.wire import EVENT_TYPES, wire_type

NOW_MS = 1_766_601_000_000
KINDS: tuple[EventKind, ...] = get_args(EventKind)
RULES = load_channel_rules()
CODECS = {kind: Codec(kind, channel_rules=RULES, schemas=LocalSchemas()) for kind in KINDS}


@dataclass
class Record:
    value: bytes | None
    key: bytes | None = b"c"
    offset: int = 7
    timestamp: int = NOW_MS
    topic: str = "t"
    partition: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)


letters = st.characters(codec="utf-8")
ids = st.text(letters, min_size=1, max_size=120).filter(lambda t: not t.isspace())
texts = st.text(letters, max_size=60)
names = texts.map(str.strip).filter(lambda t: bool(t) and t.casefold() != "unattributed")
times = st.integers(EARLIEST_US, NOW_MS * 1_000 + DAY_US)
money = st.integers(0, INT64_MAX)
currencies = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)
maps = st.dictionaries(texts, texts, min_size=1, max_size=3)
maybe = st.none()
record_fields = {"received_at_us": st.just(NOW_MS * 1_000), "offset": st.just(7)}

touchpoints = st.builds(
    TouchpointEvent, event_id=ids, customer_id=ids, occurred_at_us=times, channel=names, campaign=maybe | names,
    touch_type=texts.filter(bool),
    source=maybe | texts, medium=maybe | texts, content=maybe | texts, term=maybe | texts,
    platform=maybe | texts, campaign_id=maybe | texts, ad_group_id=maybe | texts, ad_id=maybe | texts,
    click_ids=maybe | maps, page_url=maybe | texts, referrer=maybe | texts, session_id=maybe | texts, cost_micros=money,
    currency=maybe | currencies, country=maybe | texts, device_type=maybe | texts, properties=maybe | maps,
    **record_fields,
)  # fmt: skip  # a table of fields
conversions = st.builds(
    ConversionWireEvent, event_id=ids, customer_id=ids, occurred_at_us=times, conversion_type=texts.filter(bool),
    order_id=maybe | ids, value_micros=money, currency=currencies,
    status=st.sampled_from(["completed", "refunded", "cancelled"]),
    adjusts=maybe | ids, sent_at_us=maybe | times, properties=maybe | maps, **record_fields,
).filter(lambda e: e.status == "completed" or bool(e.order_id or e.adjusts))  # fmt: skip  # same
identities = st.builds(
    IdentityEvent, event_id=ids, customer_id=ids, previous_id=ids, occurred_at_us=times, traits=maybe | maps,
    **record_fields,
).filter(lambda e: e.previous_id != e.customer_id)  # fmt: skip  # same
spends = st.builds(
    SpendEvent, event_id=ids, spend_day=st.integers(EARLIEST_US // DAY_US, NOW_MS * 1_000 // DAY_US), channel=names,
    cost_micros=money, currency=currencies, campaign=maybe | names, campaign_id=maybe | texts, source=maybe | texts,
    impressions=money, clicks=money, **record_fields,
)  # fmt: skip  # same
erasures = st.builds(
    ErasureEvent,
    event_id=ids,
    customer_id=ids,
    requested_at_us=times,
    policy=st.sampled_from(("delete", "anonymize")),
    **record_fields,
)
events = st.one_of(touchpoints, conversions, identities, spends, erasures)

relaxed = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def record_of(event: Any, value: bytes) -> Record:
    return Record(value, key=b"any" if isinstance(event, SpendEvent) else event.customer_id.encode())


@relaxed
@given(events)
def test_json_gives_back_the_event(event: Any) -> None:
    assert CODECS[kind_of(event)].decode(record_of(event, encode_json(event))) == event


@relaxed
@given(events)
def test_avro_gives_back_the_event(event: Any) -> None:
    kind = kind_of(event)
    assert CODECS[kind].decode(record_of(event, encode_avro(event, local_schema_id(kind)))) == event


def _long_way(kind: EventKind, record: Record) -> Any:
    """The verdict of the rules alone, without the hot loop."""
    codec = CODECS[kind]
    try:
        return to_event(kind, codec._fields(record), record, RULES)
    except InvalidRecordError as error:
        return (error.reason, error.field)


odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-5, 2 * 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from(["", " ", "Email ", "eur", "EURO", "canceled", "maybe", "unattributed",
                     "2025-12-24T18:30:00Z",
                     "1970-01-02T00:00:00Z", "1766601000", "12.5", "-1", "NaN",
                     "x" * 600, "x" * 5_000]),
    st.lists(st.integers(), max_size=2), st.dictionaries(texts, texts, max_size=2),
)  # fmt: skip  # same
field_names = st.sampled_from(
    ["event_id", "customer_id", "occurred_at", "channel", "campaign", "touch_type", "source", "medium", "page_url",
     "referrer", "click_ids", "cost", "cost_micros", "currency", "properties", "session_id", "conversion_type",
     "order_id", "value", "value_micros", "status", "adjusts", "offset", "messageId", "userId", "context", "gclid"]
)  # fmt: skip  # same


@settings(relaxed, max_examples=600)
@given(
    kind=st.sampled_from(["touchpoint", "conversion"]),
    base=st.sampled_from([{"channel": "Email"}, {"medium": "email"}, {"referrer": "https://www.paypal.com/"}, {}]),
    changes=st.dictionaries(field_names, odd, max_size=3),
    dropped=st.sets(field_names, max_size=1),
    headers=st.sampled_from([[], [("traceparent", b"x")], [("ce_type", b"generate_lead"), ("ce_id", b"z")]]),
    timestamp=st.sampled_from([NOW_MS, -1]),
)
@example("conversion", {}, {"adjusts": "o-1"}, set(), [], NOW_MS)
@example("conversion", {}, {"status": "refunded"}, set(), [], NOW_MS)
@example("conversion", {}, {}, set(), [("ce_type", b"generate_lead")], NOW_MS)
@example("touchpoint", {"channel": "Email"}, {"touch_type": "", "campaign": "", "click_ids": {}}, set(), [], NOW_MS)
@example("touchpoint", {"channel": "Email"}, {"cost_micros": 2**63}, set(), [], NOW_MS)
@example("conversion", {}, {"value_micros": 2**63}, set(), [], NOW_MS)
@example("touchpoint", {"channel": "Email"}, {"occurred_at": "1970-01-02T00:00:00Z"}, set(), [], NOW_MS)
def test_the_hot_loop_and_the_rules_give_the_same_verdict(
    kind: EventKind, base: Any, changes: Any, dropped: Any, headers: Any, timestamp: int
) -> None:
    message = {"event_id": "e", "customer_id": "c", "occurred_at": NOW_MS} | base | changes
    value = json.dumps({name: v for name, v in message.items() if name not in dropped}).encode()
    record = Record(value, timestamp=timestamp, headers=headers)
    got = CODECS[kind].decode(record)
    assert ((got.reason, got.field) if isinstance(got, Rejected) else got) == _long_way(kind, record)


def _is_verdict(got: Any) -> bool:
    if isinstance(got, Rejected):
        return got.reason in get_args(Reason) and len(got.detail) < 400
    return kind_of(got) in KINDS


@settings(relaxed, max_examples=400)
@given(
    st.sampled_from(KINDS),
    st.none() | st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"\x00\x00\x0f\x42\x41" + b),
    st.none() | st.binary(max_size=8),
    st.lists(
        st.tuples(st.sampled_from(["__value_schema_id", "ce_time", "ce_id", "x"]), st.binary(max_size=18)), max_size=2
    ),
)
@example("touchpoint", b"[" * 100_000, b"c", [])
@example("touchpoint", b'{"a":' * 50_000, b"c", [])
@example("touchpoint", b'{"cost":NaN,"a":' * 5_000, b"c", [])
@example("touchpoint", b'{"event_id":"\\ud800"}', b"c", [])
@example("touchpoint", b'{"event_id":"e","customer_id":"c","occurred_at":"0001-01-01T00:00:00+23:59"}', b"c", [])
@example("touchpoint", b'{"event_id":"e","customer_id":"c","occurred_at":' + b"9" * 5_000 + b"}", b"c", [])
@example("spend", b'{"event_id":"e","spend_date":' + b"9" * 5_000 + b"}", b"c", [])
def test_noise_never_raises(kind: EventKind, value: Any, key: Any, headers: Any) -> None:
    assert _is_verdict(CODECS[kind].decode(Record(value, key=key, headers=headers)))


def _golden() -> list[tuple[EventKind, bytes]]:
    found: list[tuple[EventKind, bytes]] = []
    for kind in KINDS:
        folder = files("schemas") / "examples" / kind / "v1" / "valid"
        for entry in sorted(folder.iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".hex"):
                found.append((kind, bytes.fromhex(entry.read_text())))
            elif not entry.name.endswith(".expected.json"):
                found.append((kind, entry.read_bytes()))
    return found


@settings(relaxed, max_examples=600)
@given(st.sampled_from(_golden()), st.data())
def test_a_damaged_example_never_raises(golden: Any, data: Any) -> None:
    kind, value = golden
    at = data.draw(st.integers(0, len(value) - 1))
    cut = data.draw(st.integers(0, 4))
    damaged = value[:at] + data.draw(st.binary(max_size=4)) + value[at + cut :]
    assume(damaged != value)
    assert _is_verdict(CODECS[kind].decode(Record(damaged, key=b"c-42")))


@relaxed
@given(st.lists(st.sampled_from(_golden()), max_size=12), st.lists(st.binary(max_size=20), max_size=4))
def test_every_record_of_a_batch_gets_one_verdict_the_same_as_alone(golden: Any, noise: Any) -> None:
    codec = CODECS["touchpoint"]
    records = [Record(value, key=b"c-42", offset=i) for i, value in enumerate([v for _, v in golden] + noise)]
    accepted, rejected = codec.decode_batch(records)
    offsets = [e.offset for e in accepted] + [r.record.offset for r in rejected]
    assert sorted(offsets) == list(range(len(records)))
    alone = [codec.decode(record) for record in records]
    assert accepted == [got for got in alone if not isinstance(got, Rejected)]
    assert rejected == [got for got in alone if isinstance(got, Rejected)]


def test_every_reason_has_its_line_of_documentation() -> None:
    assert set(REASONS) == set(get_args(Reason))
    assert all(line.endswith(".") for line in REASONS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_wire_struct_has_the_layout_of_its_event(kind: EventKind) -> None:
    """Changing the class of an instance is only sound if each field keeps its slot."""
    event_type = EVENT_TYPES[kind]
    for strict in (True, False):
        wire = wire_type(kind, strict=strict)
        instance = wire(**{name: f"value of {name}" for name in event_type.__struct_fields__})
        instance.__class__ = event_type
        assert {name: getattr(instance, name) for name in event_type.__struct_fields__} == {
            name: f"value of {name}" for name in event_type.__struct_fields__
        }
