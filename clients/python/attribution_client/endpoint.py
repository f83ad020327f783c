"""A method of both clients from one function that builds its call.

``roi = Endpoint(build)`` in the class that they share is a method of ``Client`` that answers, and one of
``AsyncClient`` that is awaited; ``each_campaign = Pages(build, rows)`` iterates over all pages of an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from attribution_client.problems import ProtocolError

if TYPE_CHECKING:
    from attribution_client.async_client import AsyncClient
    from attribution_client.calls import Call
    from attribution_client.client import Client

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Page(Protocol):
    """An answer that may have a next page."""

    @property
    def next_cursor(self) -> str | None:
        """To be given back; None on the last page."""


G = TypeVar("G", bound=Page)


class Endpoint(Generic[P, T]):
    """One operation of the API.

    Args:
        build: from the method's parameters to the call.
    """

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        """The method of a client."""
        if client is None:
            return self

        @wraps(self.build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(self.build(*args, **kwargs))

        method.__name__ = self.name
        return method


class Pages(Generic[P, G, R]):
    """Rows of all pages, one after the other, each page asked for when it is needed; ``limit`` is the size of a page.

    Args:
        build: from the method's parameters to the call of the first page.
        rows: of a page.
    """

    def __init__(self, build: Callable[P, Call[G]], rows: Callable[[G], tuple[R, ...]]) -> None:
        self.build, self.rows = build, rows
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: Any) -> Callable[P, Iterator[R]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: Any) -> Callable[P, AsyncIterator[R]]: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        """The method of a client."""
        if client is None:
            return self

        @wraps(self.build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run_pages(self.build(*args, **kwargs), self.rows)

        return method


def following(call: Call[G], page: G) -> Call[G] | None:
    """The call for the next page.

    Raises:
        ProtocolError: the page points to itself, which would never end.
    """
    if page.next_cursor is None:
        return None
    if page.next_cursor == call.query.get("cursor"):
        raise ProtocolError(f"the page behind {page.next_cursor!r} of {call.path} names itself as the next one")
    return call.after(page.next_cursor)
