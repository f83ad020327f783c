"""Accounts in a real PostgreSQL: the tests of SQLite, what only a server can show, and limits shared by Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from accounts.accounts import Accounts
from accounts.audit import Entry
from accounts.errors import AccountError, AccountsUnavailable
from accounts.roles import Role
from accounts.settings import AccountsSettings
from debian_servers import postgresql, redis
from served_api import served_api
from tests.security.conftest import NOW, World, open_client  # noqa: F401 - a fixture
from tests.security.test_audit import (  # noqa: F401 - run here over PostgreSQL
    test_a_chain_made_without_the_pepper_is_no_chain,
    test_calls_are_noted_without_ids_or_secrets,
    test_several_writers_keep_one_chain,
)
from tests.security.test_keys import (  # noqa: F401 - see above
    test_a_key_ends_in_time_even_while_it_is_remembered,
    test_a_key_opens_by_either_header_and_nothing_else_does,
    test_a_revoked_key_is_refused_at_once_here_and_within_the_bound_elsewhere,
    test_an_admin_makes_keys_of_the_own_workspace_only,
)
from tests.security.test_sessions import (  # noqa: F401 - see above
    ada,
    test_a_disabled_user_and_a_revoked_key_lose_their_sessions,
    test_a_session_ends_after_twelve_hours_or_with_its_key,
    test_a_session_opens_rotates_and_ends,
)

pytestmark = pytest.mark.clickhouse

PEPPER = "p" * 40
MODELS = "/api/v1/attribution/models"


@pytest.fixture(scope="module")
def new_database() -> Iterator[Callable[[], str]]:
    with postgresql() as new:
        yield new


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def world(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """As that of ``tests/security``, over PostgreSQL."""
    for name in ("ATTRIBUTION_ACCOUNTS_PEPPER", "ATTRIBUTION_API_INSECURE_DEV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ATTRIBUTION_API_ALLOWED_HOSTS", "")
    settings = AccountsSettings(dir=tmp_path / "accounts", url=SecretStr(url))
    made = World(Accounts(settings), settings)
    made.accounts.workspaces.add("acme", now=NOW)
    yield made
    for app in made.apps:
        app.state.security.trail.close()
    made.accounts.close()


def entry(actor: str) -> Entry:
    return Entry(datetime.now(UTC), actor, "default", "GET", "/x", "", 200, 1, "r")


def raw(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""))


@pytest.mark.parametrize("change", ["UPDATE audit SET status = 0", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_refuses_to_change_the_log(world: World, url: str, change: str) -> None:
    world.accounts.audit.append([entry("a"), entry("b")])
    with raw(url) as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute(change.encode())
    assert world.accounts.audit.verify().entries == 2


def test_whoever_takes_the_trigger_away_is_found_out(world: World, url: str) -> None:
    world.accounts.audit.append([entry("a"), entry("b"), entry("c")])
    with raw(url) as connection:
        connection.execute("DROP TRIGGER audit_append_only ON audit")
        connection.execute("UPDATE audit SET actor = 'other' WHERE seq = 2")
    assert world.accounts.audit.verify().broken_at == 2


def test_processes_that_start_at_once_make_one_set_of_tables(new_database: Callable[[], str], tmp_path: Path) -> None:
    url, several = new_database(), 6
    barrier = threading.Barrier(several)

    def start(number: int) -> list[str]:
        accounts = Accounts(AccountsSettings(dir=tmp_path / str(number), url=SecretStr(url), pepper=SecretStr(PEPPER)))
        barrier.wait()
        try:
            accounts.audit.append([entry(f"{number}-{i}") for i in range(20)])
            return accounts.workspaces.names()
        finally:
            accounts.close()

    with ThreadPoolExecutor(several) as pool:
        assert list(pool.map(start, range(several))) == [["default"]] * several
    accounts = Accounts(AccountsSettings(dir=tmp_path / "0", url=SecretStr(url), pepper=SecretStr(PEPPER)))
    verdict = accounts.audit.verify()
    accounts.close()
    assert (verdict.entries, verdict.broken_at) == (several * 20, 0)


def test_a_name_that_is_taken_and_a_database_that_is_away_are_said(world: World, tmp_path: Path) -> None:
    world.accounts.users.create("ada", "correct horse battery", role=Role.VIEWER, workspace="acme", now=NOW)
    with pytest.raises(AccountError, match="is taken"):
        world.accounts.users.create("ada", "correct horse battery", role=Role.VIEWER, workspace="acme", now=NOW)
    away = Accounts(
        AccountsSettings(dir=tmp_path / "x", url=SecretStr(f"postgresql+psycopg://secret:word@/no?host={tmp_path}"))
    )
    with pytest.raises(AccountsUnavailable) as raised:
        away.workspaces.names()
    assert "secret" not in str(raised.value)
    away.close()


def test_two_api_processes_share_keys_and_limits(
    url: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path
) -> None:
    """A key made by one opens the other; what one has counted the other knows; revoked by one, it ends at both."""
    with redis() as storage:
        shared = {
            "ATTRIBUTION_ACCOUNTS_URL": url,
            "ATTRIBUTION_ACCOUNTS_PEPPER": PEPPER,
            "ATTRIBUTION_API_RATE_STORAGE": storage,
            "ATTRIBUTION_API_RATE_LIMIT": "10/year",
        }
        folders = [tmp_path / "one", tmp_path / "two"]
        for folder in folders:
            folder.mkdir()
        first = served_api("127.0.0.1:9", clickhouse_url, clickhouse_database, folders[0], **shared)
        with first as one:
            (folders[1] / "accounts").mkdir(mode=0o700)
            (folders[1] / "accounts" / "local.key").write_text(one.key)
            with served_api("127.0.0.1:9", clickhouse_url, clickhouse_database, folders[1], **shared) as two:
                key = {"X-API-Key": one.new_key("viewer")}
                answers = [httpx.get(f"{(one, two)[i % 2].url}{MODELS}", headers=key) for i in range(12)]
                assert [a.status_code for a in answers] == [200] * 10 + [429] * 2
                assert [a.headers["ratelimit-remaining"] for a in answers[:10]] == [str(9 - i) for i in range(10)]
                assert int(answers[-1].headers["retry-after"]) > 60
                other = {"X-API-Key": two.new_key("viewer")}
                assert httpx.get(f"{one.url}{MODELS}", headers=other).status_code == 200
        for served in (one, two):
            assert "rate limits are not counted" not in served.log.read_text()
