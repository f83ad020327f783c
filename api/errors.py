"""Every failure of the API as a problem of RFC 9457 (``application/problem+json``).

``Problem`` is raised by routes. ``problem_of`` turns Starlette's and FastAPI's own errors and the stores'
``Unavailable`` into one, and the guard, which is around everything, answers with it. Nothing internal (traceback,
SQL, address of a dependency) leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from accounts.errors import AccountsUnavailable
from api.responses import FieldError, ProblemBody
from api.store import Unavailable

MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:realtime-attribution:problem:"
_SHOWN_CHARS: Final = 100
#: Bodies below this path hold passwords and keys: nothing of them is sent back.
SECRET_PATHS: Final = "/api/v1/auth/"  # noqa: S105 - a path

#: Below it the protocol is Segment's.
SDK_PATHS: Final = "/v1/"

#: Slug and title by status. Titles are ours, since the standard library's phrases change between Python versions.
_KINDS: Final = {
    400: ("malformed-request", "Malformed request"),
    401: ("not-signed-in", "Not signed in"),
    403: ("not-allowed", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    406: ("not-acceptable", "Not acceptable"),
    409: ("conflict", "Conflict"),
    413: ("body-too-large", "Body too large"),
    415: ("unsupported-media-type", "Unsupported media type"),
    422: ("invalid-input", "Invalid input"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "Internal error"),
    503: ("dependency-unavailable", "Dependency unavailable"),
    504: ("timeout", "Timeout"),
}


class Problem(Exception):  # noqa: N818 - the RFC's own word for it
    """A failure that the caller is told about."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        dependency: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.dependency = dependency
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})  # extension members of the RFC: JSON values


def invalid(field: str, value: object, reason: str) -> Problem:
    """422 for one field."""
    return Problem(422, f"{field}: {reason}", errors=[FieldError(field=field, value=shown(value), reason=reason)])


def shown(value: object) -> str | int | float | bool | None:
    """A caller's own value, short enough to send back."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    text = value if isinstance(value, str) else _text(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _text(value: object) -> str:
    try:
        return json.dumps(value, default=str, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


def for_sdks(problem: Problem) -> Problem:
    """With the two members that SDKs of Segment's protocol read; without them they take a refusal for a bad line."""
    slug = _KINDS.get(problem.status, ("http",))[0]
    problem.extra = {"code": slug, "message": problem.detail, **problem.extra}
    return problem


def respond(problem: Problem, request_id: str) -> Response:
    """The problem as an answer."""
    slug, title = _KINDS.get(problem.status, ("http", f"HTTP {problem.status}"))
    body = ProblemBody(
        type=f"{_URN}{slug}",
        title=title,
        status=problem.status,
        detail=problem.detail,
        instance=f"urn:uuid:{request_id}",
        errors=problem.errors or None,
        dependency=problem.dependency,
    )
    plain = body.model_dump(mode="json", exclude_none=True, exclude={"errors"})
    if problem.errors:
        plain["errors"] = [_field_error(e) for e in problem.errors]
    plain |= problem.extra
    # a caller's own text comes back and may hold half a surrogate pair, which UTF-8 cannot carry
    content = json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)


def _field_error(error: FieldError) -> dict[str, Any]:
    return error.model_dump(mode="json", exclude_unset=True)


def from_validation(error: RequestValidationError, *, hides_values: bool = False) -> Problem:
    """FastAPI's validation error with each field, its value and the reason; values may be secrets."""
    errors = [_from_item(item) for item in error.errors()]
    if hides_values:
        errors = [FieldError(field=e.field, reason=e.reason) for e in errors]
    fields = ", ".join(dict.fromkeys(e.field for e in errors))
    return Problem(422, f"Invalid input: {fields}.", errors=errors)


def _from_item(item: Mapping[str, Any]) -> FieldError:
    loc = [str(part) for part in item["loc"]]
    if item["type"] == "json_invalid":
        where = f"body is not JSON: {item.get('ctx', {}).get('error', 'syntax error')} at character {loc[-1]}"
        return FieldError(field="body", reason=where)
    field = ".".join(loc[1:]) or loc[0]
    reason = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "missing":
        return FieldError(field=field, reason="is required")
    return FieldError(field=field, value=shown(item.get("input")), reason=reason)


def problem_of(error: Exception, scope: Scope) -> Problem | None:
    """The problem that an exception stands for; ``None`` for one that is a fault of ours."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return from_validation(error, hides_values=scope["path"].startswith(SECRET_PATHS))
        case Unavailable():
            return unavailable(error)
        case AccountsUnavailable():
            return unavailable(Unavailable("accounts", "its database or files cannot be used"))
        case HTTPException():
            detail = {404: f"Nothing is at {scope['path']}.", 405: f"{scope['method']} is not allowed here."}.get(
                error.status_code, str(error.detail)
            )
            return Problem(error.status_code, detail, headers=error.headers)
    return None


def unavailable(error: Unavailable) -> Problem:
    """503 that names the dependency."""
    return Problem(
        503,
        f"{error.dependency} is unavailable: {error.reason}. Try again in a moment.",
        dependency=error.dependency,
        headers={"Retry-After": "2"},
    )
