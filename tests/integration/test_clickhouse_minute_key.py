"""Migration 0010 over rows of the key before it: the credits stay, marks and rollups come back, in any interruption."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from attribution.config import DAY_US
from attribution.types import Conversion, ConversionCredits
from clickhouse import migrate as migrations
from clickhouse.client import connect
from clickhouse.errors import SinkRejected
from clickhouse.migrate import Step, migrate
from clickhouse.rollups import Roller
from clickhouse.rows import attribution_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

pytestmark = pytest.mark.clickhouse

BEFORE = migrations.load()[:9]
REKEY = migrations.load()[9]
CREDITS = "SELECT conversion_id, converted_at, rev, channel, value_micros FROM credits ORDER BY ALL"
SUMS = "SELECT day, sum(value_micros) FROM credits_by_day GROUP BY day ORDER BY day"


@pytest.fixture
def settings(clickhouse_url: str) -> Iterator[ClickHouseSettings]:
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(settings, migrations=BEFORE)
    yield settings
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


def credits_of(name: str, at_us: int, rev: int, value: int, *, is_live: bool = True) -> ConversionCredits:
    conversion = Conversion(name, "purchase", at_us, value, "USD")
    found = ConversionCredits(conversion, rev, ("linear",), ((at_us, "t", "email", ""),), ((1.0,),), ((value,),), ("",))
    if is_live:
        return found
    return replace(found, conversion=replace(conversion, is_live=False), touches=(), weights=(), micros=())


def test_rows_marks_and_sums_are_there_after_every_interruption(settings: ClickHouseSettings) -> None:
    noon = 20_000 * DAY_US + DAY_US // 2
    client = connect(settings)
    versions = [
        credits_of("moved", noon, 1, 10),
        credits_of("moved", noon + 600_000_000, 2, 20),
        credits_of("gone", noon, 1, 40),
        credits_of("gone", noon, 3, 0, is_live=False),
        credits_of("other", noon + DAY_US, 5, 80),
    ]
    for version in versions:
        rows = attribution_rows([("c", version)], run_id=1, config_hash="h", emitted_at_us=1)
        Writer(client).write({"attributions": rows})
    client.command("INSERT INTO rollup_state (run_id, day, built_mark) VALUES (1, 20000, 1), (1, 20001, 1)")
    before = client.query(CREDITS).result_rows

    for done in range(len(REKEY.steps) + 1):
        steps = [*REKEY.steps[:done], Step("SELECT nonsense")]
        text = "".join(
            f"-- only if: {s.only_if}\n{s.statement};\n" if s.only_if else f"{s.statement};\n" for s in steps
        )
        with pytest.raises(SinkRejected, match=f"statement {done + 1}"):
            migrate(settings, migrations=[*BEFORE, replace(REKEY, sql=text)])
    migrate(settings)
    Roller(client).drain()

    assert client.query(CREDITS).result_rows == before
    assert client.query("SELECT count() FROM credits").result_rows == [(2,)]
    assert client.query("SELECT DISTINCT rev FROM attributions WHERE conversion_id = 'gone'").result_rows == [(3,)]
    assert [total for _, total in client.query(SUMS).result_rows] == [20, 80]
    client.close()
