"""A channel report as the API reads it, straight from an engine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from api import report_days
from api.clickhouse_store import state_of
from api.report_days import Asked
from clickhouse import queries, standing

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from api.store import Page


def read_report(client: Client, /, former: Page | None = None, **asked: Any) -> Page:
    """The report that ``Asked(**asked)`` names, renewed from ``former`` if there is one."""
    run = partial(queries.run, client)
    return report_days.read(run, Asked(**asked), state_of(standing.read(run)), former)
