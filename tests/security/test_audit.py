"""The audit log: every call, nobody's data, and a chain that shows any change."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import httpx
import pytest

from accounts.accounts import Accounts
from accounts.audit import Entry
from accounts.roles import Role

Client = Callable[..., httpx.AsyncClient]
AT = datetime(2026, 11, 27, 12, 0, 0, 123_456, tzinfo=UTC)


def entry(route: str = "/x", rows: int | None = None) -> Entry:
    return Entry(AT, "key:1", "default", "GET", route, "ab", 200, rows, "r")


async def test_calls_are_noted_without_ids_or_secrets(world: Any, open_client: Client) -> None:
    app, key, admin = world.app(), world.key(), world.key(Role.ADMIN)
    async with open_client(app, key) as client:
        await client.get("/api/v1/attribution/results/ada-lovelace?limit=7")
        await client.get("/api/v1/auth/keys")
        await client.get("/nope/ada-lovelace")
        await client.get("/api/v1/attribution/models")
    async with open_client(app, admin) as client:
        made = (await client.post("/api/v1/auth/keys", json={"role": "viewer"})).json()["key"]
    async with open_client(app, "0.wrong") as client:
        await client.get("/api/v1/data/status")
    app.state.security.trail.close()
    found = world.accounts.audit.last(50)
    actor, boss = f"key:{key.split('.')[0]}", f"key:{admin.split('.')[0]}"
    assert {(e.actor, e.method, e.route, e.status) for e in found} == {
        (actor, "GET", "/api/v1/attribution/results/{customer_id}", 200),
        (actor, "GET", "/api/v1/auth/keys", 403),
        (actor, "GET", "-", 404),
        (boss, "POST", "/api/v1/auth/keys", 0),
        (boss, "POST", "/api/v1/auth/keys", 201),
        ("-", "GET", "/api/v1/data/status", 401),
    }
    (read,) = (e for e in found if e.status == 200)
    assert (read.rows, read.workspace, len(read.parameters), len(read.request_id)) == (0, "default", 32, 36)
    for word in ("lovelace", made, key.split(".")[1], "limit=7"):
        assert word not in repr(found)
    assert world.accounts.audit.verify().broken_at == 0
    assert world.accounts.audit.verify().entries == len(found)


async def test_a_change_that_cannot_be_noted_does_not_happen(
    world: Any, open_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.errors import AccountsUnavailable  # noqa: PLC0415 - only here

    def full(*_: object) -> None:
        raise AccountsUnavailable("the disk is full")

    admin = world.key(Role.ADMIN)
    monkeypatch.setattr(world.accounts.audit, "append", full)
    app = world.app()
    async with open_client(app, admin) as client:
        answer = await client.post("/api/v1/auth/keys", json={"role": "viewer"})
        assert answer.status_code == 503
        assert "disk" not in answer.text
    assert len(world.accounts.keys.all()) == 1
    monkeypatch.undo()


def test_the_database_refuses_to_change_what_is_written(world: Any) -> None:
    world.accounts.audit.append([entry(), entry("/y", 5)])
    raw = sqlite3.connect(world.settings.dir / "accounts.db")
    for statement in ("UPDATE audit SET status = 500", "DELETE FROM audit"):
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            raw.execute(statement)
    raw.close()


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        ("UPDATE audit SET status = 403 WHERE seq = 3", 3),
        ("UPDATE audit SET actor = 'key:2' WHERE seq = 1", 1),
        ("UPDATE audit SET rows = NULL WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("UPDATE audit SET seq = seq + 1 WHERE seq >= 6", 6),
        ("UPDATE audit SET digest = zeroblob(32) WHERE seq = 5", 5),
    ],
)
def test_whoever_takes_the_triggers_away_is_found_out(world: Any, change: str, broken_at: int) -> None:
    world.accounts.audit.append([entry(rows=i) for i in range(3)])
    world.accounts.audit.append([entry(rows=i) for i in range(3)])
    assert (world.accounts.audit.verify().entries, world.accounts.audit.verify().broken_at) == (6, 0)
    raw = sqlite3.connect(world.settings.dir / "accounts.db")
    raw.execute("DROP TRIGGER audit_no_update")
    raw.execute("DROP TRIGGER audit_no_delete")
    raw.execute(change)
    raw.commit()
    raw.close()
    assert world.accounts.audit.verify().broken_at == broken_at


def test_a_chain_made_without_the_pepper_is_no_chain(world: Any) -> None:
    world.accounts.audit.append([entry()])
    other = Accounts(world.settings.model_copy(update={"pepper": type(world.settings.pepper)("y" * 32)}))
    assert other.audit.verify().broken_at == 1
    other.close()


def test_several_writers_keep_one_chain(world: Any) -> None:
    every = [Accounts(world.settings) for _ in range(3)]

    def write(accounts: Accounts) -> None:
        for _ in range(20):
            accounts.audit.append([entry(), entry()])

    threads = [Thread(target=write, args=(a,)) for a in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = world.accounts.audit.verify()
    assert (found.entries, found.broken_at) == (120, 0)
    for accounts in every:
        accounts.close()


async def test_nothing_secret_is_logged_in_the_whole_flow(
    world: Any, open_client: Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    password = "a password of ada"  # noqa: S105 - the point: it must not come out
    world.accounts.users.create("ada", password, role=Role.ADMIN, workspace="default", now=world.now())
    app, secrets = world.app(), [password]
    async with open_client(app) as client:
        await client.post("/api/v1/auth/login", json={"user": "ada", "password": "wrong password"})
        await client.post("/api/v1/auth/login", json={"user": "ada", "password": password, "more": 1})
        await client.post("/api/v1/auth/login", json={"user": "ada", "password": password})
        secrets.append(client.cookies["attribution_session"])
        site = {"Origin": "http://test"}
        made = (await client.post("/api/v1/auth/keys", json={"role": "viewer"}, headers=site)).json()["key"]
        token = (await client.post("/api/v1/auth/token", headers=site)).json()["access_token"]
        secrets += [made, made.split(".")[1], token]
        for bearer in (made, token, f"{made}x", f"{token}x"):
            await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {bearer}", "Cookie": ""})
        world.stores["default"].failure = RuntimeError("broken")
        await client.get("/api/v1/data/status", headers={"Authorization": f"Bearer {made}"})
        await client.post("/api/v1/auth/refresh", headers=site)
        await client.post("/api/v1/auth/logout", headers=site)
    app.state.security.trail.close()
    assert "failed" in caplog.text  # something was logged at all
    told = caplog.text + "".join(capsys.readouterr()) + repr(world.accounts.audit.last(100))
    assert [secret for secret in secrets if secret in told] == []
