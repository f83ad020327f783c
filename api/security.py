"""What the gate and the routes of ``/auth`` share: accounts, recognised callers, limits, the audit trail.

The accounts are opened at the first request that needs them, so that ``insecure_dev`` makes no files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from accounts.accounts import Accounts
from api.audit_trail import AuditTrail
from api.credentials import Recognised
from api.throttle import Throttle

P = ParamSpec("P")
T = TypeVar("T")
_THREADS = 8


class Security:
    """Made once by the application factory."""

    def __init__(self, open_accounts: Callable[[], Accounts], throttle: Throttle) -> None:
        self._open = open_accounts
        self._lock = threading.Lock()
        self._accounts: Accounts | None = None
        self._threads = anyio.CapacityLimiter(_THREADS)
        self.throttle = throttle
        self.trail = AuditTrail(lambda: self.accounts.audit)
        self.recognised: Recognised

    @property
    def accounts(self) -> Accounts:
        """The accounts. Blocks at the first use.

        Raises:
            AccountsUnavailable: they cannot be opened.
        """
        if self._accounts is None:
            with self._lock:
                if self._accounts is None:
                    self._accounts = self._open()
        return self._accounts

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in one of a few threads that are not those of queries."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._threads)

    def close(self) -> None:
        """Write what waits and give back the connections. Blocks."""
        self.trail.close()
        if self._accounts is not None:
            self._accounts.close()
