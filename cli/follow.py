"""Ends a worker when another run is promoted, so that its supervisor starts it for that run."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S: Final = 1.0


class Follower:
    """Asks once a second which run is to be fed.

    Args:
        fed_run_id: asks; whatever it raises counts as no answer.
        run_id: what this worker feeds.
    """

    def __init__(self, fed_run_id: Callable[[], int], run_id: int) -> None:
        self._fed_run_id, self._run_id = fed_run_id, run_id
        self.has_moved = False

    def start(self) -> None:
        """Begin to look, in a thread that ends with the process."""
        threading.Thread(target=self._look, name="active-run", daemon=True).start()

    def _look(self) -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_S):
            try:
                self.has_moved = self._fed_run_id() != self._run_id
            except Exception:  # noqa: BLE001, S112  # a store that is away must not end the worker  # nosec B112
                continue
            if self.has_moved:
                os.kill(os.getpid(), signal.SIGTERM)
                return
