"""The stored form of a journey, made so that a touch in order is appended without reading the rest.

Layout, format 3 (little endian)::

    u8  format    u8 flags    u64 rev    i64 newest_us    i64 oldest_us    u32 size of the events' part
    msgpack array of events; with flag 4: msgpack array (events, links, absorbed, origins)
    0xdd, u32 big endian: number of touches    touches, each a msgpack array, sorted

Flags: 1 truncated, 2 contradicted, 4 linked. Equal journeys have equal bytes, however they came about. ``newest_us``
and ``oldest_us`` are over touches and events, 0 without any. Format 2 had no flags but the first, and is read as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

import msgspec

from attribution.config import AttributionConfig
from attribution.identity import Link
from attribution.touch_bytes import skip_touches
from attribution.types import ConversionEvent, Touch

#: First byte of a stored journey.
FORMAT_VERSION: Final = 3
_READABLE: Final = (2, 3)

TRUNCATED: Final = 1
CONTRADICTED: Final = 2
LINKED: Final = 4

_HEADER: Final = Struct("<BBQqqI")
_HEADER_SIZE: Final = _HEADER.size
_COUNT: Final = Struct(">BI")
_ARRAY32: Final = 0xDD
_encode = msgspec.msgpack.Encoder().encode
_decode_events = msgspec.msgpack.Decoder(list[ConversionEvent]).decode
_decode_touches = msgspec.msgpack.Decoder(list[Touch]).decode
_decode_linked = msgspec.msgpack.Decoder(
    tuple[list[ConversionEvent], list[Link], list[tuple[str, int]], list[tuple[Link, bytes]]]
).decode
_NO_EVENTS: Final = _encode([])
#: To look for each of several ids in longer bytes than this costs more than reading the journey.
_SEARCHED_BYTES: Final = 1 << 18
_pack_header, _unpack_header = _HEADER.pack, _HEADER.unpack_from
_pack_count, _unpack_count = _COUNT.pack, _COUNT.unpack_from


class UnknownJourneyFormatError(ValueError):
    """The stored bytes were written by another version of this program."""


@dataclass(slots=True)
class Parts:
    """All that is stored of a journey; see ``Journey``."""

    rev: int = 0
    truncated: bool = False
    touches: list[Touch] = field(default_factory=list)
    events: list[ConversionEvent] = field(default_factory=list)
    contradicted: bool = False
    links: list[Link] = field(default_factory=list)
    absorbed: dict[str, int] = field(default_factory=dict)
    origins: dict[Link, bytes] = field(default_factory=dict)


def to_bytes(parts: Parts) -> bytes:
    """Bytes of a journey whose touches, events and links are sorted."""
    touches, events = parts.touches, parts.events
    newest = touches[-1][0] if touches else 0
    oldest = touches[0][0] if touches else 0
    flags = parts.truncated * TRUNCATED | parts.contradicted * CONTRADICTED
    stored_events = _NO_EVENTS
    if events:
        newest = max(newest, events[-1].at_us)
        oldest = min(oldest or events[0].at_us, events[0].at_us)
        stored_events = _encode(events)
    if parts.links:
        flags |= LINKED
        stored_events = _encode((events, parts.links, sorted(parts.absorbed.items()), sorted(parts.origins.items())))
    count = len(touches)
    body = _encode(touches)[1 if count < 16 else 3 if count < 65_536 else 5 :]
    header = _HEADER.pack(FORMAT_VERSION, flags, parts.rev, newest, oldest, len(stored_events))
    return b"".join((header, stored_events, _COUNT.pack(_ARRAY32, count), body))


def from_bytes(raw: bytes) -> Parts:
    """Read what ``to_bytes`` wrote.

    Raises:
        UnknownJourneyFormatError: the first byte names a format that this program does not read.
    """
    if raw[0] not in _READABLE:
        raise UnknownJourneyFormatError(
            f"journey bytes have format {raw[0]}, this program reads {', '.join(map(str, _READABLE))}: run the version "
            "that wrote them, or replay the topics into a new state directory and changelog"
        )
    _, flags, rev, _, _, size = _HEADER.unpack_from(raw)
    middle = _HEADER_SIZE + size
    stored = raw[_HEADER_SIZE:middle]
    parts = Parts(rev, bool(flags & TRUNCATED), _decode_touches(raw[middle:]))
    parts.contradicted = bool(flags & CONTRADICTED)
    if flags & LINKED:
        parts.events, parts.links, absorbed, origins = _decode_linked(stored)
        parts.absorbed, parts.origins = dict(absorbed), dict(origins)
    elif size != 1:
        parts.events = _decode_events(stored)
    return parts


def _begin(touches: Sequence[Touch], config: AttributionConfig) -> bytes | None:
    """A journey of nothing but these touches, or None if one of them would have to be judged or dropped."""
    count = len(touches)
    if count == 1:
        added = _encode(touches[0])
    elif count > config.max_touchpoints or len({t[1] for t in touches}) != count:
        return None
    else:
        touches = sorted(touches)
        added = b"".join([_encode(t) for t in touches])
    oldest = touches[0][0]
    if oldest < 0:
        return None
    header = _HEADER.pack(FORMAT_VERSION, 0, count, touches[-1][0], oldest, 1)
    return b"".join((header, _NO_EVENTS, _COUNT.pack(_ARRAY32, count), added))


def append_touches(raw: bytes | None, touches: Sequence[Touch], config: AttributionConfig) -> bytes | None:
    """The journey (None: a new one) with these touches, or None if it takes more than appending them.

    Appending is enough when every touch is later than everything the journey holds (so no conversion can be
    affected and order is kept), none is known already, and no other id has a part in it. Beyond the bound on touches
    the oldest but the first are cut out, if there is no conversion that loses one.
    """
    if raw is None:
        return _begin(touches, config)
    format_, flags, rev, newest, oldest, size = _unpack_header(raw)
    if format_ != FORMAT_VERSION or flags & LINKED:
        return None
    more, middle = len(touches), _HEADER_SIZE + size
    later = _later(raw, touches, newest)
    if later is None:
        return None
    newest, oldest = later[-1][0], oldest or later[0][0]
    kept_us = config.lookback_us + config.allowed_lateness_us  # horizon_us, without the call
    if size != 1 and kept_us > config.conversion_retention_us:
        kept_us = config.conversion_retention_us
    if oldest < newest - kept_us:
        return None
    total, stored = _unpack_count(raw, middle)[1] + more, raw[middle + 5 :]
    if total > config.max_touchpoints + 1:
        if size != 1 or more > config.max_touchpoints:
            return None
        stored = _without_oldest(stored, total - config.max_touchpoints - 1)
        total, flags = config.max_touchpoints + 1, flags | TRUNCATED
    header = _pack_header(FORMAT_VERSION, flags, rev + more, newest, oldest, size)
    added = _encode(later[0]) if more == 1 else b"".join([_encode(t) for t in later])
    return b"".join((header, raw[_HEADER_SIZE:middle], _pack_count(_ARRAY32, total), stored, added))


def _later(raw: bytes, touches: Sequence[Touch], newest: int) -> Sequence[Touch] | None:
    """The touches in order, if every one is later than what the journey holds and new to it."""
    more = len(touches)
    if more > 1:
        touches = sorted(touches)
        if more * len(raw) > _SEARCHED_BYTES or len({t[1] for t in touches}) != more:
            return None
    for touch in touches:
        at_us = touch[0]
        if at_us <= newest or touch[1].encode() in raw:
            return None
        newest = at_us
    return touches


def _without_oldest(stored: bytes, count: int) -> bytes:
    """Touches but the oldest ones; the first of all stays."""
    second = skip_touches(stored, 0, 1)
    return stored[:second] + stored[skip_touches(stored, second, count) :]
