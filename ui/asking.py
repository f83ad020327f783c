"""Questions to the API, answered from a cache for a few seconds: ``ask("roi", **filters.report())``.

The names are the methods of ``attribution_client.Client``. An answer belongs to one credential, so that two visitors
share one only if they ask as the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import streamlit as st

from attribution_client import Client
from ui import session

#: How old an answer may be, in seconds.
FRESH_S: Final = 5
STEADY_S: Final = 300


def ask(operation: str, *ids: str, **asked: Any) -> Any:
    """An answer at most ``FRESH_S`` old. Raises what the client raises; a failure is not kept."""
    return _fresh(session.api_url(), session.credential().digest, session.client(), operation, ids, _frozen(asked))


def ask_all(*questions: tuple[str, Mapping[str, Any]]) -> list[Any]:
    """Several questions at once: pairs of operation and parameters. Raises the first failure."""
    url, digest, client = session.api_url(), session.credential().digest, session.client()

    def answer(question: tuple[str, Mapping[str, Any]]) -> Any:
        return _fresh(url, digest, client, question[0], (), _frozen(question[1]))

    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(answer, questions))


def ask_steady(operation: str, *ids: str, **asked: Any) -> Any:
    """The same for what hardly changes, such as the list of models: at most ``STEADY_S`` old."""
    return _steady(session.api_url(), session.credential().digest, session.client(), operation, ids, _frozen(asked))


def forget() -> None:
    """Ask anew: something was changed here."""
    _fresh.clear()
    _steady.clear()


def _frozen(asked: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in sorted(asked.items()) if v is not None)


@st.cache_data(ttl=FRESH_S, max_entries=2_000, show_spinner=False)
def _fresh(
    url: str, digest: str, _client: Client, operation: str, ids: tuple[str, ...], asked: tuple[tuple[str, Any], ...]
) -> Any:
    del url, digest  # they are in the cache's key
    return getattr(_client, operation)(*ids, **dict(asked))


@st.cache_data(ttl=STEADY_S, max_entries=500, show_spinner=False)
def _steady(
    url: str, digest: str, _client: Client, operation: str, ids: tuple[str, ...], asked: tuple[tuple[str, Any], ...]
) -> Any:
    del url, digest
    return getattr(_client, operation)(*ids, **dict(asked))
