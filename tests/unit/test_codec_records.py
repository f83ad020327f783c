"""The codec on whole records: order, metadata, redaction, memory between batches, registry trouble."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas, Rejected, SchemaSourceUnavailableError, encode_avro, local_schema_id
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent
from schemas.reasons import DROP_REASONS, REASONS, Reason
from schemas.registry import WriterSchema, parse_schema

NOW_MS = 1_766_601_000_000
TOUCH = {"event_id": "e", "customer_id": "c", "occurred_at": NOW_MS, "channel": "Email"}


@dataclass
class Record:
    value: bytes | None
    key: bytes | None = b"c"
    offset: int = 7
    timestamp: int = NOW_MS
    topic: str = "attribution.touchpoints"
    partition: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def codec(kind: Any = "touchpoint", schemas: Any = None) -> Codec:
    return Codec(kind, channel_rules=load_channel_rules(), schemas=schemas or LocalSchemas())


def touch(**fields: Any) -> Record:
    return Record(json.dumps(TOUCH | fields).encode())


def decoded(record: Record, kind: Any = "touchpoint") -> Any:
    event = codec(kind).decode(record)
    assert not isinstance(event, Rejected), event
    return event


def reason(record: Record, kind: Any = "touchpoint") -> Reason:
    rejected = codec(kind).decode(record)
    assert isinstance(rejected, Rejected), rejected
    return rejected.reason


def test_a_batch_keeps_the_order_of_events_and_of_rejections() -> None:
    records = [touch(event_id=f"e{i}", **({"cost": 1} if i % 3 else {})) for i in range(9)]
    records[2].value, records[5].key = b"?", None
    for i, record in enumerate(records):
        record.offset = i
    events, rejected = codec().decode_batch(records)
    assert [event.offset for event in events] == [0, 1, 3, 4, 6, 7, 8]
    assert [(item.record.offset, item.reason) for item in rejected] == [(2, "undecodable"), (5, "key_mismatch")]


def test_an_event_is_of_its_public_type_and_carries_the_records_time_and_offset() -> None:
    event = decoded(touch(received_at_us=1, offset=1))
    assert type(event) is TouchpointEvent
    assert (event.received_at_us, event.offset) == (NOW_MS * 1_000, 7)
    assert type(decoded(Record(b'{"event_id":"e","customer_id":"c","occurred_at":%d}' % NOW_MS), "conversion")) is (
        ConversionWireEvent
    )


def test_a_record_without_a_broker_timestamp_is_received_at_zero() -> None:
    record = touch()
    record.timestamp = -1
    assert decoded(record).received_at_us == 0


def test_texts_that_only_differ_in_surrounding_whitespace_are_one_channel_and_campaign() -> None:
    event = decoded(touch(channel=" Email ", campaign="  x "))
    assert (event.channel, event.campaign) == ("Email", "x")


def test_a_blank_channel_is_derived_and_a_currency_is_upper_case() -> None:
    event = decoded(touch(channel=" ", medium="email", currency="eur"))
    assert (event.channel, event.currency) == ("Email", "EUR")


@pytest.mark.parametrize(("size", "is_accepted"), [(512, True), (513, False)])
def test_an_id_may_have_512_bytes(size: int, is_accepted: bool) -> None:
    record = touch(event_id="x" * size)
    if is_accepted:
        assert len(decoded(record).event_id) == 512
    else:
        assert reason(record) == "too_long"


def test_the_limit_of_other_texts_and_of_the_record() -> None:
    assert decoded(touch(page_url="u" * 4_096)).page_url == "u" * 4_096
    assert reason(touch(page_url="u" * 4_097)) == "too_long"
    assert reason(touch(properties={"a": "u" * 4_097})) == "too_long"
    assert reason(touch(properties={str(i): "u" * 4_000 for i in range(300)})) == "too_long"


def test_a_rejection_holds_the_record_itself_and_no_id() -> None:
    private = "customer-4711-secret"
    record = touch(customer_id=private)
    rejected = codec().decode(record)
    assert isinstance(rejected, Rejected)
    assert rejected.record is record
    assert (rejected.reason, rejected.field, rejected.is_drop) == ("key_mismatch", "key", False)
    assert private not in rejected.detail


def test_a_return_from_a_gateway_is_a_drop() -> None:
    rejected = codec().decode(touch(channel=None, referrer="https://www.paypal.com/x"))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.is_drop) == ("excluded_referrer", True)
    assert set(REASONS) >= DROP_REASONS


def test_spend_is_not_keyed_by_customer() -> None:
    spend = {"event_id": "s", "spend_date": "2025-12-24", "channel": "Display", "cost": "1.5", "currency": "EUR"}
    event = decoded(Record(json.dumps(spend).encode(), key=b"Display"), "spend")
    assert isinstance(event, SpendEvent)
    assert (event.spend_day, event.cost_micros) == (20_446, 1_500_000)


def test_a_bare_nan_is_a_bad_amount_only_as_an_amount() -> None:
    assert reason(Record(json.dumps(TOUCH | {"cost": float("nan")}).encode())) == "bad_amount"
    assert reason(Record(json.dumps(TOUCH | {"source": float("nan")}).encode())) == "undecodable"


def test_our_message_keeps_its_properties_opaque() -> None:
    event = decoded(
        touch(channel=None, medium="email", userId="u", properties={"cost": 5, "term": "boots", "gclid": "x"})
    )
    assert (event.channel, event.cost_micros, event.term, event.click_ids) == ("Email", 0, None, None)


def test_a_platform_is_no_channel_in_a_vendors_message_but_is_one_in_ours() -> None:
    vendor = {"messageId": "e", "userId": "c", "timestamp": NOW_MS, "channel": "mobile"}
    event = decoded(Record(json.dumps(vendor).encode()))
    assert (event.channel, event.platform) == ("Direct", "mobile")
    assert decoded(touch(channel="mobile")).channel == "mobile"


def test_a_foreign_avro_schema_is_read_by_its_field_names_like_json() -> None:
    foreign = parse_schema(
        '{"type":"record","name":"com.example.Hit","fields":[{"name":"id","type":"string"},{"name":"userId",'
        '"type":"string"},{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},'
        '{"name":"utm_medium","type":"string"},{"name":"cost","type":{"type":"bytes","logicalType":"decimal",'
        '"precision":9,"scale":2}}]}'
    )
    assert foreign is not None

    class One:
        def by_id(self, schema_id: int) -> WriterSchema | None:
            return foreign if schema_id == 5 else None

        def by_guid(self, guid: UUID) -> WriterSchema | None:
            raise AssertionError(guid)

    body = b"\x02e\x02c" + _varint(NOW_MS) + b"\x0aemail" + b"\x04\x04\xd2"
    event = codec(schemas=One()).decode(Record(b"\x00\x00\x00\x00\x05" + body))
    assert isinstance(event, TouchpointEvent)
    assert (event.channel, event.occurred_at_us, event.cost_micros) == ("Email", NOW_MS * 1_000, 12_340_000)


def _varint(number: int) -> bytes:
    number <<= 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_a_registry_that_is_down_is_an_exception_and_no_rejection() -> None:
    class Down:
        def by_id(self, schema_id: int) -> WriterSchema | None:
            raise SchemaSourceUnavailableError(str(schema_id))

        def by_guid(self, guid: UUID) -> WriterSchema | None:
            raise SchemaSourceUnavailableError(str(guid))

    framed = encode_avro(decoded(touch()), local_schema_id("touchpoint"))
    with pytest.raises(SchemaSourceUnavailableError):
        codec(schemas=Down()).decode_batch([touch(), Record(framed)])


def test_json_with_a_stray_schema_header_is_json() -> None:
    record = touch(cost="1")
    record.headers = [("__value_schema_id", b"\x01" + bytes(16)), ("traceparent", b"00-1")]
    assert decoded(record).cost_micros == 1_000_000
