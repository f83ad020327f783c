"""A report over what the run and the journeys hold now, for which no sums are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from api.services import Services
from api.store import Meta

A = TypeVar("A")
T = TypeVar("T")


async def read_now(services: Services, read: Callable[[A], T], asked: A) -> tuple[Meta, T]:
    """The report with what it stands on, which it is never older than; ``as_of`` is when it was asked.

    It is read at each call: ``standing`` does not tell when a single touch came, so an answer could not be given again.
    """
    as_of = services.now()
    meta = await services.meta()
    return replace(meta, as_of=as_of), await services.call(read, asked)
