"""Failures of the API in words: what is wrong, and what helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from attribution_client import (
    AttributionError,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Problem,
    ServiceUnavailable,
    ServiceUnreachable,
    TooManyRequests,
)


def words(error: AttributionError) -> tuple[str, str]:
    """What is wrong, and the way out."""
    if isinstance(error, Problem):
        return next(said(error) for kind, said in _WORDS if isinstance(error, kind))
    if isinstance(error, ServiceUnreachable):
        return "The API does not answer.", "Start it with `attribution up`; `attribution doctor` says what is down."
    return f"The API's answer cannot be read. {error}", "Is this the address of the API, and the same version?"


def _unavailable(error: Problem) -> tuple[str, str]:
    part = f"{error.dependency} does not answer. " if error.dependency else ""
    return f"The API cannot answer now. {part}{error.detail}", "`attribution doctor` names the fix."


def _too_many(error: Problem) -> tuple[str, str]:
    wait = f" in {error.retry_after_s:g} s" if error.retry_after_s else ""
    return "Too many requests at once.", f"Try again{wait}."


def _invalid(error: Problem) -> tuple[str, str]:
    fields = "; ".join(f"{e.field} = {e.value!r}: {e.reason}" for e in error.errors)
    return f"A filter cannot be used. {fields or error.detail}", "Choose another value above."


#: By kind, the last one for all others.
_WORDS: Final[tuple[tuple[type[Problem], Callable[[Problem], tuple[str, str]]], ...]] = (
    (ServiceUnavailable, _unavailable),
    (NotSignedIn, lambda _: ("Your session is over.", "Reload the page to sign in again.")),
    (NotAllowed, lambda e: (f"This is not for your role. {e.detail}", "Ask an administrator for another role or key.")),
    (NotFound, lambda e: (f"Nothing was found. {e.detail}", "Check the id; what is very new may not be read yet.")),
    (TooManyRequests, _too_many),
    (InvalidInput, _invalid),
    (Problem, lambda e: (f"The API refused. {e.detail or e.title}", f"Its log has the cause under {e.instance}.")),
)


def tell(error: AttributionError) -> None:
    """Show it."""
    wrong, help_ = words(error)
    st.error(f"{wrong}\n\n{help_}", icon=":material/error:")


@contextmanager
def in_words() -> Iterator[None]:
    """What the client raises inside is shown as a sentence, and the rest of the block is left out."""
    try:
        yield
    except AttributionError as error:
        tell(error)
