"""What a client is made with: address, credential, patience. The credential is in one header and in no ``repr``."""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from attribution_client.cache import Cache
from attribution_client.calls import Call
from attribution_client.exchange import Outcome, Reply, Step, exchange
from attribution_client.retrying import Retries, Uniform
from attribution_client.version import VERSION

T = TypeVar("T")
LOCAL: Final = "http://127.0.0.1:8000"
AGENT: Final = f"attribution-client/{VERSION}"


@dataclass(frozen=True, slots=True)
class Connection:
    """Settings of a client.

    Attributes:
        base_url: of the service, without ``/api/v1``.
        key: an API key or a token; empty for a session or a service that asks nobody.
        session: the text of a session's cookie, as ``Client.session`` gave it after ``login``.
        timeout_s: for each attempt.
        retries: see ``Retries``.
        cache: reports by entity tag; None: each is sent anew.
        uniform: source of the jitter.
        visitor: address of whom a server asks for, told as ``X-Forwarded-For``; it counts where the service trusts that
            server as a proxy.
    """

    base_url: str = LOCAL
    key: str = field(default="", repr=False)
    session: str = field(default="", repr=False)
    timeout_s: float = 20.0
    retries: Retries = field(default_factory=Retries)
    cache: Cache | None = field(default=None, repr=False)
    uniform: Uniform = field(default=random.SystemRandom().uniform, repr=False)
    visitor: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.username is not None:
            raise ValueError("base_url must be like https://attribution.example.org, without a password in it")

    @classmethod
    def of_environment(cls, **more: Any) -> Connection:
        """``ATTRIBUTION_API_URL`` and ``ATTRIBUTION_API_KEY``."""
        found = {"base_url": os.environ.get("ATTRIBUTION_API_URL", LOCAL)}
        if not more.get("session"):
            found["key"] = os.environ.get("ATTRIBUTION_API_KEY", "")
        return cls(**{**found, **more})

    def options(self) -> dict[str, Any]:
        """For ``httpx.Client`` and ``httpx.AsyncClient``. Redirects are not followed: the key is for this host."""
        headers = {"User-Agent": AGENT, "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if self.visitor:
            headers["X-Forwarded-For"] = self.visitor
        return {
            "base_url": self.base_url,
            "headers": headers,
            "cookies": {self.cookie: self.session} if self.session else None,
            "timeout": self.timeout_s,
            "follow_redirects": False,
        }

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; over TLS it is bound to the host."""
        return "__Host-attribution_session" if self.base_url.startswith("https:") else "attribution_session"

    def exchange(self, call: Call[T]) -> Generator[Step, Outcome, T]:
        """The steps of a call; see ``exchange``."""
        return exchange(call, retries=self.retries, cache=self.cache, uniform=self.uniform, address=self.base_url)

    def request(self, call: Call[Any], extra: Mapping[str, str]) -> dict[str, Any]:
        """Arguments of ``httpx.Client.request``."""
        headers = {**call.headers, **extra}
        if not self.key and call.method != "GET":
            parts = urlsplit(self.base_url)
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"  # what a session's changes must carry
        return {
            "method": call.method,
            "url": call.target,
            "params": dict(call.query) or None,
            "content": call.body,
            "headers": headers,
        }


def reply_of(response: httpx.Response) -> Reply:
    """The answer, read."""
    return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)
