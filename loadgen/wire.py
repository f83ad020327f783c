"""Spellings of one event: JSON with times and money written in three ways, or Confluent Avro.

MILLIS writes epoch milliseconds and amounts as numbers, MICROS epoch microseconds and ``*_micros`` integers, ISO
writes ISO-8601 and amounts as text. All decode to the same event. The JSON is put together from fragments, since
encoding an object for each record would cost most of the time of a stream; no text of a population needs escaping.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from loadgen.rows import ISO, MICROS, MILLIS
from schemas.codec import encode_avro, kind_of, local_schema_id

if TYPE_CHECKING:
    from loadgen.malformed import Wire
    from schemas.events import ConversionWireEvent, Event, SpendEvent, TouchpointEvent

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def touch_json(event: TouchpointEvent, form: int, *, is_derived: bool) -> bytes:
    """A touchpoint; ``is_derived`` leaves the channel to the rules."""
    channel = "" if is_derived else f',"channel":"{event.channel}"'
    campaign = f',"campaign":"{event.campaign}"' if event.campaign else ""
    cost = _amount("cost", event.cost_micros, form) + f',"currency":"{event.currency}"' if event.cost_micros else ""
    return (
        f'{_head(event, form)}{channel}{campaign},"source":"{event.source}","medium":"{event.medium}",'
        f'"touch_type":"{event.touch_type}"{cost},"country":"{event.country}","device_type":"{event.device_type}"}}'
    ).encode()


def conversion_json(event: ConversionWireEvent, form: int) -> bytes:
    """A conversion or a correction; what equals the wire's default is left out."""
    is_default = event.conversion_type == "purchase" and form == MICROS
    kind = "" if is_default else f',"conversion_type":"{event.conversion_type}"'
    order = f',"order_id":"{event.order_id}"' if event.order_id else ""
    value = _amount("value", event.value_micros, form) if event.value_micros else ""
    status = "" if event.status == "completed" else f',"status":"{event.status}"'
    adjusts = f',"adjusts":"{event.adjusts}"' if event.adjusts else ""
    return f'{_head(event, form)}{kind}{order}{value},"currency":"{event.currency}"{status}{adjusts}}}'.encode()


def spend_json(event: SpendEvent) -> bytes:
    """A spend report."""
    day = (_EPOCH + timedelta(days=event.spend_day)).date().isoformat()
    return (
        f'{{"event_id":"{event.event_id}","spend_date":"{day}","channel":"{event.channel}","campaign":"{event.campaign}",'
        f'"cost_micros":{event.cost_micros},"currency":"{event.currency}","impressions":{event.impressions},"clicks":{event.clicks}}}'
    ).encode()


def avro(event: Event) -> bytes:
    """The event in Confluent Avro, under the id of the newest schema of its topic."""
    return encode_avro(event, local_schema_id(kind_of(event)))


def mapping(json_bytes: bytes) -> Wire:
    """The fields of a JSON spelling, for damaging."""
    fields: Wire = msgspec.json.decode(json_bytes)
    return fields


def _head(event: TouchpointEvent | ConversionWireEvent, form: int) -> str:
    at = _time(event.occurred_at_us, form)
    return f'{{"event_id":"{event.event_id}","customer_id":"{event.customer_id}","occurred_at":{at}'


def _time(at_us: int, form: int) -> str:
    if form == MILLIS:
        return str(at_us // 1000)
    if form == ISO:
        return f'"{(_EPOCH + timedelta(microseconds=at_us)).isoformat()[:-6]}Z"'
    return str(at_us)


def _amount(name: str, micros: int, form: int) -> str:
    if form == MICROS:
        return f',"{name}_micros":{micros}'
    decimal = f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
    return f',"{name}":"{decimal}"' if form == ISO else f',"{name}":{decimal}'
