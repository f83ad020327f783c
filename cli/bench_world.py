"""Made-up conversions, credits and spend for ``attribution bench read``, in a database of their own.

Everything is computed inside the engine, a day at a time. The rollups are built by the product's own roller. A database
that this module has not made is neither filled nor dropped.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from attribution.config import AttributionConfig
from clickhouse import migrate, queries, rows
from clickhouse.client import connect
from clickhouse.errors import StoreError
from clickhouse.path_sums import PathRoller
from clickhouse.rollups import GRACE_US, Roller
from clickhouse.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse.settings import ClickHouseSettings

DAYS: Final = 90
_SLICE: Final = 50_000


@dataclass(frozen=True, slots=True)
class World:
    """``conversions`` spread over the ``days`` days up to ``end``, about two of each customer."""

    conversions: int
    end: date
    days: int = DAYS

    @property
    def start(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days - 1)

    @property
    def customers(self) -> int:
        """How many there are."""
        return max(1, self.conversions // 2)


def build(settings: ClickHouseSettings, world: World, report: Callable[[str], None]) -> None:
    """Makes the database and fills it.

    Raises:
        StoreError: the database exists and is not ours, or the engine refuses.
    """
    drop(settings)
    migrate.migrate(settings)
    client = connect(settings)
    try:
        queries.execute(client, "bench_sign")
        each, rest = divmod(world.conversions, world.days)
        done = 0
        for index in range(world.days):
            n = each + (index < rest)
            if n:
                _fill_day(client, world, world.start + timedelta(days=index), done, n)
            done += n
            if index % 10 == 9:
                report(f"{done:,} conversions")
        span: dict[str, Any] = {"start": world.start, "days": world.days}
        queries.execute(client, "bench_fill_spend", **span)
        queries.execute(client, "bench_fill_rates", **span)
        queries.execute(client, "bench_fill_identities", start=world.start, customers=world.customers)
        queries.execute(client, "bench_fill_strangers", start=world.start, end=world.end, customers=world.customers)
        queries.execute(client, "bench_fill_progress")
        _describe(client)
        roller = Roller(client, days_per_pass=1)
        roller.rebuild(1)
        report(f"rollups of {len(roller.drain())} days")
    finally:
        client.close()
    renew(settings, report)


def renew(settings: ClickHouseSettings, report: Callable[[str], None]) -> None:
    """Brings a database of ours to this version's tables, and builds the path sums that it has not.

    Raises:
        StoreError: the engine refuses.
    """
    migrate.migrate(settings)
    client = connect(settings)
    try:
        time.sleep(GRACE_US / 1e6)  # days whose marks are younger wait
        began = time.monotonic()
        count = PathRoller(client).drain()
        report(f"path sums of {count} days in {time.monotonic() - began:.1f} s")
    finally:
        client.close()


def holds(settings: ClickHouseSettings, world: World) -> bool:
    """Whether the database is ours and has this many conversions on these days already."""
    if not _is_ours(settings):
        return False
    client = connect(settings)
    try:
        found = queries.run(client, "bench_holds", start=world.start)[0]
    finally:
        client.close()
    return bool(found["conversions"] == world.conversions and found["newest"] == world.end)


def drop(settings: ClickHouseSettings) -> None:
    """Removes the database if it is there and ours.

    Raises:
        StoreError: it is not ours.
    """
    _is_ours(settings)
    client = connect(settings, use_database=False)
    try:
        queries.execute(client, "bench_drop", database=settings.database)
    finally:
        client.close()


def sizes(settings: ClickHouseSettings) -> list[dict[str, Any]]:
    """Rows, bytes on disk and parts of each table."""
    client = connect(settings)
    try:
        return queries.run(client, "bench_sizes")
    finally:
        client.close()


def _fill_day(client: Any, world: World, day: date, first: int, n: int) -> None:
    for start in range(first, first + n, _SLICE):
        of_day: dict[str, Any] = {"day": day, "customers": world.customers}
        slice_ = {"first": start, "n": min(_SLICE, first + n - start), **of_day}
        queries.execute(client, "bench_fill_attributions", **slice_)
        queries.execute(client, "bench_fill_conversions", **slice_)
    queries.execute(client, "bench_fill_unattributed", day=day)
    queries.execute(client, "bench_fill_touchpoints", day=day)


def _describe(client: Any) -> None:
    """Record the run's parameters, as a worker does."""
    config = AttributionConfig()
    parameters = json.dumps(config.as_dict())
    described = rows.run_rows(
        1, label="live", models=config.models, config_hash=config.config_hash(), config_json=parameters
    )
    Writer(client).write({"runs": described})


def _is_ours(settings: ClickHouseSettings) -> bool:
    """Whether the database exists.

    Raises:
        StoreError: it does, and we have not made it.
    """
    client = connect(settings, use_database=False)
    try:
        found = queries.run(client, "bench_is_ours", database=settings.database)[0]
    finally:
        client.close()
    if found["is_there"] and not found["is_ours"]:
        raise StoreError(
            f"database {settings.database!r} was not made by `attribution bench read`: "
            f"it is neither filled nor dropped; give another --database"
        )
    return bool(found["is_there"])
