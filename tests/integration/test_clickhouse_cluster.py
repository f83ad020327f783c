"""Migrations for a cluster: the substitution changes what it says and nothing else, and the engine's parser takes it.

There is no cluster here: what its servers do with these statements was not tried.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from clickhouse import migrate as migrations
from clickhouse import queries
from clickhouse.client import connect
from clickhouse.cluster import SHARDED, on_cluster, spread
from clickhouse.errors import MigrationError
from clickhouse.settings import ClickHouseSettings

CLUSTER = "attribution_cluster"
STEPS = [(f"{m.version:04}-{n}", step) for m in migrations.load() for n, step in enumerate(m.steps, 1)]
ALL = pytest.mark.parametrize("step", [step for _, step in STEPS], ids=[name for name, _ in STEPS])


@ALL
def test_back_and_forth_is_the_statement_again(step: migrations.Step) -> None:
    found = on_cluster(step.statement, CLUSTER)
    back = found.replace(f" ON CLUSTER {CLUSTER}", "", 1).replace("ENGINE = Replicated", "ENGINE = ")
    assert back == step.statement
    if step.statement.startswith("INSERT"):
        assert found == step.statement
    else:
        assert found.count("ON CLUSTER") == 1
    assert ("ENGINE = Replicated" in found) == bool(re.match(r"CREATE (OR REPLACE )?TABLE", step.statement))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM attributions WHERE 1",
        "OPTIMIZE TABLE attributions FINAL",
        "EXCHANGE TABLES a AND b",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "CREATE TABLE x (a UInt8) ENGINE = SummingMergeTree ORDER BY a",
        "SYSTEM SYNC REPLICA x",
    ],
)
def test_a_statement_that_nobody_thought_about_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match=r"not known to work|no replicated form"):
        on_cluster(statement, CLUSTER)
    with pytest.raises(MigrationError, match=r"migrations/0099_do_it\.sql"):
        migrations.Migration(99, "do_it", statement).on(CLUSTER)


@pytest.mark.parametrize("name", ["", "a b", "x;DROP", "1st", "a-b", "{x}"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cluster="):
        on_cluster("DROP TABLE IF EXISTS x SYNC", name)
    with pytest.raises(ValueError, match="cluster="):
        spread(name)


@pytest.fixture(scope="module")
def client(clickhouse_url: str) -> Iterator[Any]:
    client = connect(ClickHouseSettings(url=clickhouse_url), use_database=False)
    yield client
    client.close()


def tree(client: Any, statement: str) -> str:
    """The engine's own text of a statement that it has parsed."""
    return str(client.query("SELECT formatQuery({s:String})", parameters={"s": statement}).result_rows[0][0])


@pytest.mark.clickhouse
def test_the_engine_parses_every_statement_and_sees_the_cluster(client: Any) -> None:
    for name, step in STEPS:
        found = tree(client, on_cluster(step.statement, CLUSTER))
        if not step.statement.startswith("INSERT"):
            assert f"ON CLUSTER {CLUSTER}" in found, name
        if re.match(r"CREATE (OR REPLACE )?TABLE", step.statement):
            assert re.search(r"ENGINE = Replicated(Replacing)?MergeTree\b", found), name
    for name in ("migrations_create_database", "migrations_create_table"):
        statement = re.sub(r"--[^\n]*", "", queries.load(name)).replace("{database:Identifier}", "d").strip()
        assert f"ON CLUSTER {CLUSTER}" in tree(client, on_cluster(statement, CLUSTER))


@pytest.mark.clickhouse
def test_tables_over_all_shards_follow_tables_that_are_there(
    client: Any, clickhouse_url: str, clickhouse_database: str
) -> None:
    where = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    here = connect(where)
    columns = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
    for statement, (table, key) in zip(spread(CLUSTER), SHARDED.items(), strict=True):
        parsed = tree(client, statement)
        assert f"{table}_all ON CLUSTER {CLUSTER} AS {table}" in parsed
        assert f"ENGINE = Distributed({CLUSTER}, currentDatabase(), {table}, {key})" in parsed
        names = {row[0] for row in here.query(columns, parameters={"t": table}).result_rows}
        assert re.findall(r"\((\w+)\)", key)[0] in names
    here.close()


@pytest.mark.clickhouse
def test_the_command_shows_what_it_would_do(clickhouse_url: str) -> None:
    environment = os.environ | {"CLICKHOUSE_URL": clickhouse_url, "CLICKHOUSE_DATABASE": "test_cluster_dry_run"}
    command = [sys.executable, "-P", "-m", "cli", "migrate", "--dry-run", "--cluster"]
    done = subprocess.run([*command, CLUSTER], env=environment, capture_output=True, text=True, check=True)
    assert f"CREATE TABLE IF NOT EXISTS attributions ON CLUSTER {CLUSTER}" in done.stdout
    assert f"RENAME TABLE attributions TO attributions_by_day ON CLUSTER {CLUSTER};" in done.stdout
    assert "attributions_all" in done.stdout
    refused = subprocess.run([*command, "a b"], env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
