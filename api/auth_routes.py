"""``/api/v1/auth``: sign in and out, and exchange a credential for a token."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from accounts.principal import Principal
from api import credentials
from api.access import public, signed_in
from api.auth_request import caller_of, security_of
from api.auth_responses import LoginIn, TokenOut, Who
from api.errors import Problem
from api.parameters import json_only, problems
from api.services import Injected


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

    @router.post(
        "/login",
        operation_id="post_login",
        summary="Open a session",
        response_model=Who,
        responses=problems(400, 401, 403, 413, 415, 422, 429, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @public
    async def post_login(request: Request, asked: LoginIn, services: Injected) -> Response:
        """By user and password, or by key. The session is a cookie that scripts cannot read; it lasts 12 hours."""
        now = services.now()
        return await _open_session(request, await _owner(request, asked, now), now)

    @router.post(
        "/refresh",
        operation_id="post_refresh",
        summary="Exchange the session for a fresh one",
        response_model=Who,
        responses=problems(401, 403, 504),
    )
    @signed_in
    async def post_refresh(request: Request, services: Injected) -> Response:
        """The old session ends at once."""
        return await _rotate(request, services.now())

    @router.post(
        "/logout",
        operation_id="post_logout",
        summary="End the session",
        status_code=204,
        responses=problems(401, 403, 504),
    )
    @signed_in
    async def post_logout(request: Request) -> Response:
        """The cookie is worth nothing afterwards."""
        security = security_of(request)
        text = _session(request)
        if text:
            await security.call(security.accounts.sessions.end, text)
            security.recognised.forget()
        answer = Response(status_code=204)
        answer.delete_cookie(credentials.cookie_name(request.scope), path="/")
        return answer

    @router.get("/me", operation_id="get_caller", summary="The caller", responses=problems(401, 504))
    @signed_in
    async def get_caller(request: Request) -> Who:
        """Whom the credentials stand for, and what they allow."""
        return Who.of(request.state.principal)

    @router.post(
        "/token", operation_id="post_token", summary="A token of 15 minutes", responses=problems(401, 403, 504)
    )
    @signed_in
    async def post_token(request: Request, services: Injected) -> TokenOut:
        """A JSON Web Token (EdDSA) with the caller's own rights. It ends with the key or user that it was made for."""
        security, caller = security_of(request), caller_of(request)
        if caller.actor.startswith("token:"):
            raise Problem(403, "A token of another issuer is not exchanged; ask that issuer.")
        token, end = await security.call(security.accounts.tokens.issue, caller, now=services.now())
        return TokenOut(access_token=token, expires_at=end)

    return router


async def _owner(request: Request, asked: LoginIn, now: datetime) -> Principal:
    security = security_of(request)
    address = request.client.host if request.client else "-"
    await security.throttle.password(asked.user, address)
    accounts = security.accounts
    if asked.user:
        found = await security.call(accounts.users.verify, asked.user, asked.password.get_secret_value())
    else:
        found = await security.call(accounts.of_bearer, asked.key.get_secret_value(), now=now)
    if found is None or found.actor.startswith("token:"):
        raise Problem(401, "User, password or key are wrong.")
    return found


async def _rotate(request: Request, now: datetime) -> Response:
    security = security_of(request)
    text = _session(request)
    found = await security.call(security.accounts.sessions.find, text, now=now) if text else None
    if found is None:
        raise Problem(403, "Only a session can be refreshed; sign in first.")
    owner = await security.call(security.accounts.of_actor, found[0], now=now)
    if owner is None:
        raise Problem(401, "Whoever opened this session is no more.")
    await security.call(security.accounts.sessions.end, text)
    security.recognised.forget()
    return await _open_session(request, owner, now)


async def _open_session(request: Request, owner: Principal, now: datetime) -> Response:
    security = security_of(request)
    text, end = await security.call(security.accounts.sessions.open, owner.actor, now=now, expires_at=owner.expires_at)
    who = Who.of(owner).model_copy(update={"expires_at": end})
    answer = JSONResponse(who.model_dump(mode="json"))
    answer.set_cookie(
        credentials.cookie_name(request.scope),
        text,
        max_age=int((end - now).total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


def _session(request: Request) -> str:
    return request.cookies.get(credentials.cookie_name(request.scope), "")
