"""What a request needs, made once by the application factory and handed to routes by ``Depends``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, ParamSpec, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Request

from api.offsets import OffsetReader
from api.settings import ApiSettings
from api.store import Store

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """Settings, ports, the clock (aware UTC) and the bound on threads that may wait for a dependency."""

    settings: ApiSettings
    store: Store
    offsets: OffsetReader
    now: Callable[[], datetime]
    threads: anyio.CapacityLimiter

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread. When the request ends first, the thread is left to finish alone."""
        return await anyio.to_thread.run_sync(
            partial(function, *args, **kwargs), limiter=self.threads, abandon_on_cancel=True
        )


async def services_of(request: Request) -> Services:
    """The services of the application; a coroutine, since FastAPI would give a plain function a thread."""
    services: Services = request.app.state.services
    return services


Injected: TypeAlias = Annotated[Services, Depends(services_of)]
