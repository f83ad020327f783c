"""Roles and scopes. A scope is one kind of access; a role is a named set of scopes; a key may hold fewer than its role.

A route names the role that it is meant for and the scope that it needs (``api.access.requires``). Whoever holds the
scope may call it: a role is nothing but its scopes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """One kind of access."""

    REPORTS = "reports"  # sums, models, calculations, status: nobody's personal data
    CUSTOMERS = "customers"  # rows of one customer or conversion
    RUNS = "runs"  # promote a run, and other changes of what everybody is shown
    INGEST = "ingest"  # send events
    MANAGE = "manage"  # users, keys, workspaces, the audit log, erasures


class Role(StrEnum):
    """A named set of scopes."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    INGESTOR = "ingestor"
    ADMIN = "admin"


SCOPES: Final[dict[Role, frozenset[Scope]]] = {
    Role.VIEWER: frozenset({Scope.REPORTS, Scope.CUSTOMERS}),
    Role.ANALYST: frozenset({Scope.REPORTS, Scope.CUSTOMERS, Scope.RUNS}),
    Role.INGESTOR: frozenset({Scope.INGEST}),
    Role.ADMIN: frozenset(Scope),
}

#: The scope of a route that names a role alone.
USUAL_SCOPE: Final[dict[Role, Scope]] = {
    Role.VIEWER: Scope.REPORTS,
    Role.ANALYST: Scope.RUNS,
    Role.INGESTOR: Scope.INGEST,
    Role.ADMIN: Scope.MANAGE,
}
