"""Following a stream of the API over broken connections, without IO: both clients carry out what this decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx

from attribution_client.calls import Query
from attribution_client.connection import Connection
from attribution_client.decoding import decode
from attribution_client.exchange import Reply
from attribution_client.models.live import LiveConversion
from attribution_client.problems import AttributionError, ProtocolError, ServiceUnreachable, problem_of
from attribution_client.retrying import is_transient, retry_after_s
from attribution_client.sse import Parser

PATH: Final = "/api/v1/stream/conversions"
#: Longest ``retry`` of a stream that is waited for, in seconds.
_LONGEST_S: Final = 60.0
#: A stream that says nothing for so long, not even a comment, is taken up anew.
_SILENCE_S: Final = 60.0


class LiveEvent(NamedTuple):
    """An event of the stream. Give ``id`` back as ``last_event_id`` to go on behind it.

    ``event`` is ``conversion``; ``run`` when another run is shown; ``end`` when the service closes this connection,
    with the reason: the next one is opened by itself.
    """

    id: str
    event: str
    data: dict[str, Any]

    @property
    def conversion(self) -> LiveConversion | None:
        """``data`` of a conversion; None of another event.

        Raises:
            ProtocolError: it is none.
        """
        return decode(LiveConversion, self.data) if self.event == "conversion" else None


class Following:
    """State of one follower.

    Args:
        connection: its retries count attempts without a byte of answer.
        last_event_id: where to begin; empty: now.
        asked: the other parameters.
    """

    def __init__(self, connection: Connection, last_event_id: str, asked: Query) -> None:
        self._parser = Parser(last_event_id)
        self._connection, self._query = connection, asked
        self._failures = 0

    def request(self) -> dict[str, Any]:
        """Arguments of ``httpx.Client.stream`` for the next connection."""
        former, self._parser = self._parser, Parser(self._parser.last_id)
        self._parser.retry_ms = former.retry_ms
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self._parser.last_id:
            headers["Last-Event-ID"] = self._parser.last_id
        timeout = httpx.Timeout(self._connection.timeout_s, read=_SILENCE_S)
        return {"method": "GET", "url": PATH, "params": self._query, "headers": headers, "timeout": timeout}

    def check(self, headers: Mapping[str, str]) -> None:
        """Whether it is a stream.

        Raises:
            ProtocolError: it is not.
        """
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise ProtocolError(f"GET {PATH} answered {kind or 'no type'} instead of text/event-stream")

    def feed(self, chunk: bytes) -> list[LiveEvent]:
        """Events that are complete.

        Raises:
            ProtocolError: one that is no JSON object.
        """
        if chunk:
            self._failures = 0
        return [LiveEvent(e.id, e.event, _object(e.data)) for e in self._parser.feed(chunk)]

    def ended(self, outcome: Reply | Exception | None) -> float:
        """Seconds until the next connection, after a refusal, an error, or a plain end.

        Raises:
            Problem: the service says no.
            ServiceUnreachable: it did not answer often enough.
        """
        self._failures += 1
        least = None
        if isinstance(outcome, Reply):
            least = retry_after_s(outcome.headers.get("retry-after"))
        pause = min(_LONGEST_S, (self._parser.retry_ms or 0) / 1000)
        connection = self._connection
        wait = connection.retries.wait_s(self._failures, max(least or 0.0, pause), connection.uniform)
        if wait is None or (isinstance(outcome, Reply) and not is_transient(outcome.status)):
            raise _error(outcome, least, self._failures, connection.base_url) from (
                outcome if isinstance(outcome, Exception) else None
            )
        return wait


def _error(outcome: Reply | Exception | None, least: float | None, failures: int, address: str) -> AttributionError:
    if isinstance(outcome, Reply):
        return problem_of(outcome.status, outcome.content, least)
    reason = f"{type(outcome).__name__} {outcome}".strip() if outcome is not None else "it ends at once"
    return ServiceUnreachable(
        f"GET {PATH}: no stream in {failures} attempts ({reason}): is the API running at {address}?"
    )


def _object(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProtocolError(f"an event of {PATH} is no JSON object")
    return found
