"""``meta`` of an aggregate, and the entity tag by which a client asks whether it changed."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from api import responses, store


def freshness(
    meta: store.Meta, now: datetime, *, model: str | None = None, currency: str | None = None
) -> responses.Meta:
    """What the numbers stand on, seen at ``now``; the lag is not negative where clocks disagree."""
    lag = None if meta.watermark is None else max(0.0, round((now - meta.watermark).total_seconds(), 3))
    return responses.Meta(
        run_id=meta.run_id,
        as_of=meta.as_of,
        watermark=meta.watermark,
        lag_seconds=lag,
        model=model,
        model_version=meta.model_version,
        currency=currency,
    )


def entity_tag(media_type: str, asked: object, answer: object) -> str:
    """A weak tag: equal while the numbers are equal, though ``lag_seconds`` moves on by itself."""
    return f'W/"{hashlib.sha256(msgspec.json.encode((media_type, asked, answer))).hexdigest()[:24]}"'


def is_current(if_none_match: str | None, tag: str) -> bool:
    """Whether the client already holds this answer (weak comparison, RFC 9110 13.1.2)."""
    if if_none_match is None:
        return False
    held = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return "*" in held or tag.removeprefix("W/") in held
