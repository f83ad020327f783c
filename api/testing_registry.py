"""The registry's topic in memory, for tests: records pass through their bytes, as they do on the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from api.registry_log import Decide
from api.registry_records import Record, change_of, record_of
from api.registry_state import State

T = TypeVar("T")


class MemorySchemaLog:
    """Keeps what was written; ``records`` is the topic."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._state, self._lock = State(), threading.Lock()

    def known(self, question: Callable[[State], T]) -> T:
        """See the protocol."""
        with self._lock:
            return question(self._state)

    def ask(self, question: Callable[[State], T], *, is_fresh: bool = False) -> T:  # noqa: ARG002  # always is
        """See the protocol."""
        return self.known(question)

    def write(self, decide: Decide[T]) -> T:
        """See the protocol."""
        with self._lock:
            answer, changes = decide(self._state)
            self.take([record_of(change) for change in changes])
            return answer

    def take(self, records: Sequence[Record]) -> None:
        """Records that somebody wrote."""
        for key, value in records:
            self.records.append((key, value))
            if (change := change_of(key, value)) is not None:
                self._state.apply(change)

    def clear(self) -> None:
        """The topic is created anew."""
        self.records = []
        self._state = State()

    def close(self) -> None:
        """Nothing to give back."""
