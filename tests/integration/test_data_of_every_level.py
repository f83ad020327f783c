"""A database that stopped at any earlier migration, with rows in it, is brought to this one: its views say the same."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion, ConversionCredits, Touch
from clickhouse import migrate as migrations
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.rollups import Roller
from clickhouse.rows import attribution_rows, dirty_day_rows
from clickhouse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

START_US = 1_780_000_000_000_000
CONFIG = AttributionConfig(models=("linear", "first_touch", "time_decay"))
HEAD = len(migrations.load())
Credited = list[tuple[str, ConversionCredits]]
CREDITS = "SELECT model, channel, sum(value_micros), round(sum(weight), 9) FROM credits GROUP BY ALL ORDER BY ALL"
SUMS = (
    "SELECT model, channel, sum(value_micros) FROM channel_performance WHERE conversions > 0 GROUP BY ALL ORDER BY ALL"
)


@pytest.fixture
def settings(clickhouse_url: str) -> Iterator[ClickHouseSettings]:
    """A database that does not exist yet."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    yield settings
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


def credited(seed: int = 3) -> Credited:
    """Sixty conversions of three days, some without a touch."""
    rng, attribute, found = random.Random(seed), Attributor(CONFIG).attribute, []
    for number in range(60):
        at_us = START_US + rng.randrange(3 * DAY_US)
        touches: list[Touch] = [
            (at_us - rng.randrange(1, 5 * DAY_US), f"t{number}-{k}", rng.choice(("Email", "Direct", "Display")), "")
            for k in range(rng.randrange(5))
        ]
        conversion = Conversion(f"purchase:{number}", "purchase", at_us, rng.randrange(1, 10**9), "USD")
        found.append((f"c{number}", attribute(FixedJourney(sorted(touches), rev=1 + len(touches)), conversion)))
    return found


def truth(rows: Credited) -> list[tuple[str, str, int, float]]:
    """Micros and weights by model and channel."""
    sums: dict[tuple[str, str], list[float]] = {}
    for _, found in rows:
        for m, model in enumerate(found.models):
            for touch, weight, micros in zip(found.touches, found.weights[m], found.micros[m], strict=True):
                of = sums.setdefault((model, touch[2]), [0, 0.0])
                of[0] += micros
                of[1] += weight
    return [(model, channel, int(of[0]), round(of[1], 9)) for (model, channel), of in sorted(sums.items())]


def store(client: Client, rows: Credited) -> None:
    """In the shape of the tables that are there: of newer columns nothing, before 0009 one row for each model."""
    columns = {row[0] for row in client.query("DESCRIBE TABLE attributions").result_rows}
    table = attribution_rows(rows, run_id=1, config_hash="h", emitted_at_us=START_US)
    if "model" in columns:
        table = by_model(table, CONFIG.models)
    insert(client, "attributions", table, columns)
    marks = {row[0] for row in client.query("DESCRIBE TABLE dirty_days").result_rows}
    insert(client, "dirty_days", dirty_day_rows(rows, run_id=1), marks)


def by_model(table: pa.Table, models: Sequence[str]) -> pa.Table:
    rows = []
    for row in table.to_pylist():
        for m, model in enumerate(models):
            one = {name: value for name, value in row.items() if name not in {"models", "fallbacks", "t.weights"}}
            one |= {"model": model, "fallback": (row.get("fallbacks") or [""] * len(models))[m]}
            one["t.weight"] = [of[m] for of in row["t.weights"]]
            one["t.value_micros"] = [of[m] for of in row["t.value_micros"]]
            rows.append(one)
    return pa.Table.from_pylist(rows)


def insert(client: Client, name: str, table: pa.Table, columns: set[str]) -> None:
    known: Any = table.select([column for column in table.column_names if column in columns])
    client.insert_arrow(name, known)


#: Every second one, which halves the time: what a level adds is in the next one, too.
@pytest.mark.parametrize("level", [*range(3, HEAD - 1, 2), HEAD - 1])
def test_what_an_older_version_has_written_is_read_as_before(settings: ClickHouseSettings, level: int) -> None:
    rows = credited()
    migrate(settings, migrations=migrations.load()[:level])
    client = connect(settings)
    store(client, rows)

    assert migrate(settings) == migrations.load()[level:]
    Roller(client).drain()

    expected = truth(rows)
    assert client.query(CREDITS).result_rows == expected
    assert client.query(SUMS).result_rows == [row[:3] for row in expected]
    client.close()
