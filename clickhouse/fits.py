"""The fits of the data-driven model as the store keeps them: for explanations, reports and whoever asks for a version.

The workers read them from their topic; this is the copy that queries can see. ``parameters`` are the bytes that were
published (``datadriven.parameters``); this room does not look into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.times import from_us
from clickhouse.errors import translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class StoredFit(NamedTuple):
    """One fit. Times are microseconds; ``conversions`` and ``nulls`` are the journeys behind it."""

    version: str
    effective_from_us: int
    trained_at_us: int
    method: str
    status: str
    conversions: int
    nulls: int
    parameters: bytes


def record(client: Client, fit: StoredFit) -> None:
    """Keep a fit; the same version again replaces.

    Raises:
        SinkUnavailable: the engine cannot do it now.
        SinkRejected: the engine refuses.
    """
    row = [
        fit.version,
        from_us(fit.effective_from_us),
        from_us(fit.trained_at_us),
        fit.method,
        fit.status,
        fit.conversions,
        fit.nulls,
        fit.parameters.decode(),
    ]
    names = ["version", "effective_from", "trained_at", "method", "status", "conversions", "nulls", "parameters"]
    try:
        client.insert("model_fits", [row], column_names=names)
    except ClickHouseError as error:
        raise translate(error, "insert into model_fits") from error
