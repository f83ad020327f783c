"""``/api/v1/auth/users``: people who sign in to the caller's own workspace.

Nobody changes themselves here, so that a workspace does not lose its last administrator by a slip.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Path, Request

from accounts.errors import AccountError, AccountsUnavailable
from accounts.roles import Role
from api.access import requires
from api.auth_request import caller_of, security_of
from api.auth_responses import UserChange, UserIn, UserList, UserOut
from api.errors import Problem
from api.parameters import json_only, problems
from api.responses import FieldError
from api.services import Injected

UserName: TypeAlias = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9._@+-]{0,63}$", examples=["ada@example.org"])]


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/auth/users", tags=["auth"])
    _add_list(router)
    _add_new(router)
    _add_change(router)
    return router


def _add_list(router: APIRouter) -> None:
    @router.get("", operation_id="list_users", summary="Users of the workspace", responses=problems(401, 403, 504))
    @requires(Role.ADMIN)
    async def list_users(request: Request) -> UserList:
        """By name, disabled ones too."""
        security, caller = security_of(request), caller_of(request)
        found = await security.call(security.accounts.users.all, caller.workspace)
        request.state.rows = len(found)
        return UserList(users=[UserOut.of(user) for user in found])


def _add_new(router: APIRouter) -> None:
    @router.post(
        "",
        operation_id="post_user",
        summary="Make a user",
        status_code=201,
        responses=problems(401, 403, 409, 413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_user(request: Request, asked: UserIn, services: Injected) -> UserOut:
        """Of the caller's workspace. Names are unique over all workspaces, since people sign in by them."""
        security, caller = security_of(request), caller_of(request)
        if await security.call(security.accounts.users.find, asked.name) is not None:
            raise Problem(409, f"The name {asked.name} is taken; choose another.")
        try:
            made = await security.call(
                security.accounts.users.create,
                asked.name,
                asked.password.get_secret_value(),
                role=asked.role,
                workspace=caller.workspace,
                now=services.now(),
            )
        except AccountsUnavailable:
            raise
        except AccountError as error:
            raise _refused(error) from None
        return UserOut.of(made)


def _add_change(router: APIRouter) -> None:
    @router.post(
        "/{name}",
        operation_id="post_user_change",
        summary="Change a user",
        responses=problems(401, 403, 404, 409, 413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_user_change(request: Request, name: UserName, asked: UserChange, services: Injected) -> UserOut:
        """Role, password, or whether they may sign in: at once in this process, within 5 seconds in every other.

        Another password, and `disabled`, end the user's sessions. 409 for the caller's own name.
        """
        security, caller = security_of(request), caller_of(request)
        if caller.actor == f"user:{name}":
            raise Problem(409, f"{name} is who is asking: let another administrator change this account.")
        accounts = security.accounts
        try:
            found = await security.call(
                accounts.users.change,
                name,
                workspace=caller.workspace,
                now=services.now(),
                role=asked.role,
                password=None if asked.password is None else asked.password.get_secret_value(),
                disabled=asked.disabled,
            )
        except AccountsUnavailable:
            raise
        except AccountError as error:
            raise _refused(error) from None
        if found is None:
            raise Problem(404, f"No user has the name {name} in this workspace.")
        if asked.password is not None or asked.disabled:
            await security.call(accounts.sessions.end_all, f"user:{name}")
        security.recognised.forget()
        return UserOut.of(found)


def _refused(error: AccountError) -> Problem:
    field = re.split("[=:]", str(error), maxsplit=1)[0]
    return Problem(422, str(error), errors=[FieldError(field=field, reason=str(error))])
