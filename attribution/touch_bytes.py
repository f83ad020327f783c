"""Where the touches of a stored journey begin: a few are passed over without decoding the others.

A touch is a msgpack array of an integer and three texts, as ``journey_bytes`` writes it.
"""

from __future__ import annotations

from typing import Final

_TOUCH: Final = 0x94
#: Bytes of an integer after its first one, by that one; the others are the integer themselves.
_INTEGERS: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
#: Bytes that hold the length of a text, by its first byte; a text of below 32 bytes has its length in the first.
_TEXTS: Final = {0xD9: 1, 0xDA: 2, 0xDB: 4}


def skip_touches(raw: bytes, at: int, count: int) -> int:
    """The position behind ``count`` touches, the first of which begins at ``at``.

    Raises:
        ValueError: there is no touch.
    """
    for _ in range(count):
        if raw[at] != _TOUCH:
            raise ValueError(f"no touch begins at byte {at} of a journey")
        at += 2 + _INTEGERS.get(raw[at + 1], 0)
        for _ in range(3):
            first = raw[at]
            digits = _TEXTS.get(first, 0)
            size = int.from_bytes(raw[at + 1 : at + 1 + digits], "big") if digits else first & 0x1F
            at += 1 + digits + size
    return at
