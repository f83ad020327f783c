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


def _first(touch: Touch) -> bytes:
    """A journey of one touch."""
    header = _HEADER.pack(FORMAT_VERSION, False, 1, touch[0], touch[0], 1)
    return b"".join((header, _NO_EVENTS, _COUNT.pack(_ARRAY32, 1), _encode(touch)))


def append_touches(raw: bytes | None, touches: Sequence[Touch], config: AttributionConfig) -> bytes | None:
    """The journey (None: a new one) with these touches, or None if it takes more than appending them.

    Appending is enough when every touch is later than everything the journey holds (so no conversion can be
    affected and order is kept), none is known already, no bound is reached, and no other id has a part in it.
    """
    if raw is None:
        return _first(touches[0]) if len(touches) == 1 and touches[0][0] >= 0 else None
    format_, flags, rev, newest, oldest, size = _HEADER.unpack_from(raw)
    if format_ != FORMAT_VERSION or flags & LINKED:
        return None
    middle = _HEADER_SIZE + size
    _, count = _COUNT.unpack_from(raw, middle)
    added = []
    for touch in touches:
        at_us = touch[0]
        if at_us <= newest or touch[1].encode() in raw:
            return None
        newest = at_us
        added.append(_encode(touch))
    if len(added) > 1 and len({t[1] for t in touches}) != len(touches):
        return None
    total = count + len(added)
    oldest = oldest or touches[0][0]
    kept_us = config.horizon_us if size == 1 else min(config.horizon_us, config.conversion_retention_us)
    if total > config.max_touchpoints + 1 or oldest < newest - kept_us:
        return None
    header = _HEADER.pack(FORMAT_VERSION, flags, rev + len(added), newest, oldest, size)
    return b"".join((header, raw[_HEADER_SIZE:middle], _COUNT.pack(_ARRAY32, total), raw[middle + 5 :], *added))
