"""What can go wrong, as exceptions with the way out in their text.

AttributionError
├── ServiceUnreachable      no answer: refused, reset, timed out
├── ProtocolError           an answer that is not what the API describes
├── QueueFull               ``track`` would have to drop something
├── NotDelivered            events that are still here at the end of a wait; ``events`` holds them
└── Problem                 an answer that says no (RFC 9457); ``errors`` names field, value and way out
    ├── InvalidInput        400, 406, 413, 415, 422
    ├── NotSignedIn         401
    ├── NotAllowed          403
    ├── NotFound            404
    ├── Conflict            409
    ├── TooManyRequests     429
    └── ServiceUnavailable  502, 503, 504: ``dependency`` names who does not answer
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attribution_client.batching import Queued


class AttributionError(Exception):
    """Everything that this package raises about the service."""


class ServiceUnreachable(AttributionError):  # noqa: N818 - the sentence it stands for
    """No answer came."""


class ProtocolError(AttributionError):
    """An answer that cannot be read."""


class QueueFull(AttributionError):  # noqa: N818 - as in the standard library
    """The queue of events holds as many as it may; the event was not taken."""


class NotDelivered(AttributionError):  # noqa: N818 - the sentence it stands for
    """Events that the service has not confirmed."""

    def __init__(self, message: str, events: Sequence[Queued]) -> None:
        super().__init__(message)
        self.events = tuple(events)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of the request: its name, what was sent, and what would be right."""

    field: str
    value: str | int | float | bool | None
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.field}={self.value!r}: {self.reason}" if self.value is not None else f"{self.field} {self.reason}"
        )


class Problem(AttributionError):  # noqa: N818 - the RFC's own word for it
    """The service says no.

    Attributes:
        status: of the answer.
        type: the kind of problem, a URN.
        title, detail: for people.
        instance: id of the request, the same as in the server's log.
        errors: one per wrong field.
        dependency: who does not answer, for ``ServiceUnavailable``.
        retry_after_s: when to come back, if the service says so.
        members: the other members of the problem, for instance ``unconfirmed``.
    """

    def __init__(self, status: int, members: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        rest = dict(members)
        self.status = status
        self.retry_after_s = retry_after_s
        self.type = str(rest.pop("type", "about:blank"))
        self.title = str(rest.pop("title", f"HTTP {status}"))
        self.detail = str(rest.pop("detail", ""))
        self.instance = str(rest.pop("instance", ""))
        self.dependency = rest.pop("dependency", None)
        self.errors = tuple(_fields(rest.pop("errors", None)))
        rest.pop("status", None)
        self.members: Mapping[str, Any] = rest
        super().__init__(self._text())

    def _text(self) -> str:
        is_told = self.detail.startswith(self.title)
        said = [text for text in ("" if is_told else self.title, self.detail) if text]
        parts = [f"{self.status} {': '.join(said)}"]
        parts += [str(e) for e in self.errors if e.reason not in self.detail]
        return "; ".join(parts)


class InvalidInput(Problem):
    """The request cannot be used as it is."""


class NotSignedIn(Problem):
    """No credential, or one that is not good any more."""


class NotAllowed(Problem):
    """The credential does not allow this."""


class NotFound(Problem):
    """Nothing has this id."""


class Conflict(Problem):
    """Something else is the case than the request takes for granted."""


class TooManyRequests(Problem):
    """Above the key's rate or quota; ``retry_after_s``."""


class ServiceUnavailable(Problem):
    """The service is there, but cannot answer now."""


_KINDS: Final[dict[int, type[Problem]]] = {
    **dict.fromkeys((400, 406, 413, 415, 422), InvalidInput),
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    **dict.fromkeys((502, 503, 504), ServiceUnavailable),
}


def problem_of(status: int, content: bytes, retry_after_s: float | None = None) -> Problem:
    """The exception for an answer; also where a proxy answered something else than a problem."""
    try:
        members = json.loads(content)
    except ValueError:
        members = {}
    return _KINDS.get(status, Problem)(status, members if isinstance(members, dict) else {}, retry_after_s)


def _fields(found: Any) -> Iterator[FieldProblem]:
    for item in found if isinstance(found, list) else ():
        if isinstance(item, dict):
            yield FieldProblem(str(item.get("field", "")), item.get("value"), str(item.get("reason", "")))
