"""A backup on a new engine: reports to the micro, the stream goes on where it was, nothing lost, nothing double."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from cli.__main__ import build_app
from clickhouse.backup import BOOKKEEPING, Backups
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.rollups import Roller
from clickhouse.settings import ClickHouseSettings
from embedded.clickhouse import ClickHouse
from simulated import Input, assert_converged, simulated, with_devices
from stream_harness import Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SUMS = (
    "SELECT model, channel, sum(value_micros), round(sum(conversions), 6) "
    "FROM channel_performance GROUP BY ALL ORDER BY ALL"
)
TOTALS = "SELECT count(), uniqExact(model, conversion_id, position), sum(value_micros) FROM credits"


@dataclass
class World:
    """A stream whose backup was taken in the middle, and the commands in its environment."""

    stream: Stream
    folder: Path
    data: Input

    def command(self, *words: str, **env: str) -> Result:
        """Run in this process: each start of an interpreter costs a second."""
        own = {**self.stream.environment(0), "ATTRIBUTION_ACCOUNTS_DIR": str(self.folder / "accounts")}
        found = CliRunner().invoke(build_app(), words, env=own | env)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    def done(self, *words: str, **env: str) -> str:
        found = self.command(*words, **env)
        assert found.exit_code == 0, found.stderr
        return found.stdout


def reports(url: str, database: str) -> list[Any]:
    client = connect(ClickHouseSettings(url=url, database=database))
    Roller(client).drain()
    found = [client.query(SUMS).result_rows, client.query(TOTALS).result_rows]
    client.close()
    assert found[1][0][0] > 0
    return found


@pytest.fixture(scope="module")
def new_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ClickHouse(tmp_path_factory.mktemp("new") / "clickhouse") as engine:
        yield engine.url


@pytest.fixture(scope="module")
def world(kafka_bootstrap: str, clickhouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("backup")
    database = f"test_{folder.name.replace('-', '_')}_{os.getpid()}"
    migrate(ClickHouseSettings(url=clickhouse_url, database=database))
    data = with_devices(simulated(6_000, seed=91, customers=500), seed=4)
    stream = Stream(kafka_bootstrap, clickhouse_url, database, folder)
    yield World(stream, folder, data)
    stream.close()
    with Backups(ClickHouseSettings(url=clickhouse_url, database=database)) as backups:
        backups.drop(database)


def test_a_new_engine_says_what_the_old_one_said_and_the_stream_goes_on(world: World, new_engine: str) -> None:
    stream, half = world.stream, len(world.data.records) // 2
    old_engine = stream.clickhouse_url
    accounts = Accounts(AccountsSettings(dir=world.folder / "accounts"))
    key = accounts.keys.create(role=Role.VIEWER, workspace="default", now=NOW)[1]
    accounts.close()
    sent = world.data.sent()
    stream.produce(sent[:half])
    stream.start()
    stream.wait()
    before = reports(old_engine, stream.database)

    out = world.done("backup", "--to", str(world.folder / "one"))
    assert "brought back and added up" in out
    stream.produce(sent[half:])
    stream.wait()
    assert_converged(stream, world.data)
    after = reports(old_engine, stream.database)
    assert after != before

    refused = world.command("restore", "--from", str(world.folder / "one"), CLICKHOUSE_URL=new_engine)
    assert (refused.exit_code, "has members: stop its workers" in refused.stderr) == (1, True), refused.stderr
    assert stream.stop(0) == 0
    moved = {"CLICKHOUSE_URL": new_engine, "ATTRIBUTION_ACCOUNTS_DIR": str(world.folder / "new accounts")}
    world.done("restore", "--from", str(world.folder / "one"), **moved)

    assert reports(new_engine, stream.database) == before
    restored = Accounts(AccountsSettings(dir=world.folder / "new accounts"))
    holder = restored.of_bearer(key, now=NOW)
    restored.close()
    assert holder is not None

    stream.clickhouse_url = new_engine
    assert differences(stream.credits(), world.data.expected()) != ""
    assert stream.lag() > 0
    stream.start()
    stream.wait()
    assert_converged(stream, world.data)
    assert reports(new_engine, stream.database) == after
    (rows, distinct, _), *_ = after[1]
    assert rows == distinct
    assert stream.stop(0) == 0


def test_a_backup_is_proven_refused_and_told_apart(world: World, new_engine: str) -> None:
    """The file checks, the target that holds something, versions, and a server without the disk's folder."""
    folder = world.folder / "one"
    env = {"CLICKHOUSE_URL": new_engine, "ATTRIBUTION_ACCOUNTS_DIR": str(world.folder / "new accounts")}
    proven = json.loads(world.done("restore", "--from", str(folder), "--verify-only", "--json", **env))
    assert proven["rows"] > 1_000

    again = world.command("backup", "--to", str(folder), **env)
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)
    kept = world.command("restore", "--from", str(folder), "--no-positions", "--no-accounts", **env)
    assert (kept.exit_code, "which would be lost: say --replace" in kept.stderr) == (1, True)
    owners = world.command("restore", "--from", str(folder), "--no-positions", **env)
    assert (owners.exit_code, "has accounts already" in owners.stderr) == (1, True)

    manifest = folder / "manifest.json"
    text = manifest.read_text()
    for change, said in (
        ({"format": 2}, "restore it with that version"),
        ({"migration": 9_999}, "upgrade this program"),
        ({"cluster": "another"}, "say --no-positions"),
    ):
        manifest.write_text(json.dumps(json.loads(text) | change))
        wrong = world.command("restore", "--from", str(folder), **env)
        assert wrong.exit_code in {1, 2}
        assert said in wrong.stderr
    manifest.write_text(text)

    victim = next(path for path in sorted((folder / "clickhouse").rglob("data.bin")))
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    changed = world.command("restore", "--from", str(folder), "--verify-only", **env)
    assert (changed.exit_code, f"{victim.relative_to(folder)} was changed" in changed.stderr) == (2, True)
    victim.write_bytes(whole)
    manifest.unlink()
    assert "no complete backup" in world.command("restore", "--from", str(folder), **env).stderr
    manifest.write_text(text)

    world.done("restore", "--from", str(folder), "--no-positions", "--replace", **env)
    with Backups(ClickHouseSettings(url=new_engine, database=world.stream.database)) as backups:
        tables = backups.sums(world.stream.database).keys()
    assert tables > BOOKKEEPING
