"""Dead letters as answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from api.collector_letters import FIRST_OFFSET
from api.letter_responses import DeadLetter, DeadLetterShown, HeaderOut, RetryOut, SentAgain
from api.letter_store import LetterRow, Retried, WholeLetter

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def matching(
    rows: Iterable[LetterRow], reason: str, topic: str, since: datetime | None, retried: bool | None
) -> list[LetterRow]:
    """Letters that fit, the newest first; an empty text and None fit all."""
    fitting = [
        r
        for r in rows
        if reason in {"", r.reason}
        and topic in {"", r.topic}
        and (since is None or (r.failed_at is not None and r.failed_at >= since))
        and retried in {None, r.retried}
    ]
    return sorted(fitting, key=position, reverse=True)


def position(row: LetterRow) -> tuple[int, int, int]:
    """Sorts letters: microseconds, partition, offset."""
    at = 0 if row.failed_at is None else (row.failed_at - _EPOCH) // timedelta(microseconds=1)
    return (at, *row.place)


def shown(row: LetterRow, *, with_detail: bool) -> DeadLetter:
    """A letter without key and value."""
    return DeadLetter.model_validate(_fields(row) | {"detail": row.detail if with_detail else None})


def whole(letter: WholeLetter) -> DeadLetterShown:
    """A letter with key, value and headers."""
    key, key_encoding = as_text(letter.key)
    value, value_encoding = as_text(letter.value)
    headers = [HeaderOut(name=n, value=text, encoding=e) for n, v in letter.headers for text, e in [as_text(v)]]
    more = {"key": key, "key_encoding": key_encoding, "value": value, "value_encoding": value_encoding}
    return DeadLetterShown.model_validate(_fields(letter.row) | more | {"headers": headers, "retried": None})


def sent(done: Retried) -> RetryOut:
    """What became of letters."""
    return RetryOut(
        sent=[SentAgain(topic=topic, count=count) for topic, count in sorted(done.sent.items())],
        total=sum(done.sent.values()),
        already_sent=done.already_sent,
        missing=[str(place) for place in sorted(done.missing)],
    )


def as_text(raw: bytes | None) -> tuple[str | None, Literal["text", "hex"]]:
    """Text where it is text that people can read, else hex."""
    if raw is None:
        return None, "text"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw.hex(), "hex"
    is_readable = all(c.isprintable() or c in "\n\r\t" for c in text)
    return (text, "text") if is_readable else (raw.hex(), "hex")


def _fields(row: LetterRow) -> dict[str, Any]:
    is_real = row.offset < FIRST_OFFSET
    return {
        "letter": str(row.place),
        "topic": row.topic,
        "partition": row.partition if is_real else None,
        "offset": row.offset if is_real else None,
        "reason": row.reason,
        "field": row.field,
        "detail": row.detail,
        "stage": row.stage,
        "failed_at": row.failed_at,
        "attempts": row.attempts,
        "retry_of": row.retry_of or None,
        "retried": row.retried,
    }
