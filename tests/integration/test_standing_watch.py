"""What numbers stand on, read in full only after a write: the same answer as a full read, after any of them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.errors import SinkRejected
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from clickhouse.standing import Standing
from clickhouse.standing_watch import StandingWatch

pytestmark = pytest.mark.clickhouse

#: One write to each table that ``standing`` reads, each of which changes the answer.
WRITES = {
    "runs": "INSERT INTO runs (run_id, label, models, config_hash, config) VALUES (1, 'r', ['linear'], 'other', '{}')",
    "worker_progress": "INSERT INTO worker_progress SELECT 1, 'app', 't', 0, 5, 1000007, now64(6)",
    "dirty_days": "INSERT INTO dirty_days (run_id, day, unit) VALUES (1, '2026-09-01', 3)",
    "rollup_state": "INSERT INTO rollup_state (run_id, day, built_mark, seen_mark) VALUES (1, '2026-09-01', 1, 2)",
    "rollup_pass": "INSERT INTO rollup_pass (id, as_of) VALUES (1, '2026-09-02 00:00:00')",
    "spend": "INSERT INTO spend (event_id, spend_date, channel, cost_micros, currency, version) "
    "VALUES ('s', '2026-09-01', 'email', 5, 'USD', 1)",
    "fx_rates": "INSERT INTO fx_rates (day, currency, base, rate, version) VALUES ('2026-09-01', 'USD', 'EUR', 1.1, 1)",
    "active_run": "INSERT INTO active_run (run_id, switched_at) VALUES (2, now64(6))",
}
REMOVALS = ("TRUNCATE TABLE spend", "ALTER TABLE fx_rates DELETE WHERE 1")


class Counting:
    """Runs queries and notes their names."""

    def __init__(self, client: Client) -> None:
        self._run = partial(queries.run, client)
        self.names: list[str] = []

    def __call__(self, name: str, /, **bound: Any) -> list[dict[str, Any]]:
        self.names.append(name)
        return self._run(name, **bound)


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    found = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield found
    found.close()


def timeless(found: Standing) -> Standing:
    """Two reads are as of two times where nothing waits."""
    return replace(found, as_of=None, touch_as_of=None)


def test_it_watches_the_tables_that_the_full_read_reads() -> None:
    read = set(re.findall(r"\bFROM (\w+)", queries.load("standing")))
    assert read == WRITES.keys()
    for name, column in (("standing_parts", "table"), ("standing_tables", "name")):
        watched = re.search(rf"{column} IN \(([^)]*)\)", queries.load(name))
        assert watched is not None
        assert set(re.findall(r"'(\w+)'", watched[1])) == read, name


def test_after_any_write_it_says_what_a_full_read_says_and_reads_in_full_only_then(client: Client) -> None:
    run = Counting(client)
    watch = StandingWatch(run)
    before = watch.read()
    assert run.names == ["standing_tables", "standing_parts", "standing"]
    for name, statement in WRITES.items():
        client.command(statement)
        run.names.clear()
        after = watch.read()
        again = watch.read()
        assert run.names == ["standing_parts", "standing", "standing_parts"], name
        fresh = standing.read(partial(queries.run, client))
        assert timeless(after) == timeless(again) == timeless(fresh), name
        assert after != before, name
        before = after
    for statement in REMOVALS:
        client.command(statement, settings={"mutations_sync": 1})
        assert timeless(watch.read()) == timeless(standing.read(partial(queries.run, client))), statement
    client.command("TRUNCATE TABLE active_run")
    with pytest.raises(SinkRejected, match="attribution migrate"):
        watch.read()


def test_while_nothing_waits_it_is_as_of_now_although_nothing_is_read_in_full(client: Client) -> None:
    client.command("INSERT INTO rollup_state (run_id, day, built_mark, seen_mark) VALUES (1, '2026-09-01', 1, 2)")
    run = Counting(client)
    watch = StandingWatch(run)
    first, second = watch.read(), watch.read()

    assert run.names.count("standing") == 1
    assert first.as_of is not None
    assert second.as_of is not None
    assert first.as_of < second.as_of
    assert second.touch_as_of == second.as_of


def test_rows_of_another_server_than_the_one_that_was_looked_at_are_not_kept(client: Client) -> None:
    run = Counting(client)

    def behind_one_address(name: str, /, **bound: Any) -> list[dict[str, Any]]:
        rows = run(name, **bound)
        return [{**row, "host": "another"} for row in rows] if name == "standing_parts" else rows

    watch = StandingWatch(behind_one_address)
    watch.read()
    watch.read()

    assert run.names.count("standing") == 2


def test_one_that_began_before_the_tables_watches_them_once_they_are_there(clickhouse_url: str) -> None:
    """An API may be started before ``attribution migrate``."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"later_{uuid.uuid4().hex[:8]}")
    admin = connect(settings, use_database=False)
    admin.command(f"CREATE DATABASE {settings.database}")
    client = connect(settings)
    run = Counting(client)
    watch = StandingWatch(run)
    with pytest.raises(SinkRejected):
        watch.read()
    migrate(settings)
    watch.read()
    run.names.clear()
    watch.read()
    client.close()
    admin.command(f"DROP DATABASE {settings.database} SYNC")
    admin.close()

    assert run.names == ["standing_parts"]


def test_where_parts_may_not_be_seen_every_read_is_a_full_one(client: Client) -> None:
    run = Counting(client)

    def without_the_right(name: str, /, **bound: Any) -> list[dict[str, Any]]:
        rows = run(name, **bound)
        if name == "standing_parts":
            raise SinkRejected("Not enough privileges (497)")
        return rows

    watch = StandingWatch(without_the_right)
    watch.read()
    watch.read()

    assert run.names == ["standing_tables", "standing_parts", "standing", "standing"]


def test_where_parts_are_elsewhere_every_read_is_a_full_one(client: Client) -> None:
    """A table of another kind has none, and a write to it would not be seen."""
    client.command("RENAME TABLE spend TO spend_parts")
    client.command("CREATE TABLE spend AS spend_parts ENGINE = Merge(currentDatabase(), '^spend_parts$')")
    run = Counting(client)
    watch = StandingWatch(run)
    before = watch.read()
    client.command(WRITES["spend"].replace("INTO spend ", "INTO spend_parts "))

    assert watch.read() != before
    assert run.names == ["standing_tables", "standing", "standing"]
