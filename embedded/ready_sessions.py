"""Sessions of the engine that wait for the next call of their kind.

To open a session, name its database and set its settings costs about a millisecond of CPU, a third of a small query.
A call whose statement leaves its session as it was gives the session back, and the next call with the same database,
settings and rights takes it. A session whose call failed, or could have changed something, is closed and never shared.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

#: Database, settings and ``readonly`` of a call.
Kind: TypeAlias = "tuple[str, frozenset[tuple[str, str]], int]"
#: Sessions that wait; the one that has waited longest goes.
_MOST: Final = 32


class ReadySessions:
    """Thread safe. ``open_`` opens a session in which nothing is set."""

    def __init__(self, open_: Callable[[], Any]) -> None:
        self._open = open_
        self._guard = threading.Lock()
        self._waiting: deque[tuple[Kind, Any]] = deque()

    def take(self, kind: Kind) -> tuple[Any, bool]:
        """A session of this kind and True, or a new one and False: then it is for the caller to set up."""
        with self._guard:
            for place in range(len(self._waiting) - 1, -1, -1):
                if self._waiting[place][0] == kind:
                    session = self._waiting[place][1]
                    del self._waiting[place]
                    return session, True
        return self._open(), False

    def give_back(self, kind: Kind, session: Any) -> None:
        """The session is as it was when it was set up."""
        with self._guard:
            self._waiting.append((kind, session))
            oldest = self._waiting.popleft()[1] if len(self._waiting) > _MOST else None
        if oldest is not None:
            oldest.close()

    def clear(self) -> None:
        """Close all that wait: what they name may be gone."""
        with self._guard:
            sessions = [session for _, session in self._waiting]
            self._waiting.clear()
        for session in sessions:
            session.close()
