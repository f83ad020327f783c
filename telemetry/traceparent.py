"""W3C trace context without any library: ``00-<trace id>-<span id>-<flags>``, read, written, and passed along.

``CURRENT`` holds that of the request under way, if its caller or a tracer of ours gave it one. A program without a
tracer passes on what it was sent, so that a trace is not cut where it leaves us.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final, NamedTuple

#: Name of the HTTP header and of the Kafka header.
TRACEPARENT: Final = "traceparent"

_FORM: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_LONGEST: Final = 256


class TraceParent(NamedTuple):
    """Ids as ints; never 0."""

    trace_id: int
    span_id: int
    is_sampled: bool

    @property
    def trace_hex(self) -> str:
        """32 hexadecimal digits."""
        return f"{self.trace_id:032x}"

    def header(self) -> bytes:
        """The value of the header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.is_sampled):02x}".encode()


#: Of the request that this task or thread works on.
CURRENT: ContextVar[TraceParent | None] = ContextVar("traceparent", default=None)


def parse(value: bytes | None) -> TraceParent | None:
    """What the header says; None for none, or one that is not valid (which is then ignored, as W3C wants it)."""
    if not value or len(value) > _LONGEST:
        return None
    match = _FORM.fullmatch(value.strip())
    if match is None or (value[:2] == b"00" and len(match[0]) != 55):
        return None
    trace_id, span_id = int(match[1], 16), int(match[2], 16)
    if not trace_id or not span_id:
        return None
    return TraceParent(trace_id, span_id, bool(int(match[3], 16) & 1))


def current_ids() -> tuple[str, str] | None:
    """Trace and span of the request under way, in hexadecimal."""
    found = CURRENT.get()
    return None if found is None else (found.trace_hex, f"{found.span_id:016x}")
