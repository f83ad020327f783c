"""The ``id:`` of an event: where a listener goes on.

A process numbers what it finds and keeps the last of it, so in the same process a listener goes on with the very next
event. Elsewhere the rows of the store are read, from a little before the highest stamp that was delivered: what became
visible late is among them, and what was delivered comes again. Of rows that are older than any insert can be late
nothing is missing; where a read from the store has come to them, the cursor is their very position.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple, TypeAlias

import msgspec

from api.errors import invalid
from api.live_store import Version

_VERSION: Final = 1
_Written: TypeAlias = tuple[int, str, str, int, int, int, tuple[str, int, bool] | None]


class LiveCursor(NamedTuple):
    """``hub``: which numbering; ``""`` of rows from the store. ``stamp_us``: highest one delivered.

    ``version``: id, ``rev`` and removal of the row at which the store was read, all before it delivered; else None.
    """

    hub: str
    number: int
    stamp_us: int
    run_id: int
    version: Version | None = None

    def encode(self) -> str:
        """As text without spaces."""
        raw = msgspec.json.encode((_VERSION, "l", *self))
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str | None, field: str) -> LiveCursor | None:
    """The cursor that ``encode`` gave.

    Raises:
        Problem: 422, it is none.
    """
    if not text:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        form, kind, hub, number, stamp_us, run_id, version = msgspec.json.decode(raw, type=_Written)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        form, kind, hub, number, stamp_us, run_id, version = 0, "", "", 0, 0, 0, None
    if (
        (form, kind) != (_VERSION, "l")
        or not 0 <= stamp_us < 2**62
        or not 0 <= run_id < 2**32
        or (version and not 0 <= version[1] < 2**64)
    ):
        raise invalid(field, text, "is not the id of an event of this stream; give it back as it came")
    return LiveCursor(hub, number, stamp_us, run_id, version)
