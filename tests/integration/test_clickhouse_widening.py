"""Migration 0009 over rows of the layout before it: the views say the same, wherever it was interrupted."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from clickhouse import migrate as migrations
from clickhouse import queries
from clickhouse.client import connect
from clickhouse.errors import SinkRejected
from clickhouse.migrate import Migration, Step, migrate
from clickhouse.rows import attribution_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

BEFORE = migrations.load()[:8]
WIDEN = migrations.load()[8]
MODELS = ("last_touch", "linear", "time_decay")
#: What readers see, times of writing included.
VIEWS = {
    "credits": "SELECT * FROM credits ORDER BY conversion_id, converted_at, model, position",
    "conversions": "SELECT run_id, model, conversion_id, customer_id, conversion_type, converted_at, value_micros, "
    "currency, path, touchpoints, fallback, truncated, config_hash, rev, emitted_at "
    "FROM conversions_attributed ORDER BY conversion_id, converted_at, model",
}
NAMES = (
    "run_id model conversion_id customer_id conversion_type converted_at value_micros currency t.id t.at t.channel "
    "t.campaign t.weight t.value_micros fallback truncated config_hash rev is_deleted emitted_at"
)
COLUMNS = NAMES.split()
#: The checksum of a run as the program before computed it.
SUM_BEFORE = """
    SELECT count(), sum(cityHash64(
        model, conversion_id, customer_id, conversion_type, converted_at, value_micros, currency,
        `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weight`, `t.value_micros`, fallback, truncated, config_hash
    )) FROM attributions FINAL WHERE run_id = 1
"""


@pytest.fixture
def settings(clickhouse_url: str) -> Iterator[ClickHouseSettings]:
    """A database as the program before left it."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(settings, migrations=BEFORE)
    yield settings
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


@pytest.fixture
def client(settings: ClickHouseSettings) -> Iterator[Client]:
    client = connect(settings)
    yield client
    client.close()


def old_rows(rng: random.Random, name: str, rev: int, *, is_live: bool) -> list[list[Any]]:
    """One conversion at one ``rev``, a row per model, in any order of models."""
    day, n = 20_000 + int(name) % 40, rng.randint(1, 4)
    at = (day * DAY_US + rev) if is_live else day * DAY_US
    touches = [f"{name}-{rev}-{i}" for i in range(n)] if is_live else []
    path = [rng.choice(["email", "direct"]) for _ in touches]
    stand_in = rng.choice(["", "linear"])
    rows = [
        [
            1 if int(name) % 7 else 2,
            model,
            f"o{name}",
            f"c{int(name) % 5}",
            "purchase",
            at,
            rng.randrange(10**12) if is_live else 0,
            "EUR",
            touches,
            [at - i for i in range(len(touches))],
            path,
            ["spring"] * len(touches),
            [rng.random() for _ in touches],
            [rng.randrange(10**9) for _ in touches],
            stand_in if model == "time_decay" else "",
            int(name) % 2,
            "h",
            rev,
            int(not is_live),
            1_700_000_000_000 + rev,
        ]
        for model in MODELS
    ]
    value = rows[0][6]
    for row in rows:
        row[6] = value
    rng.shuffle(rows)
    return rows


def fill(client: Client, seed: int) -> None:
    """Conversions that were written up to four times, late ones, doubled ones and deleted ones among them."""
    rng = random.Random(seed)
    writes = [
        old_rows(rng, str(name), rev, is_live=rng.random() > 0.2)
        for name in range(60)
        for rev in rng.sample(range(1, 9), rng.randint(1, 4))
    ]
    rng.shuffle(writes)
    for part in (writes[::3], writes[1::3], writes[2::3], writes[::5]):
        client.insert("attributions", [row for write in part for row in write], column_names=COLUMNS)


def seen(client: Client) -> dict[str, Any]:
    return {name: client.query(sql).result_rows for name, sql in VIEWS.items()}


def interrupted(done: int) -> Migration:
    """0009, broken off after so many statements."""
    steps = [*WIDEN.steps[:done], Step("SELECT nonsense")]
    text = "".join(f"-- only if: {s.only_if}\n{s.statement};\n" if s.only_if else f"{s.statement};\n" for s in steps)
    return replace(WIDEN, sql=text)


@pytest.mark.parametrize("seed", range(3))
def test_the_views_say_the_same_before_and_after(settings: ClickHouseSettings, client: Client, seed: int) -> None:
    fill(client, seed)
    before = seen(client)

    migrate(settings)

    assert seen(client) == before
    assert len(before["credits"]) > 100
    kept = "SELECT count(), uniqExact(conversion_id) FROM attributions WHERE run_id = 1"
    assert client.query(kept).result_rows == [(51, 51)]


def test_the_checksum_of_a_run_stays(settings: ClickHouseSettings, client: Client) -> None:
    fill(client, 4)
    before = client.query(SUM_BEFORE).result_rows

    migrate(settings)

    (after,) = queries.run(client, "runs_checksum", run_id=1)
    assert [(after["credit_rows"], after["hash_sum"])] == before


def test_it_is_finished_from_wherever_it_was_broken_off(settings: ClickHouseSettings, client: Client) -> None:
    fill(client, 7)
    before = seen(client)

    for done in range(len(WIDEN.steps) + 1):
        with pytest.raises(SinkRejected, match=f"statement {done + 1}"):
            migrate(settings, migrations=[*BEFORE, interrupted(done)])
    migrate(settings)

    assert seen(client) == before
    left = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'attributions%'"
    assert client.query(left).result_rows == [("attributions",)]


def test_a_writer_of_before_is_refused_from_the_first_statement_on(
    settings: ClickHouseSettings, client: Client
) -> None:
    fill(client, 5)
    before = seen(client)
    for done in (1, 2, 3):
        with pytest.raises(SinkRejected):
            migrate(settings, migrations=[*BEFORE, interrupted(done)])
        with pytest.raises(ClickHouseError):
            fill(client, 6)

    migrate(settings)

    assert seen(client) == before


def test_a_deletion_outlives_what_is_delivered_late(settings: ClickHouseSettings, client: Client) -> None:
    at_us = 20_003 * DAY_US
    for rev, is_live in ((3, True), (9, False)):
        rows = old_rows(random.Random(1), "3", rev, is_live=is_live)
        client.insert("attributions", rows, column_names=COLUMNS)
    migrate(settings)
    late = ConversionCredits(
        Conversion("o3", "purchase", at_us, 7, "EUR"),
        8,
        MODELS,
        ((at_us, "t", "email", ""),),
        ((1.0,),) * 3,
        ((7,),) * 3,
        ("",) * 3,
    )

    def write(credits_: ConversionCredits) -> None:
        table = attribution_rows([("c3", credits_)], run_id=1, config_hash="h", emitted_at_us=1)
        Writer(client).write({"attributions": table})

    write(late)
    assert seen(client) == {"credits": [], "conversions": []}
    write(replace(late, rev=10))
    assert len(seen(client)["credits"]) == 3


def test_an_empty_database_is_widened_too(settings: ClickHouseSettings, client: Client) -> None:
    migrate(settings)

    assert seen(client) == {"credits": [], "conversions": []}
