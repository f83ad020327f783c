"""Migrations on the live engine: once, in order, refused when files and database do not fit."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from clickhouse import migrate as migrations
from clickhouse.client import connect
from clickhouse.errors import LockHeld, MigrationError, SinkRejected
from clickhouse.locks import table_lock
from clickhouse.migrate import LOCK, Migration, migrate, status
from clickhouse.settings import ClickHouseSettings

pytestmark = pytest.mark.clickhouse

TABLES = "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name"


@pytest.fixture
def settings(clickhouse_url: str) -> Iterator[ClickHouseSettings]:
    """A database that does not exist yet."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    yield settings
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()


def tables(settings: ClickHouseSettings) -> list[str]:
    client = connect(settings, use_database=False)
    try:
        return [row[0] for row in client.query(TABLES, parameters={"database": settings.database}).result_rows]
    finally:
        client.close()


def test_a_second_run_changes_nothing(settings: ClickHouseSettings) -> None:
    assert migrate(settings) == migrations.load()
    before = tables(settings), status(settings)

    assert migrate(settings) == []
    assert (tables(settings), status(settings)) == before


def test_a_dry_run_and_a_status_create_nothing(settings: ClickHouseSettings) -> None:
    assert migrate(settings, dry_run=True) == migrations.load()
    assert [state.applied_at for state in status(settings)] == [None] * len(migrations.load())

    client = connect(settings, use_database=False)
    databases = [row[0] for row in client.query("SELECT name FROM system.databases").result_rows]
    client.close()
    assert settings.database not in databases


def test_only_what_is_missing_is_applied(settings: ClickHouseSettings) -> None:
    first, *rest = migrations.load()

    assert migrate(settings, migrations=[first]) == [first]
    assert migrate(settings) == rest


def test_an_edited_file_is_refused_before_anything_is_applied(settings: ClickHouseSettings) -> None:
    first, second, *_ = migrations.load()
    migrate(settings, migrations=[first])
    before = tables(settings)
    edited = Migration(first.version, first.name, f"{first.sql}\n-- touched")

    with pytest.raises(MigrationError, match=r"0001_create_facts\.sql was edited after it was applied"):
        migrate(settings, migrations=[edited, second])

    assert tables(settings) == before


def test_a_database_of_a_newer_program_is_refused(settings: ClickHouseSettings) -> None:
    first, second, *_ = migrations.load()
    migrate(settings, migrations=[first, second])

    with pytest.raises(MigrationError, match=r"0002_create_attributions.*upgrade this program"):
        migrate(settings, migrations=[first])


def test_several_at_once_end_in_the_state_of_one(settings: ClickHouseSettings) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(settings), range(4)))

    assert sorted(map(len, applied)) == [0, 0, 0, len(migrations.load())]
    client = connect(settings)
    recorded = client.query("SELECT version FROM schema_migrations ORDER BY version").result_rows
    client.close()
    assert recorded == [(m.version,) for m in migrations.load()]
    assert LOCK not in tables(settings)


def test_a_file_that_was_left_half_applied_is_finished(settings: ClickHouseSettings) -> None:
    first, *_ = migrations.load()
    head, *_ = first.steps
    broken = Migration(1, first.name, f"{head.statement};\nSELECT nonsense")

    with pytest.raises(SinkRejected, match="migration 0001_create_facts, statement 2"):
        migrate(settings, migrations=[broken])

    assert migrate(settings, migrations=[first]) == [first]


def test_a_lock_admits_one_and_is_free_afterwards(settings: ClickHouseSettings) -> None:
    migrate(settings)
    client = connect(settings)
    with (
        table_lock(client, "some_lock", stale_after_s=60, wait_s=0.0),
        pytest.raises(LockHeld, match="some_lock is held"),
        table_lock(client, "some_lock", stale_after_s=60, wait_s=0.4, sleep=lambda _: None),
    ):
        pytest.fail("the lock admitted two")
    with table_lock(client, "some_lock", stale_after_s=60, wait_s=0.0):
        assert "some_lock" in tables(settings)
    client.close()
    assert "some_lock" not in tables(settings)


def test_a_lock_left_behind_is_taken_over(settings: ClickHouseSettings) -> None:
    migrate(settings)
    client = connect(settings)
    client.command("CREATE TABLE some_lock (held UInt8) ENGINE = Null")

    with table_lock(client, "some_lock", stale_after_s=0, wait_s=0.0):
        assert "some_lock" in tables(settings)
    client.close()
