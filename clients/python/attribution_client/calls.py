"""A request as a value, independent of how it is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import quote

T = TypeVar("T")
Query: TypeAlias = "dict[str, str | tuple[str, ...]]"

JSON: Final = "application/json"
_PACKED_FROM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request.

    Attributes:
        method, path: as the API's description has them; ``ids`` fill the path's names.
        answer: what an answer is decoded to; ``None`` where there is no body.
        body: bytes as they are sent; never shown, since it may hold a password.
        is_repeatable: whether sending it twice is the same as once, so that it may be sent again.
    """

    method: str
    path: str
    answer: type[T]
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = True

    @property
    def target(self) -> str:
        """The path with its ids in it."""
        found = self.path
        for name, value in self.ids.items():
            found = found.replace(f"{{{name}}}", quote(value, safe=""))
        return found

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for questions that have the same answer."""
        return (self.method, self.target, *sorted(self.query.items()))

    def after(self, cursor: str) -> Call[T]:
        """The same for the page behind ``cursor``."""
        return replace(self, query={**self.query, "cursor": cursor})


def get(path: str, answer: type[T], *, query: Query | None = None, is_repeatable: bool = True, **ids: str) -> Call[T]:
    """A question. ``ids`` must not be empty.

    Raises:
        ValueError: an empty id, which would be another path.
    """
    _check(ids)
    return Call("GET", path, answer, ids, query or {}, is_repeatable=is_repeatable)


def post(path: str, answer: type[T], content: Any = None, *, is_repeatable: bool = False, **ids: str) -> Call[T]:
    """A JSON body; fields that are None are left out."""
    _check(ids)
    if content is None:
        return Call("POST", path, answer, ids, is_repeatable=is_repeatable)
    plain = {k: v for k, v in content.items() if v is not None}
    body = json.dumps(plain, allow_nan=False).encode()
    return Call("POST", path, answer, ids, body=body, headers={"Content-Type": JSON}, is_repeatable=is_repeatable)


def ndjson(path: str, answer: type[T], body: bytes) -> Call[T]:
    """Events as NDJSON, packed. An event counts once by its id, so that the call may be repeated."""
    headers = {"Content-Type": "application/x-ndjson"}
    if len(body) >= _PACKED_FROM:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Call("POST", path, answer, body=body, headers=headers)


def delete(path: str, answer: type[T], **ids: str) -> Call[T]:
    """An end of something."""
    _check(ids)
    return Call("DELETE", path, answer, ids, is_repeatable=False)


def _check(ids: Mapping[str, str]) -> None:
    for name, value in ids.items():
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name}={value!r}: give a text that is not empty")
