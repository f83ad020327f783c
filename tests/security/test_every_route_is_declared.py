"""Deny by default: no route without a word on who may call it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from accounts.roles import SCOPES, Role, Scope
from api.access import AccessTable, UndeclaredRouteError, public, requires
from api.app import create_app
from api.front import Api
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryStore

#: Everything that anybody may call. A new one needs a reason.
PUBLIC = {"/health", "/ready", "/docs", "/openapi.json", "/api/v1/auth/login"}


def table() -> AccessTable:
    app = create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets())
    found = app.state.access
    assert isinstance(found, AccessTable)
    return found


def test_the_public_routes_are_these() -> None:
    assert {access.template for _, access in table().all() if access.is_public} == PUBLIC


def test_every_served_route_is_in_the_table() -> None:
    app = create_app(ApiSettings(), store=MemoryStore(), offsets=MemoryOffsets())
    declared = {(method, access.template) for method, access in app.state.access.all()}
    served = {
        (method, str(found.path_format))
        for found in iter_route_contexts(app.routes)
        if isinstance(found.original_route, APIRoute)
        for method in found.methods or ()
    }
    assert served <= declared
    assert len(served) >= 8


def test_a_route_without_a_word_stops_the_start() -> None:
    app = Api()

    async def forgotten() -> None: ...

    app.get("/forgotten")(forgotten)
    with pytest.raises(UndeclaredRouteError, match=r"/forgotten.*forgotten.*requires"):
        AccessTable(app.routes, public_paths=("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"))


def test_a_mounted_application_that_nobody_named_stops_the_start() -> None:
    app = Api(openapi_url=None)
    app.mount("/inner", Api())
    with pytest.raises(UndeclaredRouteError, match="/inner"):
        AccessTable(app.routes)


@pytest.mark.parametrize(
    ("mark", "scope"),
    [
        (requires(Role.VIEWER), Scope.REPORTS),
        (requires(Role.VIEWER, Scope.CUSTOMERS), Scope.CUSTOMERS),
        (requires(Role.INGESTOR), Scope.INGEST),
        (requires(Role.ADMIN), Scope.MANAGE),
        (public, None),
    ],
)
def test_a_mark_is_found_for_plain_paths_and_patterns(mark: Any, scope: Scope | None) -> None:
    app = Api(openapi_url=None)

    async def endpoint() -> None: ...

    app.get("/plain")(mark(endpoint))
    app.get("/of/{customer_id:path}")(endpoint)
    found = AccessTable(app.routes)
    for path in ("/plain", "/of/ada", "/of/a/b"):
        access = found.find("GET", path)
        assert access is not None
        assert access.scope is scope
        assert access.is_public == (scope is None)
    assert found.find("POST", "/plain") is None
    assert found.find("GET", "/of/") is not None
    assert found.find("GET", "/other") is None


def test_roles_are_sets_of_scopes_and_only_admins_manage() -> None:
    assert SCOPES[Role.VIEWER] < SCOPES[Role.ANALYST] < SCOPES[Role.ADMIN] == frozenset(Scope)
    assert SCOPES[Role.INGESTOR] == {Scope.INGEST}
    assert [role for role in Role if Scope.MANAGE in SCOPES[role]] == [Role.ADMIN]
