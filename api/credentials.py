"""Which credential a request carries, and the answers of the accounts that are kept for a moment.

A key or token comes as ``Authorization: Bearer …`` or ``X-API-Key``, a session as a cookie. Where events are sent,
a key may also come as the user name of Basic authorization (Segment's SDKs) or as ``api_secret`` (GA4), and at the
schema registry as that user name (Confluent's clients): protocols of others, so on those routes alone. The first that
is there counts, whether it is good or not.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Scope

from accounts.principal import Principal

COOKIE: Final = "attribution_session"
#: A revocation is known to every process after this time at most, in seconds; to the process that did it, at once.
KEPT_S: Final = 5.0
_KEPT_ANSWERS: Final = 20_000


class Credential(NamedTuple):
    """What came, and how."""

    kind: Literal["bearer", "session"]
    text: str


class Headers(NamedTuple):
    """The headers that are looked at."""

    authorization: bytes = b""
    key: bytes = b""
    cookie: bytes = b""
    origin: bytes = b""
    host: bytes = b""


_FIELDS: Final = {b"authorization": 0, b"x-api-key": 1, b"cookie": 2, b"origin": 3, b"host": 4}


def headers_of(scope: Scope) -> Headers:
    """Of one request; of a header that comes twice, the first."""
    found = [b"", b"", b"", b"", b""]
    for name, value in scope["headers"]:
        place = _FIELDS.get(name)
        if place is not None and not found[place]:
            found[place] = value
    return Headers(*found)


def cookie_name(scope: Scope) -> str:
    """Of the session: over TLS it is bound to this host."""
    return f"__Host-{COOKIE}" if scope.get("scheme") == "https" else COOKIE


def find(scope: Scope, headers: Headers, *, takes_events: bool, takes_basic: bool) -> Credential | None:
    """The credential of a request; ``takes_events``: also as ``api_secret``, ``takes_basic``: also as a user name."""
    if headers.authorization:
        kind, _, text = headers.authorization.decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            return Credential("bearer", text.strip())
        return Credential("bearer", _user_name(text) if takes_basic and kind.lower() == "basic" else "")
    if headers.key:
        return Credential("bearer", headers.key.decode("latin-1"))
    if takes_events and b"api_secret=" in scope["query_string"]:
        return Credential("bearer", dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("api_secret", ""))
    if headers.cookie:
        name = cookie_name(scope)
        for part in headers.cookie.decode("latin-1").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return Credential("session", value)
    return None


def _user_name(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class Recognised:
    """Who holds which credential, kept for ``KEPT_S`` under a digest of it. Used from one event loop.

    Args:
        ask: the accounts' own answer.
        now: the clock, aware UTC.
        monotonic: the clock of durations, seconds.
    """

    def __init__(
        self,
        ask: Callable[[Credential], Awaitable[Principal | None]],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._ask, self._now, self._monotonic = ask, now, monotonic
        self._kept: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._age = 0

    async def holder(self, credential: Credential) -> Principal | None:
        """Who holds it; None: nobody."""
        key = blake2b(f"{credential.kind}\0{credential.text}".encode(), digest_size=16).digest()
        began = self._monotonic()
        kept = self._kept.get(key)
        if kept is None or began - kept[0] >= KEPT_S:
            age = self._age
            kept = (began, await self._ask(credential))
            if age == self._age:  # else something was revoked meanwhile: this answer may be from before
                self._kept[key] = kept
                self._kept.move_to_end(key)
                while len(self._kept) > _KEPT_ANSWERS:
                    self._kept.popitem(last=False)
        found = kept[1]
        return None if found is None or found.is_over(self._now()) else found

    def forget(self) -> None:
        """Ask again for everybody: something was revoked."""
        self._age += 1
        self._kept.clear()
