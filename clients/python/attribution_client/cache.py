"""Answers by entity tag: an unchanged report is asked for by its tag and not sent again (RFC 9110, 13.1.2)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from attribution_client.decoding import decode
from attribution_client.models.common import Meta


class Kept(NamedTuple):
    """An answer and its tag."""

    tag: str
    answer: Any


class Cache:
    """The answers used last, of one credential. May be used by several threads.

    Args:
        entries: at most.
    """

    def __init__(self, entries: int = 128) -> None:
        self._entries = entries
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> Kept | None:
        """What is kept of this question."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: tuple[object, ...], kept: Kept) -> None:
        """Keep an answer; the one used longest ago goes."""
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


def renewed(answer: Any, headers: Mapping[str, str]) -> Any:
    """A kept answer with the freshness of the 304 that confirmed it: the ``X-Meta-…`` headers."""
    former = getattr(answer, "meta", None)
    if not isinstance(former, Meta):
        return answer
    found: dict[str, Any] = {}
    for field in fields(Meta):
        text = headers.get(f"x-meta-{field.name.replace('_', '-')}")
        found[field.name] = _READ.get(field.name, str)(text) if text is not None else None
    if found["run_id"] is None:
        return answer
    return replace(answer, meta=decode(Meta, found))


_READ: dict[str, type] = {"run_id": int, "lag_seconds": float}
