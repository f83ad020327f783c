"""What the routes of ``/auth`` take from a request."""

from __future__ import annotations

from fastapi import Request

from accounts.principal import Principal
from api.errors import Problem
from api.security import Security


def security_of(request: Request) -> Security:
    """Accounts, limits and the audit trail.

    Raises:
        Problem: 403 where nobody is asked who they are.
    """
    if request.app.state.settings.insecure_dev:
        raise Problem(403, "With --insecure-dev nobody signs in.")
    security: Security = request.app.state.security
    return security


def caller_of(request: Request) -> Principal:
    """Who calls, as the gate has recognised them."""
    caller: Principal = request.state.principal
    return caller
