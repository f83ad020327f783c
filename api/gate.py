"""Who may pass: before every route and every quick way, after the guard.

For each request: the host is one of ours; the caller is recognised; their scopes hold what the route asks for; they
keep to their limits; a session's changes come from our own site. Then the request goes on with the services of the
caller's workspace, and the call is noted in the audit log. What no route answers is 401 without credentials, too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts.audit import Entry
from accounts.principal import Principal
from accounts.roles import SCOPES, Role
from accounts.roles import Scope as Allowed
from accounts.workspaces import DEFAULT
from api import credentials
from api.access import Access, AccessTable
from api.credentials import Credential, Headers, Recognised
from api.errors import Problem, problem_of
from api.registry_errors import is_registry
from api.security import Security
from api.settings import LOOPBACK, ApiSettings
from api.throttle import Throttle

_log: Final = logging.getLogger("api.gate")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Changes in these scopes are noted before they happen. Events are not: they are in Kafka before the answer.
_AHEAD: Final = frozenset({Allowed.RUNS, Allowed.MANAGE, None})
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="realtime-attribution"'}
#: Who everybody is with ``--insecure-dev``.
DEVELOPER: Final = Principal("insecure-dev", Role.ADMIN, SCOPES[Role.ADMIN], DEFAULT)


class Gate:
    """Wraps an application.

    Args:
        app: what to protect.
        settings: hosts, origins and ``insecure_dev``.
        table: what each route asks for.
        security: accounts, limits and the audit log.
        services: of a workspace, by name.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ApiSettings,
        table: AccessTable,
        security: Security,
        services: Callable[[str], object],
        now: Callable[[], datetime],
    ) -> None:
        self._app, self._table, self._security, self._services, self._now = app, table, security, services, now
        self._is_open = settings.insecure_dev
        hosts = settings.allowed_hosts or (tuple(LOOPBACK) if settings.insecure_dev else ())
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)

    @property
    def _recognised(self) -> Recognised:
        return self._security.recognised

    @property
    def _throttle(self) -> Throttle:
        return self._security.throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                raise Problem(404, "Nothing here speaks websocket.")
            await self._app(scope, receive, send)
            return
        headers = credentials.headers_of(scope)
        if self._hosts and _host(headers) not in self._hosts:
            raise Problem(400, "This host is not served here; see ATTRIBUTION_API_ALLOWED_HOSTS.")
        access = self._table.find(scope["method"], _path(scope))
        if access is None:
            others = self._table.methods(_path(scope))
            if self._is_open or any(other.is_public for other in others.values()):
                _check_method(scope, others)
        if access is not None and access.is_public:
            if scope["method"] not in _SAFE:
                self._check_origin(scope, headers, must_have=False)
        elif self._is_open:
            scope["state"]["principal"] = DEVELOPER
        else:
            await self._serve(scope, receive, send, access, await self._caller(scope, headers, access))
            return
        scope["state"]["services"] = self._services(DEFAULT)
        await self._app(scope, receive, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, access: Access | None, caller: Principal
    ) -> None:
        """A request of a caller who was recognised."""
        state = scope["state"]
        state["principal"] = caller
        status, told = 0, await self._throttle.count(caller.actor)

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        try:
            if access is None:
                _check_method(scope, self._table.methods(_path(scope)))
            _check_scope(access, caller)
            state["services"] = self._services(caller.workspace)
            self._throttle.begin(caller.actor)
            try:
                if access is None or access.is_audited:
                    await self._note_ahead(scope, access, caller)
                await self._app(scope, receive, noting_send)
            finally:
                self._throttle.end(caller.actor)
        except Exception as error:
            problem = problem_of(error, scope)
            status = status or (500 if problem is None else problem.status)
            raise
        finally:
            if access is None or access.is_audited or status == _FORBIDDEN:
                self._security.trail.put(self._entry(scope, access, caller.actor, caller.workspace, status))

    async def _caller(self, scope: Scope, headers: Headers, access: Access | None) -> Principal:
        takes_events = access is not None and access.scope is Allowed.INGEST
        takes_basic = takes_events or is_registry(_path(scope))  # protocols of others
        credential = credentials.find(scope, headers, takes_events=takes_events, takes_basic=takes_basic)
        if credential is None:
            raise Problem(
                401, "No credentials. Send a key as Authorization: Bearer id.secret, or sign in.", headers=_CHALLENGE
            )
        scope["state"]["credential"] = credential  # an answer without an end asks again whether it holds
        caller = await self._recognised.holder(credential)
        if caller is None:
            if credential.kind != "session":  # a session that is over is no guess, and nobody guesses one
                await self._throttle.refused(_address(scope))
            self._security.trail.put(self._entry(scope, access, "-", "-", _UNAUTHORISED))
            raise Problem(401, "These credentials are wrong, over or revoked.", headers=_CHALLENGE)
        if credential.kind == "session" and scope["method"] not in _SAFE:
            self._check_origin(scope, headers, must_have=True)
        return caller

    def _check_origin(self, scope: Scope, headers: Headers, *, must_have: bool) -> None:
        """Of a change that a browser's cookie could have made for another site.

        Raises:
            Problem: 403 when it comes from there.
        """
        if not headers.origin and not must_have:
            return
        own = f"{scope.get('scheme', 'http')}://".encode() + headers.host
        if headers.origin != own and headers.origin not in self._origins:
            raise Problem(403, "A change by a session must come with this site's own Origin header.")

    async def _note_ahead(self, scope: Scope, access: Access | None, caller: Principal) -> None:
        if access is None or scope["method"] in _SAFE or access.scope not in _AHEAD:
            return
        await self._security.call(
            self._security.trail.now, self._entry(scope, access, caller.actor, caller.workspace, 0)
        )

    def _entry(self, scope: Scope, access: Access | None, actor: str, workspace: str, status: int) -> Entry:
        parameters = self._security.accounts.audit.parameters(scope["path"], scope["query_string"])
        return Entry(
            self._now(),
            actor,
            workspace,
            scope["method"],
            "-" if access is None else access.template,
            parameters,
            status,
            scope["state"].get("rows"),
            scope["state"].get("request_id", ""),
        )


def asking(
    security: Callable[[], Security], now: Callable[[], datetime]
) -> Callable[[Credential], Awaitable[Principal | None]]:
    """The question that ``Recognised`` asks: in a thread, of the accounts."""

    def read(credential: Credential) -> Principal | None:
        accounts = security().accounts
        found = accounts.of_session if credential.kind == "session" else accounts.of_bearer
        return found(credential.text, now=now())

    async def ask(credential: Credential) -> Principal | None:
        return await security().call(read, credential)

    return ask


def _check_scope(access: Access | None, caller: Principal) -> None:
    if access is not None and access.scope is not None and access.scope not in caller.scopes:
        has = ", ".join(sorted(caller.scopes))
        raise Problem(403, f"This needs the scope {access.scope}; {caller.actor} has: {has}.")


def _check_method(scope: Scope, others: Mapping[str, Access]) -> None:
    """Of a path that answers to other methods.

    Raises:
        Problem: 405 with all of them; the router would name those of its first route alone.
    """
    if others:
        allowed = ", ".join(sorted(others))
        raise Problem(405, f"{scope['method']} is not allowed here; {allowed} is.", headers={"Allow": allowed})


def _path(scope: Scope) -> str:
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _host(headers: Headers) -> bytes:
    host = headers.host.lower()
    if host.startswith(b"["):
        return host[1 : host.find(b"]")]
    return host.partition(b":")[0]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "-"
