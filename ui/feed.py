"""Conversions as they happen, for one visit: a thread reads the API's stream while somebody looks.

``Feed.of_visit`` belongs to the visit; each look keeps it alive. It ends by itself ``IDLE_S`` after the last one, and
with it the connection, so that a closed window costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final, Self

import httpx
import streamlit as st

from attribution_client import AttributionError, Client
from attribution_client.models.live import LiveConversion
from ui import session

IDLE_S: Final = 12.0
KEPT: Final = 200
_LOOK_S: Final = 2.0


class Feed:
    """The newest conversions under one model, at most ``KEPT`` of them."""

    def __init__(self, client: Client, model: str) -> None:
        self.model = model
        self.failure: AttributionError | None = None
        self._client, self._found = client, deque[LiveConversion](maxlen=KEPT)
        self._seen_at = time.monotonic()
        self._ended = threading.Event()
        for work in (self._read, self._watch):
            threading.Thread(target=work, name="feed", daemon=True).start()

    @classmethod
    def of_visit(cls, model: str) -> Feed:
        """That of this visit; a new one for another model, or when the former has ended."""
        kept = st.session_state.get("feed")
        if isinstance(kept, Feed) and kept.model == model and not kept.is_over:
            return kept
        if isinstance(kept, Feed):
            kept.stop()
        made = cls(session.new_client(session.api_url(), session.credential()), model)
        st.session_state["feed"] = made
        return made

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended.is_set() and self.failure is None

    def look(self) -> list[LiveConversion]:
        """The newest versions, the newest first; of a conversion the last one only."""
        self._seen_at = time.monotonic()
        newest: dict[str, LiveConversion] = {}
        for found in list(self._found):
            newest.pop(found.conversion_id, None)
            newest[found.conversion_id] = found
        return [c for c in reversed(newest.values()) if not c.removed]

    def stop(self) -> Self:
        """End the connection."""
        self._ended.set()
        with suppress(AttributionError, httpx.HTTPError, RuntimeError):
            self._client.close(0.1)
        return self

    def _read(self) -> None:
        try:
            for event in self._client.stream_conversions(attribution_model=self.model):
                if self._ended.is_set():
                    return
                if (found := event.conversion) is not None:
                    self._found.append(found)
        except AttributionError as error:
            self.failure = None if self._ended.is_set() else error
        except (httpx.HTTPError, RuntimeError):
            pass  # closed from the other thread
        finally:
            self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            if time.monotonic() - self._seen_at > IDLE_S:
                self.stop()
