"""Avro on the wire: Confluent's frame (0x00, 4-byte id, body) and the GUID header (0x01, 16 bytes; body bare).

``read`` returns the fields under the writer's names; validation is the same as for JSON. It raises
``InvalidRecordError`` (``undecodable``, ``unknown_schema``) and lets ``SchemaSourceUnavailableError`` through.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import fastavro

from schemas.events import ConversionWireEvent, ErasureEvent, IdentityEvent, SpendEvent
from schemas.records import InvalidRecordError, shown
from schemas.registry import LocalSchemas
from schemas.topics import load_topics
from schemas.wire import wire_fields

if TYPE_CHECKING:
    from schemas.events import Event, EventKind
    from schemas.records import RawRecord
    from schemas.registry import SchemaSource, WriterSchema

SCHEMA_HEADER: Final = "__value_schema_id"
_FRAME_BYTES: Final = 5
_NAMESPACE: Final = "attribution.v1."


def read(kind: EventKind, record: RawRecord, value: bytes, schemas: SchemaSource) -> tuple[dict[str, Any], bool]:
    """Fields of an Avro record, and whether it was written with our own schema of this kind.

    Raises:
        InvalidRecordError: no frame, unknown schema, schema of another kind, broken body, trailing bytes.
        SchemaSourceUnavailableError: the registry does not answer; retry.
    """
    schema, start = _writer(record, value, schemas)
    ours = schema.name.startswith(_NAMESPACE)
    if ours and schema.name != _NAMESPACE + kind.capitalize():
        raise InvalidRecordError("unknown_schema", "", f"schema {shown(schema.name)} is not for events of kind {kind}")
    body = BytesIO(value)
    body.seek(start)
    try:
        fields = fastavro.schemaless_reader(body, schema.parsed, None)
    except Exception as error:  # noqa: BLE001  # a broken body makes fastavro raise a dozen unrelated types
        raise InvalidRecordError(
            "undecodable", "", f"body does not fit schema {shown(schema.name)} ({type(error).__name__})"
        ) from None
    if body.tell() != len(value):
        raise InvalidRecordError("undecodable", "", f"{len(value) - body.tell()} bytes after the end of the body")
    return fields, ours  # type: ignore[return-value]  # a record schema reads as a dict


def encode_avro(event: Event, schema_id: int, *, schemas: SchemaSource | None = None) -> bytes:
    """The event in Confluent's frame, written with the schema of that id (of this package unless ``schemas`` is given).

    Raises:
        ValueError: the id is unknown, or its schema cannot hold the event.
    """
    schema = (schemas or _local()).by_id(schema_id)
    if schema is None:
        raise ValueError(f"schema_id {schema_id} is unknown; ids of this package are in schemas/topics/*.yaml")
    out = BytesIO()
    out.write(b"\x00" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(out, schema.parsed, wire_fields(event))
    return out.getvalue()


def local_schema_id(kind: EventKind) -> int:
    """Id of the newest schema of this package for a kind."""
    return _newest_ids()[kind]


def kind_of(event: Event) -> EventKind:
    """The kind of a decoded event."""
    match event:
        case ConversionWireEvent():
            return "conversion"
        case IdentityEvent():
            return "identity"
        case SpendEvent():
            return "spend"
        case ErasureEvent():
            return "erasure"
    return "touchpoint"


def _writer(record: RawRecord, value: bytes, schemas: SchemaSource) -> tuple[WriterSchema, int]:
    mark = next((content for name, content in record.headers or () if name == SCHEMA_HEADER), None)
    if mark is not None:
        schema, start, label = _by_header(mark, schemas), 0, "header " + SCHEMA_HEADER
    elif value[0] == 0 and len(value) >= _FRAME_BYTES:
        schema_id = int.from_bytes(value[1:_FRAME_BYTES], "big")
        schema, start, label = schemas.by_id(schema_id), _FRAME_BYTES, f"schema id {schema_id}"
    else:
        raise InvalidRecordError(
            "undecodable", "", f"first byte 0x{value[0]:02x}; send a JSON object, or Avro as 0x00 + schema id + body"
        )
    if schema is None:
        raise InvalidRecordError("unknown_schema", "", f"{label} names no Avro record schema that is known here")
    return schema, start


def _by_header(mark: bytes, schemas: SchemaSource) -> WriterSchema | None:
    if len(mark) == 17 and mark[0] == 1:
        return schemas.by_guid(UUID(bytes=mark[1:]))
    if len(mark) == _FRAME_BYTES and mark[0] == 0:
        return schemas.by_id(int.from_bytes(mark[1:], "big"))
    raise InvalidRecordError("undecodable", "", f"header {SCHEMA_HEADER} of {len(mark)} bytes is neither GUID nor id")


@cache
def _local() -> LocalSchemas:
    return LocalSchemas()


@cache
def _newest_ids() -> dict[str, int]:
    return {spec.kind: max(spec.schemas, key=lambda v: v.version).id for spec in load_topics().values() if spec.schemas}
