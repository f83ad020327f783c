"""What each route asks of its caller, said beside the endpoint: ``@requires(Role.VIEWER)`` or ``@public``.

A route that says neither stops the start (``UndeclaredRouteError``), so nothing is open by oversight. A path or method
that no route has is not open either: without credentials the answer is 401 there, too.

    @router.get("/timeseries", …)
    @requires(Role.VIEWER)                       # sums: scope ``reports``
    async def get_timeseries(…) -> …: …

    @router.get("/journey/{customer_id:path}", …)
    @requires(Role.VIEWER, Scope.CUSTOMERS)      # rows of one customer
    async def get_journey(…) -> …: …

Together with ``@quick`` the order does not matter: both only leave a mark on the function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, compile_path

from accounts.roles import USUAL_SCOPE, Role, Scope

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARK: Final = "access"


class Access(NamedTuple):
    """What a route asks for. ``scope`` None: of a route that is not public, any credential will do.

    ``is_audited``: every call is noted. Calls that read nothing that is stored need not be.
    """

    template: str
    scope: Scope | None
    is_public: bool = False
    is_audited: bool = True


class _Mark(NamedTuple):
    scope: Scope | None
    is_public: bool
    is_audited: bool


class UndeclaredRouteError(TypeError):
    """A route does not say who may call it; the message names it and the way out."""


def requires(role: Role, scope: Scope | None = None, *, audited: bool = True) -> Callable[[Endpoint], Endpoint]:
    """Only callers with ``scope`` may call this endpoint; left out, it is the usual one of ``role``.

    ``audited`` False is for what neither reads nor changes anything stored.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, _Mark(scope or USUAL_SCOPE[role], is_public=False, is_audited=audited))
        return endpoint

    return mark


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Whoever has any credential may call this endpoint."""
    setattr(endpoint, _MARK, _Mark(None, is_public=False, is_audited=True))
    return endpoint


def public(endpoint: Endpoint) -> Endpoint:
    """Anybody may call this endpoint."""
    setattr(endpoint, _MARK, _Mark(None, is_public=True, is_audited=False))
    return endpoint


class AccessTable:
    """Finds what a request needs, in the order in which the router would find its route."""

    def __init__(
        self, routes: Sequence[Any], *, public_paths: Sequence[str] = (), public_mounts: Sequence[str] = ()
    ) -> None:
        """Reads the marks.

        Args:
            routes: of the application.
            public_paths: paths of routes without an endpoint of ours: the description and its page.
            public_mounts: prefixes of mounted applications.

        Raises:
            UndeclaredRouteError: a route says nothing.
        """
        self._exact: dict[tuple[str, str], Access] = {}
        self._patterns: list[tuple[re.Pattern[str], frozenset[str], Access]] = []
        self._mounts = tuple(f"{mount}/" for mount in public_mounts)
        for found in iter_route_contexts(routes):
            self._add(found, public_paths)

    def _add(self, found: Any, public_paths: Sequence[str]) -> None:
        route = found.original_route
        if isinstance(route, Mount):
            if f"{route.path}/" not in self._mounts:
                raise UndeclaredRouteError(f"{route.path}: a mounted application that is not in public_mounts")
            return
        path = str(found.path_format or route.path_format)
        endpoint = found.endpoint or route.endpoint
        if path in public_paths:
            access = Access(path, None, is_public=True, is_audited=False)
        else:
            mark: _Mark | None = getattr(endpoint, _MARK, None)
            if mark is None:
                raise UndeclaredRouteError(
                    f"{path}: the route does not say who may call it; mark its function {endpoint.__name__} with "
                    "@requires(Role.…) or @public from api.access"
                )
            access = Access(path, *mark)
        methods = frozenset(found.methods or route.methods or ())
        if "{" not in path:
            self._exact.update({(method, path): access for method in methods})
        else:
            pattern, _, _ = compile_path(str(found.path or route.path))
            self._patterns.append((pattern, methods, access))

    def find(self, method: str, path: str) -> Access | None:
        """What a request needs; ``None`` when no route answers it."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact
        for pattern, methods, access in self._patterns:
            if method in methods and pattern.match(path):
                return access
        if path.startswith(self._mounts) and method in {"GET", "HEAD"}:
            return Access(path[: path.index("/", 1)], None, is_public=True, is_audited=False)
        return None

    def methods(self, path: str) -> dict[str, Access]:
        """What a path answers to: what each method needs. Empty where nothing is."""
        found = {method: access for (method, exact), access in self._exact.items() if exact == path}
        for pattern, methods, access in self._patterns:
            if pattern.match(path):
                found |= {method: access for method in methods if method not in found}
        if path.startswith(self._mounts) and (served := self.find("GET", path)):
            found |= {"GET": served, "HEAD": served}
        return found

    def all(self) -> list[tuple[str, Access]]:
        """Every method and what its route needs."""
        found = [(method, access) for (method, _), access in self._exact.items()]
        found += [(method, access) for _, methods, access in self._patterns for method in methods]
        return sorted(found, key=lambda item: (item[1].template, item[0]))
