"""The stored form of a journey, made so that a touch in order is appended without reading the rest.

Layout, format 2 (little endian)::

    u8  format    u8 flags (1: truncated)    u64 rev    i64 newest_us    i64 oldest_us    u32 size of events
    msgpack array of events
    0xdd, u32 big endian: number of touches    touches, each a msgpack array, sorted

Equal journeys have equal bytes, however they came about. ``newest_us`` and ``oldest_us`` are over touches and events,
0 without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, TypeAlias

import msgspec

from attribution.config import AttributionConfig
from attribution.types import ConversionEvent, Touch

#: First byte of a stored journey.
FORMAT_VERSION: Final = 2

#: ``(rev, truncated, touches, events)``
Parts: TypeAlias = tuple[int, bool, list[Touch], list[ConversionEvent]]

_HEADER: Final = Struct("<BBQqqI")
_HEADER_SIZE: Final = _HEADER.size
_COUNT: Final = Struct(">BI")
_ARRAY32: Final = 0xDD
_encode = msgspec.msgpack.Encoder().encode
_decode_events = msgspec.msgpack.Decoder(list[ConversionEvent]).decode
_decode_touches = msgspec.msgpack.Decoder(list[Touch]).decode
_NO_EVENTS: Final = _encode([])


class UnknownJourneyFormatError(ValueError):
    """The stored bytes were written by another version of this program."""


def to_bytes(rev: int, truncated: bool, touches: Sequence[Touch], events: Sequence[ConversionEvent]) -> bytes:
    """Bytes of a journey whose touches and events are sorted."""
    newest = touches[-1][0] if touches else 0
    oldest = touches[0][0] if touches else 0
    stored_events = _NO_EVENTS
    if events:
        newest = max(newest, events[-1].at_us)
        oldest = min(oldest or events[0].at_us, events[0].at_us)
        stored_events = _encode(events)
    count = len(touches)
    body = _encode(touches)[1 if count < 16 else 3 if count < 65_536 else 5 :]
    header = _HEADER.pack(FORMAT_VERSION, truncated, rev, newest, oldest, len(stored_events))
    return b"".join((header, stored_events, _COUNT.pack(_ARRAY32, count), body))


def from_bytes(raw: bytes) -> Parts:
    """Read what ``to_bytes`` wrote.

    Raises:
        UnknownJourneyFormatError: the first byte names a format that this program does not read.
    """
    if raw[0] != FORMAT_VERSION:
        raise UnknownJourneyFormatError(
            f"journey bytes have format {raw[0]}, this program reads {FORMAT_VERSION}: run the version that "
            "wrote them, or replay the topics into a new state directory and changelog"
        )
    _, flags, rev, _, _, size = _HEADER.unpack_from(raw)
    middle = _HEADER_SIZE + size
    events = [] if size == 1 else _decode_events(raw[_HEADER_SIZE:middle])
    return rev, bool(flags), _decode_touches(raw[middle:]), events


def _first(touch: Touch) -> bytes:
    """A journey of one touch."""
    header = _HEADER.pack(FORMAT_VERSION, False, 1, touch[0], touch[0], 1)
    return b"".join((header, _NO_EVENTS, _COUNT.pack(_ARRAY32, 1), _encode(touch)))


def append_touches(raw: bytes | None, touches: Sequence[Touch], config: AttributionConfig) -> bytes | None:
    """The journey (None: a new one) with these touches, or None if it takes more than appending them.

    Appending is enough when every touch is later than everything the journey holds (so no conversion can be
    affected and order is kept), none is known already, and no bound is reached.
    """
    if raw is None:
        return _first(touches[0]) if len(touches) == 1 and touches[0][0] >= 0 else None
    format_, flags, rev, newest, oldest, size = _HEADER.unpack_from(raw)
    if format_ != FORMAT_VERSION:
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
