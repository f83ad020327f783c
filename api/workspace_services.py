"""Services by workspace, made at the first request of each. A request never sees another's: isolation is by connection.

One process serves at most ``limit`` workspaces; the next one is refused, and the message says which setting to raise.
"""

from __future__ import annotations

from collections.abc import Callable

from accounts.workspaces import DEFAULT
from api.errors import Problem
from api.services import Services


class WorkspaceServices:
    """Made by the application factory."""

    def __init__(self, make: Callable[[str], Services], *, limit: int = 256) -> None:
        self._make, self._limit = make, limit
        self._made: dict[str, Services] = {DEFAULT: make(DEFAULT)}

    def of(self, workspace: str) -> Services:
        """Services of a workspace.

        Raises:
            Problem: 503 beyond the limit.
        """
        found = self._made.get(workspace)
        if found is None:
            if len(self._made) >= self._limit:
                raise Problem(503, f"This process serves {self._limit} workspaces already; ask another one.")
            found = self._made[workspace] = self._make(workspace)
        return found

    def close(self) -> None:
        """Close all of them. Blocks."""
        for services in self._made.values():
            services.close()
