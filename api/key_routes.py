"""``/api/v1/auth/keys``: the keys of the caller's own workspace.

Workspaces, and users and keys of any workspace, are made on the machine itself: ``attribution user``,
``attribution workspace``, ``attribution key``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import JSONResponse, Response

from accounts.errors import AccountError, AccountsUnavailable
from accounts.roles import Role
from api.access import requires
from api.auth_request import caller_of, security_of
from api.auth_responses import KeyIn, KeyList, KeyOut, NewKey
from api.errors import Problem
from api.parameters import json_only, problems
from api.responses import FieldError
from api.services import Injected


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

    @router.get("/keys", operation_id="list_keys", summary="Keys of the workspace", responses=problems(401, 403, 504))
    @requires(Role.ADMIN)
    async def list_keys(request: Request) -> KeyList:
        """Revoked ones too, never a secret."""
        security, caller = security_of(request), caller_of(request)
        found = await security.call(security.accounts.keys.all, caller.workspace)
        request.state.rows = len(found)
        return KeyList(keys=[KeyOut.of(key) for key in found])

    @router.post(
        "/keys",
        operation_id="post_key",
        summary="Make a key",
        status_code=201,
        response_model=NewKey,
        responses=problems(401, 403, 413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_key(request: Request, asked: KeyIn, services: Injected) -> Response:
        """Of the caller's workspace. `key` is shown in this answer and never again."""
        security, caller = security_of(request), caller_of(request)
        try:
            key, text = await security.call(
                security.accounts.keys.create,
                role=asked.role,
                workspace=caller.workspace,
                label=asked.label,
                scopes=None if asked.scopes is None else frozenset(asked.scopes),
                expires_at=_utc(asked.expires_at),
                now=services.now(),
            )
        except AccountsUnavailable:
            raise
        except AccountError as error:
            field = re.split("[=:]", str(error), maxsplit=1)[0]
            raise Problem(422, str(error), errors=[FieldError(field=field, reason=str(error))]) from None
        body = NewKey(key=text, shown=KeyOut.of(key))
        return JSONResponse(body.model_dump(mode="json"), status_code=201)

    @router.delete(
        "/keys/{key_id}",
        operation_id="delete_key",
        summary="Revoke a key",
        status_code=204,
        responses=problems(401, 403, 404, 422, 504),
    )
    @requires(Role.ADMIN)
    async def delete_key(
        request: Request, services: Injected, key_id: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
    ) -> Response:
        """For good: at once in this process, within 5 seconds in every other."""
        security, caller = security_of(request), caller_of(request)
        done = await security.call(
            security.accounts.keys.revoke, key_id, now=services.now(), workspace=caller.workspace
        )
        security.recognised.forget()
        if not done:
            raise Problem(404, f"No key has the id {key_id} in this workspace.")
        return Response(status_code=204)

    return router


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
