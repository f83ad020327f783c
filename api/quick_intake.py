"""Lines of NDJSON that are in the wire's own form already, checked by the workers' hot loop and passed on as they are.

Such a line holds canonical names alone, so it is what ``intake`` would write, too. Whatever the loop is not sure of is
left to ``intake``, which decides and says what is wrong; a property test compares the two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import msgspec

from api.producer import MAX_RECORD_BYTES, OutRecord
from attribution.channels import ChannelRules
from schemas import fast
from schemas.codec import EventKind
from schemas.records import RawRecord
from schemas.topics import topic_of
from schemas.wire import wire_type


class _Owner(msgspec.Struct, gc=False):
    """What the record's key is made of; other fields are passed over."""

    customer_id: str


class _Line(msgspec.Struct, gc=False):
    """A line in the shape of a record; ``offset`` is its place among the lines."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


#: Longer lines are left to ``intake``, which knows how long a record may be.
_LONG: Final = MAX_RECORD_BYTES // 2

_owner: Final = msgspec.json.Decoder(_Owner).decode


def sure(kind: EventKind, lines: Sequence[bytes], rules: ChannelRules, now_ms: int) -> dict[int, tuple[OutRecord, str]]:
    """Record and event id of the lines that may pass as they are, by their place."""
    loop = _LOOPS.get(kind)
    if loop is None:
        return {}
    topic = topic_of(kind).topic
    records: list[RawRecord] = []
    for place, line in enumerate(lines):
        if len(line) > _LONG:
            continue
        try:
            key = _owner(line).customer_id.encode()
        except fast.NOT_USUAL:
            continue
        records.append(_Line(topic, 0, place, now_ms, key, line))
    events: list[Any] = []
    loop(records, events, rules)
    return {e.offset: (OutRecord(topic, e.customer_id.encode(), lines[e.offset]), e.event_id) for e in events}


def _touchpoints(records: Sequence[RawRecord], events: list[Any], rules: ChannelRules) -> None:
    fast.touchpoints(records, events, _decoder("touchpoint"), _nothing, _pass_over, fast.Memos(rules), rules)


def _conversions(records: Sequence[RawRecord], events: list[Any], rules: ChannelRules) -> None:
    fast.conversions(records, events, _decoder("conversion"), _nothing, _pass_over, fast.Memos(rules))


_LOOPS: Final[dict[EventKind, Callable[[Sequence[RawRecord], list[Any], ChannelRules], None]]] = {
    "touchpoint": _touchpoints,
    "conversion": _conversions,
}


@cache
def _decoder(kind: EventKind) -> Callable[[Any], Any]:
    return msgspec.json.Decoder(wire_type(kind)).decode


def _nothing(_record: RawRecord) -> None:
    """No other format: a body is JSON."""


def _pass_over(_record: RawRecord) -> None:
    """Left to ``intake``."""
