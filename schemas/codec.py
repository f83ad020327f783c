"""One codec per topic: raw records in, events or rejections out, for JSON and Avro on the same topic.

``decode_batch`` never raises for what a record holds: every record becomes one event or one ``Rejected`` with a
reason of the closed set. It raises only ``SchemaSourceUnavailableError``, before anything was returned: the registry
is down, and the caller retries the batch. Times are epoch microseconds, money is int64 micros.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas import avro_wire, fast
from schemas.aliases import canonical, conversion_type_of
from schemas.avro_wire import SCHEMA_HEADER, encode_avro, kind_of, local_schema_id
from schemas.events import Event, EventKind
from schemas.normalise import to_event
from schemas.records import InvalidRecordError, RawRecord, Rejected, shown
from schemas.registry import LocalSchemas, RegistrySchemas, SchemaSource, SchemaSourceUnavailableError
from schemas.wire import encode_json, wire_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attribution.channels import ChannelRules

__all__ = [
    "Codec",
    "Event",
    "EventKind",
    "LocalSchemas",
    "RawRecord",
    "RegistrySchemas",
    "Rejected",
    "SchemaSource",
    "SchemaSourceUnavailableError",
    "encode_avro",
    "encode_json",
    "kind_of",
    "local_schema_id",
]

#: Not JSON, but written by JSON encoders for a float that is no number; looked for to give the true reason.
_NO_NUMBERS: Final = (b"NaN", b"Infinity")
_AMOUNTS: Final = frozenset({"cost", "cost_micros", "value", "value_micros", "impressions", "clicks"})
_CLOUD_EVENTS: Final = {"ce_id": "event_id", "ce_time": "occurred_at"}


class Codec:
    """Decodes one kind of events. Not thread-safe: it remembers texts that repeat."""

    def __init__(self, kind: EventKind, *, channel_rules: ChannelRules, schemas: SchemaSource) -> None:
        self.kind: EventKind = kind
        self._rules = channel_rules
        self._schemas = schemas
        self._usual = msgspec.json.Decoder(wire_type(kind)).decode
        self._any_json = msgspec.json.Decoder(float_hook=Decimal).decode
        self._avro_type = wire_type(kind, strict=False)
        self._memos = fast.Memos(channel_rules)

    def decode(self, record: RawRecord) -> Event | Rejected:
        """The event of one record, or why it is none."""
        events, rejected = self.decode_batch((record,))
        return events[0] if events else rejected[0]

    def decode_batch(self, records: Sequence[RawRecord]) -> tuple[list[Event], list[Rejected]]:
        """Events and rejections, each in the order of the records.

        Raises:
            SchemaSourceUnavailableError: the registry does not answer; nothing was decoded, retry the batch.
        """
        events: list[Event] = []
        rejected: list[Rejected] = []
        slowly = partial(self._slowly, events, rejected)
        if self.kind == "touchpoint":
            fast.touchpoints(records, events, self._usual, self._usual_avro, slowly, self._memos, self._rules)
        elif self.kind == "conversion":
            fast.conversions(records, events, self._usual, self._usual_avro, slowly, self._memos)
        else:
            for record in records:
                slowly(record)
        return events, rejected

    def _slowly(self, events: list[Event], rejected: list[Rejected], record: RawRecord) -> None:
        try:
            events.append(to_event(self.kind, self._fields(record), record, self._rules))
        except InvalidRecordError as error:
            rejected.append(Rejected(record, error.reason, error.field, error.detail))

    def _usual_avro(self, record: RawRecord) -> Any:
        """The wire struct of a record in our own Avro schema, else ``None``."""
        value = record.value
        if not value or value[0] != 0 or len(value) > fast.MAX_RECORD_BYTES:
            return None
        try:
            fields, ours = avro_wire.read(self.kind, record, value, self._schemas)
            return msgspec.convert(fields, self._avro_type) if ours else None
        except (InvalidRecordError, msgspec.ValidationError):
            return None

    def _fields(self, record: RawRecord) -> dict[str, Any]:
        value = record.value
        if not value:
            raise InvalidRecordError("empty", "", "the record has no value")
        if len(value) > fast.MAX_RECORD_BYTES:
            raise InvalidRecordError("too_long", "", f"record of {len(value)} bytes, at most {fast.MAX_RECORD_BYTES}")
        message = self._message(record, value)
        fields = canonical(self.kind, message)
        self._add_cloud_event(fields, record)
        return fields

    def _message(self, record: RawRecord, value: bytes) -> dict[str, Any]:
        if value.lstrip()[:1] in (b"{", b"[", b'"'):
            try:
                message = self._any_json(value)
            except fast.NOT_USUAL as error:
                if not any(name == SCHEMA_HEADER for name, _ in record.headers or ()):
                    raise self._broken_json(value, error) from None
            else:
                if isinstance(message, dict):
                    return message
                raise InvalidRecordError("undecodable", "", "JSON, but no object; send one event per record")
        return avro_wire.read(self.kind, record, value, self._schemas)[0]

    def _broken_json(self, value: bytes, error: Exception) -> InvalidRecordError:
        """``bad_amount`` where the only mistake is a bare NaN or Infinity for an amount, else ``undecodable``."""
        if any(word in value for word in _NO_NUMBERS):
            try:
                message = json.loads(value, parse_float=Decimal, parse_constant=Decimal)
            except (ValueError, RecursionError):
                message = None
            fields = canonical(self.kind, message) if isinstance(message, dict) else {}
            for name in sorted(_AMOUNTS & fields.keys()):
                amount = fields[name]
                if isinstance(amount, Decimal) and not amount.is_finite():
                    return InvalidRecordError("bad_amount", name, f"{amount} is no amount")
        return InvalidRecordError("undecodable", "", f"broken JSON: {shown(str(error))}")

    def _add_cloud_event(self, fields: dict[str, Any], record: RawRecord) -> None:
        """CloudEvents headers stand in for what the body leaves out."""
        for name, content in record.headers or ():
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            if name in _CLOUD_EVENTS:
                target = "requested_at" if self.kind == "erasure" and name == "ce_time" else _CLOUD_EVENTS[name]
                fields.setdefault(target, text)
            elif name == "ce_type" and self.kind == "conversion" and "conversion_type" not in fields:
                known = conversion_type_of(text)
                if known is not None:
                    fields["conversion_type"] = known
