"""Where a record holds what changes when it is sent again: ids and times, at fixed places and of fixed width.

A ``Patches`` is made once from records laid end to end, and rewrites such bytes for a lap: the hash in every id, and
every time, moved by whole milliseconds (report days by whole days). All spellings keep their length: epoch milliseconds
and microseconds have their digits from 2001 to 2286, ISO-8601 is written to the microsecond, Avro's zigzag longs have
eight bytes from 1979 to 3111.

Raises ``UnpatchableError`` for a record in which the time cannot be told, which no population makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.events import SpendEvent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from loadgen.clocks import Ints
    from loadgen.records import Event

    Bytes = NDArray[np.uint8]

HASH_CHARS: Final = 8
_DAY_US: Final = 86_400_000_000
_TIME_FIELD: Final = b'"occurred_at":'
_DAY_FIELD: Final = b'"spend_date":"'
_MS_DIGITS, _US_DIGITS, _ISO_CHARS, _DAY_CHARS, _AVRO_BYTES = 13, 16, 26, 10, 8
#: As in 2026-01-31T08:00:00Z.
_WHOLE_SECONDS_CHARS: Final = 20
#: Kinds of place.
HASH, MS, US, ISO, AVRO, DAY = range(6)


class UnpatchableError(ValueError):
    """A record whose time is not written in a way that keeps its length."""


def widened(value: bytes) -> bytes:
    """The same event with microseconds behind a time that is written without them, because they are 0."""
    start = value.find(_TIME_FIELD + b'"')
    if start < 0:
        return value
    end = value.index(b'"', start + len(_TIME_FIELD) + 1)
    is_short = end - start - len(_TIME_FIELD) - 1 == _WHOLE_SECONDS_CHARS
    return value[: end - 1] + b".000000" + value[end - 1 :] if is_short else value


def places(value: bytes, event: Event, id_hash: bytes) -> list[tuple[int, int, int]]:
    """``(kind, offset, number)`` of each place of a record; the number is what is written there, in its unit.

    Raises:
        UnpatchableError: the time is not found, or twice, or not in the expected width.
    """
    found = []
    at = value.find(id_hash)
    while at >= 0:
        found.append((HASH, at, 0))
        at = value.find(id_hash, at + HASH_CHARS)
    return [*found, _day(value, event) if isinstance(event, SpendEvent) else _time(value, event.occurred_at_us)]


def _day(value: bytes, event: SpendEvent) -> tuple[int, int, int]:
    return DAY, value.index(_DAY_FIELD) + len(_DAY_FIELD), event.spend_day


def _time(value: bytes, at_us: int) -> tuple[int, int, int]:
    if value[:1] != b"{":
        encoded = zigzag(at_us)
        if len(encoded) != _AVRO_BYTES or value.count(encoded) != 1:
            raise UnpatchableError(f"no single time in {value!r}")
        return AVRO, value.index(encoded), at_us
    start = value.index(_TIME_FIELD) + len(_TIME_FIELD)
    if value[start : start + 1] == b'"':
        text = value[start + 1 : value.index(b'"', start + 1)]
        if len(text) != _ISO_CHARS + 1:
            raise UnpatchableError(f"the time is written without microseconds: {text!r}")
        return ISO, start + 1, at_us
    width = next(i for i in range(32) if not value[start + i : start + i + 1].isdigit())
    if width == _MS_DIGITS:
        return MS, start, at_us // 1000
    if width == _US_DIGITS:
        return US, start, at_us
    raise UnpatchableError(f"a time of {width} digits")


def zigzag(number: int) -> bytes:
    """Avro's encoding of a long that is not negative."""
    left, out = number * 2, bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


class Patches:
    """All places of some records laid end to end, as ``(kind, offset, number)`` with offsets into the whole."""

    def __init__(self, found: list[tuple[int, int, int]]) -> None:
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        self._at, self._numbers = {}, {}
        for kind in range(6):
            rows = table[table[:, 0] == kind]
            self._at[kind], self._numbers[kind] = rows[:, 1], rows[:, 2]

    def apply(self, content: Bytes, id_hash: bytes, shift_us: int) -> None:
        """Write the ids' hash and the times moved by ``shift_us``, whole milliseconds, into the bytes."""
        self._put(content, HASH, np.broadcast_to(np.frombuffer(id_hash, np.uint8), (len(self._at[HASH]), HASH_CHARS)))
        if not shift_us:
            return
        numbers = self._numbers
        self._put(content, MS, _digits(numbers[MS] + shift_us // 1000, _MS_DIGITS))
        self._put(content, US, _digits(numbers[US] + shift_us, _US_DIGITS))
        self._put(content, AVRO, _zigzags(numbers[AVRO] + shift_us))
        self._put(content, ISO, _iso(numbers[ISO] + shift_us))
        self._put(content, DAY, _days(numbers[DAY] + shift_us // _DAY_US))

    def _put(self, content: Bytes, kind: int, columns: Bytes) -> None:
        if len(self._at[kind]):
            content[self._at[kind][:, None] + np.arange(columns.shape[1])] = columns


def _digits(numbers: Ints, width: int) -> Bytes:
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _zigzags(numbers: Ints) -> Bytes:
    groups = (numbers[:, None] * 2) >> (7 * np.arange(_AVRO_BYTES, dtype=np.int64)) & 0x7F
    groups[:, :-1] |= 0x80
    return groups.astype(np.uint8)


def _days(days: Ints) -> Bytes:
    distinct, which = np.unique(days, return_inverse=True)
    text = np.datetime_as_string(distinct.astype("datetime64[D]")).astype("S10")
    return text.view(np.uint8).reshape(-1, _DAY_CHARS)[which]


def _iso(numbers: Ints) -> Bytes:
    out = np.full((len(numbers), _ISO_CHARS), ord(":"), np.uint8)
    seconds, micros = np.divmod(numbers, 1_000_000)
    days, seconds = np.divmod(seconds, 86_400)
    out[:, :10] = _days(days)
    out[:, 10] = ord("T")
    out[:, 11:13] = _digits(seconds // 3600, 2)
    out[:, 14:16] = _digits(seconds // 60 % 60, 2)
    out[:, 17:19] = _digits(seconds % 60, 2)
    out[:, 19] = ord(".")
    out[:, 20:] = _digits(micros, 6)
    return out
