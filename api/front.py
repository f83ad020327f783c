"""What stands between the guard and a route: as little as possible, for every endpoint alike.

``Api`` is FastAPI without the layers that the guard makes superfluous (failures become problems there and only
there). Paths without parameters are found in a table instead of by trying each route's pattern; everything else, and
every other method, goes to FastAPI's router.

An endpoint may have a **quick way**, which answers what it is sure of without the framework: ``@quick(answer)`` on the
endpoint's function. ``answer(body, request)`` gives a response, or ``None``, and then the same request goes the
ordinary way, whose validation says what is wrong. A quick way runs no dependency of its route, so ``Api`` refuses to
start when the route has one that the quick way does not name in ``covers``: a check added to a router is never
skipped silently. What must hold for every request belongs into a middleware, which is before both ways.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

QuickAnswer: TypeAlias = Callable[[bytes, Request], Awaitable[Response | None]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARK: Final = "quick_way"


class _QuickWay(NamedTuple):
    answer: QuickAnswer
    covers: Sequence[Callable[..., Any]]


class _Direct(NamedTuple):
    """A route without path parameters."""

    app: ASGIApp
    endpoint: Callable[..., Any] | None
    route: APIRoute
    quick: QuickAnswer | None


class UncoveredDependencyError(TypeError):
    """A route has a dependency that its quick way would skip; the message names both and the way out."""


def quick(answer: QuickAnswer, *, covers: Sequence[Callable[..., Any]] = ()) -> Callable[[Endpoint], Endpoint]:
    """Give an endpoint a quick way.

    Args:
        answer: takes the body and the request; ``None`` when the ordinary way must answer.
        covers: dependencies of the route that ``answer`` sees to itself or does not need.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, _QuickWay(answer, covers))
        return endpoint

    return mark


class Api(FastAPI):
    """FastAPI with the short way to a route."""

    def build_middleware_stack(self) -> ASGIApp:
        """The middlewares that were added, the first one added innermost, and the table of routes.

        Raises:
            UncoveredDependencyError: a dependency would be skipped.
        """
        stack: ASGIApp = _Front(self.router, self.routes)
        for layer in reversed(self.user_middleware):
            stack = layer.cls(stack, *layer.args, **layer.kwargs)
        return stack

    @cached_property
    def quick_paths(self) -> frozenset[tuple[str, str]]:
        """Method and path of every endpoint that has a quick way."""
        return frozenset(key for key, direct in _table(self.routes) if direct.quick is not None)


class _Front:
    """Table first, router for the rest."""

    def __init__(self, router: ASGIApp, routes: Sequence[Any]) -> None:
        self._router = router
        self._table = dict(_table(routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        # behind a proxy that adds a prefix, the router knows how to take it off
        direct = None if scope.get("root_path") else self._table.get((scope["method"], scope["path"]))
        if direct is None:
            await _with_stack(self._router, scope, receive, send)
            return
        if direct.quick is not None:
            body = (await receive()).get("body", b"")  # the guard hands it over in one piece
            answer = await direct.quick(body, Request(scope))
            if answer is not None:
                await answer(scope, receive, send)
                return
            receive = replay(body, receive)
        scope["endpoint"], scope["path_params"], scope["route"] = direct.endpoint, {}, direct.route
        await _with_stack(direct.app, scope, receive, send)


async def _with_stack(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async with AsyncExitStack() as stack:
        scope["fastapi_middleware_astack"] = stack  # FastAPI's routes close files with it
        await app(scope, receive, send)


def _table(routes: Sequence[Any]) -> Iterator[tuple[tuple[str, str], _Direct]]:
    for found in iter_route_contexts(routes):
        route = found.original_route
        if not isinstance(route, APIRoute) or "{" in (found.path_format or "{"):
            continue
        way: _QuickWay | None = getattr(found.endpoint, _MARK, None)
        if way is not None:
            _check_covered(found, way)
        for method in found.methods or ():
            key = (method, str(found.path_format))
            yield key, _Direct(found.app, found.endpoint, route, way.answer if way else None)


def _check_covered(found: RouteContext, way: _QuickWay) -> None:
    waiting = list(found.dependant.dependencies)
    while waiting:
        dependant = waiting.pop()
        waiting += dependant.dependencies
        if dependant.call not in way.covers:
            name = getattr(dependant.call, "__qualname__", repr(dependant.call))
            raise UncoveredDependencyError(
                f"{found.path_format}: its quick way would skip the dependency {name}; check it in a middleware, or in "
                f"the quick way and name it in covers"
            )


def replay(body: bytes, receive: Receive) -> Receive:
    """A channel that gives a body that was read already, and then what else comes."""
    is_sent = False

    async def replayed() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
