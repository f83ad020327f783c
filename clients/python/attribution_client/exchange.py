"""A call from the first attempt to the answer, without any IO: what both clients share.

``exchange`` is a generator. It yields ``Send`` and is given a ``Reply`` or the error of the transport; it yields
``Wait`` and is given nothing; it returns the answer, or raises. The clients only carry out what it yields.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import NamedTuple, TypeAlias, TypeVar, cast

from attribution_client.cache import Cache, Kept, renewed
from attribution_client.calls import Call
from attribution_client.decoding import decode
from attribution_client.problems import ProtocolError, ServiceUnreachable, problem_of
from attribution_client.retrying import Retries, Uniform, is_transient, retry_after_s

T = TypeVar("T")


class Send(NamedTuple):
    """Send the call with these headers besides its own."""

    headers: Mapping[str, str]


class Wait(NamedTuple):
    """Wait so many seconds."""

    seconds: float


class Reply(NamedTuple):
    """An answer; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes


Step: TypeAlias = Send | Wait
Outcome: TypeAlias = Reply | Exception | None


def exchange(
    call: Call[T], *, retries: Retries, cache: Cache | None, uniform: Uniform, address: str
) -> Generator[Step, Outcome, T]:
    """The answer of a call.

    Args:
        call: what to ask. Only one that is repeatable is sent more than once.
        retries: how often.
        cache: answers by tag, if they are kept.
        uniform: source of the jitter.
        address: of the service, for messages.

    Raises:
        Problem: the service says no, and would again, or has said so often enough.
        ServiceUnreachable: no answer in any attempt.
        ProtocolError: an answer that cannot be read.
    """
    kept = cache.get(call.key) if cache is not None and call.method == "GET" else None
    tag = {"If-None-Match": kept.tag} if kept is not None else {}
    failures = 0
    while True:
        outcome = yield Send(tag)
        if isinstance(outcome, Reply) and outcome.status < 400:
            return _answer(call, outcome, kept, cache)
        failures += 1
        error, least = _failure(call, outcome, failures, address)
        wait = retries.wait_s(failures, least, uniform) if call.is_repeatable and _may_pass(outcome) else None
        if wait is None:
            raise error from (outcome if isinstance(outcome, Exception) else None)
        yield Wait(wait)


def _answer(call: Call[T], reply: Reply, kept: Kept | None, cache: Cache | None) -> T:
    if reply.status == 304 and kept is not None:
        return cast("T", renewed(kept.answer, reply.headers))
    plain = None
    try:
        if call.answer is not type(None):
            plain = json.loads(reply.content)
    except ValueError:
        raise ProtocolError(
            f"{call.method} {call.path} answered {reply.status} without JSON: is this the address of the API?"
        ) from None
    answer = decode(call.answer, plain)
    tag = reply.headers.get("etag")
    if cache is not None and tag and call.method == "GET":
        cache.put(call.key, Kept(tag, answer))
    return answer


def _failure(call: Call[T], outcome: Outcome, failures: int, address: str) -> tuple[Exception, float | None]:
    """The exception to be raised if nothing helps, and the least wait that the service asks for."""
    if isinstance(outcome, Reply):
        least = retry_after_s(outcome.headers.get("retry-after"))
        return problem_of(outcome.status, outcome.content, least), least
    times = f" in {failures} attempts" if failures > 1 else ""
    reason = f"{type(outcome).__name__} {outcome}".strip()
    text = f"{call.method} {call.path} has no answer{times} ({reason}): is the API running at {address}?"
    return ServiceUnreachable(text), None


def _may_pass(outcome: Outcome) -> bool:
    return not isinstance(outcome, Reply) or is_transient(outcome.status)
