"""Failures below ``/registry`` in the words of its protocol: ``{"error_code": 40401, "message": …}``.

The codes are those of Confluent's REST API; their first three digits are the HTTP status. What is refused before a
route is reached (credentials, limits, a body that is too large) has the status alone as its code.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Final

from starlette.responses import Response

from api.errors import Problem

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
#: Where the registry is; everything below it answers in its protocol.
PREFIX: Final = "/registry"


class Code(IntEnum):
    """What went wrong."""

    SUBJECT_NOT_FOUND = 40401
    VERSION_NOT_FOUND = 40402
    SCHEMA_NOT_FOUND = 40403
    SUBJECT_SOFT_DELETED = 40404
    SUBJECT_NOT_SOFT_DELETED = 40405
    VERSION_SOFT_DELETED = 40406
    VERSION_NOT_SOFT_DELETED = 40407
    SUBJECT_HAS_NO_CONFIG = 40408
    SUBJECT_HAS_NO_MODE = 40409
    INCOMPATIBLE = 409
    INVALID_SCHEMA = 42201
    INVALID_VERSION = 42202
    INVALID_LEVEL = 42203
    INVALID_MODE = 42204
    NOT_PERMITTED = 42205
    INVALID_SUBJECT = 42208
    BODY = 422


class RegistryError(Problem):
    """A failure with its code; the status follows from it."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(int(str(int(code))[:3]), message, extra={"error_code": int(code)})
        self.code = code


def is_registry(path: str) -> bool:
    """Whether a path belongs to the registry."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def answer(problem: Problem) -> Response:
    """A failure as the registry's clients read it."""
    body = {"error_code": problem.extra.get("error_code", problem.status), "message": problem.detail}
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem.status, problem.headers, MEDIA_TYPE)
