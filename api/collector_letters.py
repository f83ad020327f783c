"""Dead letters of the collector: messages that are no events, as they came, with the reason in their headers.

An SDK cannot read why one message of a batch was refused, so the message is kept where operators look. The headers
are those of the workers' letters, so that ``attribution dlq list | show | retry`` read them. A message has no place in
a source topic: partition 0 and an offset beyond every real one stand for it, made from its content, so that the same
message sent twice is one letter.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Final

import msgspec

from api.producer import OutRecord
from collector.mapped import Read
from schemas.records import InvalidRecordError
from schemas.topics import topic_of

STAGE: Final = "collect"
#: Of a longer message the beginning is kept: the letter must fit the topic. SDKs send at most 32 KB.
MAX_MESSAGE_BYTES: Final = 262_144
#: The first offset that stands for a message; Kafka's own stay far below.
FIRST_OFFSET: Final = 1 << 62
_encode: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def letter(read: Read, refusal: InvalidRecordError, *, topic: str, now: datetime) -> OutRecord:
    """The record of a refused message.

    Args:
        read: the message.
        refusal: why.
        topic: where its event would have gone, under the workspace's name.
        now: aware UTC.
    """
    whole = _as_json(_without_key(read.message))
    value, detail = whole[:MAX_MESSAGE_BYTES], refusal.detail
    if len(value) < len(whole):
        detail = f"{detail} (message of {len(whole)} bytes, the first {len(value)} are here)"
    offset = FIRST_OFFSET + int.from_bytes(hashlib.sha256(whole).digest()[:7])
    headers = {
        "dlq.reason": refusal.reason,
        "dlq.detail": detail,
        "dlq.field": refusal.field,
        "dlq.stage": STAGE,
        "dlq.topic": topic,
        "dlq.partition": "0",
        "dlq.offset": str(offset),
        "dlq.timestamp": str(int(now.timestamp() * 1000)),
        "dlq.failed_at": now.isoformat(),
        "dlq.attempts": "1",
    }
    key = None if read.customer_id is None else read.customer_id.encode("utf-8", "replace")
    encoded = tuple((name, text.encode("utf-8", "replace")) for name, text in headers.items())
    return OutRecord(topic_of("dead_letter").topic, key, value, encoded)


def _without_key(message: Any) -> Any:
    """Segment's protocol allows the write key in a message; a letter must not hand it to whoever reads letters."""
    if not isinstance(message, dict) or "writeKey" not in message:
        return message
    return {name: value for name, value in message.items() if name != "writeKey"}


def _as_json(message: Any) -> bytes:
    try:
        return _encode(message)
    except (OverflowError, RecursionError, TypeError, UnicodeEncodeError):
        pass  # huge integers and half surrogate pairs: escaped, they can be kept
    try:
        return json.dumps(message, default=str).encode()
    except (RecursionError, TypeError, ValueError):
        return repr(type(message)).encode()
