"""From rows to records of Kafka: the rules of the stream, applied before anything is written.

A row is read by ``schemas.aliases`` and ``schemas.normalise``, like a record in the worker. What passes is written
under canonical names; a channel that was derived is left out again, so that a replay under other rules derives anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from api.producer import MAX_RECORD_BYTES, OutRecord
from api.quick_intake import sure
from attribution.channels import ChannelRules
from schemas.aliases import canonical
from schemas.codec import Event, EventKind, encode_json
from schemas.events import SpendEvent
from schemas.lines import Line, json_row
from schemas.normalise import to_event
from schemas.records import InvalidRecordError, shown
from schemas.topics import topic_of

MAX_EVENTS: Final = 10_000
_encode: Final = msgspec.json.Encoder(decimal_format="number", order="sorted", enc_hook=str).encode


class RowError(NamedTuple):
    """Why a row was not taken. ``at`` counts events from 0, ``line`` lines of the body from 1."""

    at: int
    line: int
    event_id: str | None
    field: str
    value: object
    reason: str
    detail: str


class _Checked(NamedTuple):
    """What the rules read of a record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Taken:
    """What became of the rows: ``indices[i]`` is the index of the row behind ``records[i]``."""

    records: list[OutRecord] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


def take(kind: EventKind, rows: Sequence[Line], rules: ChannelRules, now_ms: int) -> Taken:
    """Check every row at the time ``now_ms``; each is in ``records`` or in ``errors``."""
    taken = Taken()
    for index, (line, row) in enumerate(rows):
        _take(taken, kind, index, line, row, rules, now_ms)
    return taken


def take_lines(kind: EventKind, lines: Sequence[tuple[int, bytes]], rules: ChannelRules, now_ms: int) -> Taken:
    """The same for lines of NDJSON, with their numbers; those in the wire's own form pass as they are."""
    taken = Taken()
    known = sure(kind, [raw for _, raw in lines], rules, now_ms)
    for index, (line, raw) in enumerate(lines):
        found = known.get(index)
        if found is None:
            _take(taken, kind, index, line, json_row(raw), rules, now_ms)
        else:
            taken.records.append(found[0])
            taken.indices.append(index)
            taken.event_ids.append(found[1])
    return taken


def _take(
    taken: Taken,
    kind: EventKind,
    index: int,
    line: int,
    row: Mapping[str, object] | str,
    rules: ChannelRules,
    now_ms: int,
) -> None:
    if isinstance(row, str):
        taken.errors.append(RowError(index, line, None, "", None, "undecodable", row))
        return
    fields: dict[str, Any] = {}
    try:
        fields = canonical(kind, row)
        if "event_id" not in fields:
            fields["event_id"] = derived_id(kind, fields)
        event, record = checked(kind, fields, rules, now_ms)
    except InvalidRecordError as error:
        event_id = fields.get("event_id")
        shown_id = shown(event_id) if isinstance(event_id, str) else None
        value = fields.get(error.field)
        taken.errors.append(RowError(index, line, shown_id, error.field, value, error.reason, error.detail))
        return
    taken.records.append(record)
    taken.indices.append(index)
    taken.event_ids.append(event.event_id)


def checked(kind: EventKind, fields: dict[str, Any], rules: ChannelRules, now_ms: int) -> tuple[Event, OutRecord]:
    """The event of canonical fields, and the record that carries it.

    Raises:
        InvalidRecordError: with the rule that is broken.
    """
    topic = topic_of(kind).topic
    owner = fields.get("customer_id")
    try:
        key = owner.encode() if isinstance(owner, str) else None
        event = to_event(kind, fields, _Checked(topic, 0, 0, now_ms, key, b"", ()), rules)
        if kind == "touchpoint" and not _has_channel(fields):
            event.channel = None  # type: ignore[union-attr]  # encoded without it
        if isinstance(event, SpendEvent):
            key = event.channel.encode()
        record = OutRecord(topic, key, encode_json(event))
    except UnicodeEncodeError:
        raise InvalidRecordError("undecodable", "", "holds half a surrogate pair; send UTF-8") from None
    size = len(record.value) + len(record.key or b"")
    if size > MAX_RECORD_BYTES:
        longest = max(fields, key=lambda name: len(repr(fields[name])))
        raise InvalidRecordError(
            "too_long", longest, f"makes the event {size:,} bytes long, at most {MAX_RECORD_BYTES:,}; shorten it"
        )
    return event, record


def derived_id(kind: EventKind, fields: Mapping[str, Any]) -> str:
    """The id of an event that was sent without one: the same content is the same event.

    Raises:
        InvalidRecordError: content that JSON cannot carry.
    """
    try:
        content = _encode(dict(fields))
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError):
        raise InvalidRecordError("undecodable", "", "holds a value that JSON in UTF-8 cannot carry") from None
    return f"{kind}:{hashlib.sha256(content).hexdigest()[:32]}"


def _has_channel(fields: Mapping[str, Any]) -> bool:
    channel = fields.get("channel")
    return isinstance(channel, str) and bool(channel.strip())
