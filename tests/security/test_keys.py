"""API keys: shown once, kept as a keyed digest, narrowed by scopes, over when they end, useless once revoked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from accounts import tables
from accounts.accounts import Accounts
from accounts.errors import AccountError, AccountsUnavailable
from accounts.roles import Role, Scope
from accounts.settings import AccountsSettings
from api import credentials

MODELS = "/api/v1/attribution/models"
RESULTS = "/api/v1/attribution/results/ada"
ME = "/api/v1/auth/me"
Client = Callable[..., httpx.AsyncClient]


async def status(client: httpx.AsyncClient, path: str = MODELS, **headers: str) -> int:
    return (await client.get(path, headers=headers)).status_code


async def test_a_key_opens_by_either_header_and_nothing_else_does(world: Any, open_client: Client) -> None:
    key = world.key()
    async with open_client(world.app()) as client:
        assert await status(client, Authorization=f"Bearer {key}") == 200
        assert await status(client, Authorization=f"bearer {key}") == 200
        assert await status(client, **{"X-API-Key": key}) == 200
        refused = await client.get(MODELS)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        for wrong in (
            "",
            "x",
            ".",
            "a.b",
            key[:-1],
            f"{key}x",
            key.replace(".", ""),
            f"{'0' * 16}.{key.split('.')[1]}",
        ):
            assert await status(client, Authorization=f"Bearer {wrong}") == 401, wrong
        basic = base64.b64encode(f"{key}:".encode()).decode()
        assert await status(client, Authorization=f"Basic {basic}") == 401  # only where events are sent
        assert (await client.get(f"{MODELS}?api_secret={key}")).status_code == 401
        assert (await client.get(f"{MODELS}?key={key}")).status_code == 401


async def test_an_ingest_route_takes_keys_the_way_other_tools_send_them(world: Any, open_client: Client) -> None:
    ingest, view = world.key(Role.INGESTOR), world.key(Role.VIEWER)
    group = {"userId": "ada", "groupId": "g"}
    async with open_client(world.app()) as client:
        for key, expected in ((ingest, 200), (view, 403), ("a.b", 401)):
            basic = base64.b64encode(f"{key}:".encode()).decode()
            answer = await client.post("/v1/group", json=group, headers={"Authorization": f"Basic {basic}"})
            assert answer.status_code == expected
            query = f"api_secret={key}&measurement_id=G-1"
            assert (await client.post(f"/v1/group?{query}", json=group)).status_code == expected
        assert (await client.post("/v1/track", headers={"Authorization": "Basic %%"})).status_code == 401
        assert (await client.post("/v1/track")).status_code == 401


async def test_scopes_narrow_a_role(world: Any, open_client: Client) -> None:
    async with open_client(world.app(), world.key(scopes=frozenset({Scope.REPORTS}))) as client:
        assert await status(client) == 200
        answer = await client.get(RESULTS)
        assert answer.status_code == 403
        assert "customers" in answer.json()["detail"]


def test_scopes_never_widen_a_role(world: Any) -> None:
    with pytest.raises(AccountError, match="manage"):
        world.key(Role.VIEWER, scopes=frozenset({Scope.MANAGE}))
    with pytest.raises(AccountError, match="none"):
        world.key(Role.VIEWER, scopes=frozenset())


async def test_a_key_ends_in_time_even_while_it_is_remembered(world: Any, open_client: Client) -> None:
    clock = [datetime(2026, 11, 27, tzinfo=UTC)]
    world.now = lambda: clock[0]
    key = world.key(expires_at=clock[0] + timedelta(seconds=1))
    async with open_client(world.app(), key) as client:
        assert await status(client) == 200
        clock[0] += timedelta(seconds=1)
        assert await status(client) == 401
    with pytest.raises(AccountError, match="past"):
        world.key(expires_at=clock[0])


async def test_a_revoked_key_is_refused_at_once_here_and_within_the_bound_elsewhere(
    world: Any, open_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, admin = world.key(), world.key(Role.ADMIN)
    here, elsewhere = world.app(), world.app()
    elapsed = [100.0]
    monkeypatch.setattr(elsewhere.state.security.recognised, "_monotonic", lambda: elapsed[0])
    async with open_client(here) as one, open_client(elsewhere) as two:
        bearer = {"Authorization": f"Bearer {key}"}
        assert (await status(one, **bearer), await status(two, **bearer)) == (200, 200)
        path = f"/api/v1/auth/keys/{key.split('.')[0]}"
        assert (await one.delete(path, headers={"Authorization": f"Bearer {admin}"})).status_code == 204
        assert await status(one, **bearer) == 401
        elapsed[0] += credentials.KEPT_S
        assert await status(two, **bearer) == 401
    assert credentials.KEPT_S <= 5


def test_no_secret_is_kept_and_the_pepper_matters(world: Any) -> None:
    key = world.key(label="shop")
    with world.accounts._database.read() as connection:
        (row,) = connection.execute(select(tables.keys))
    secret = key.split(".")[1]
    assert secret not in repr(row)
    assert len(secret) >= 43  # 256 bits, base64
    for file in world.settings.dir.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()
            assert file.stat().st_mode & 0o077 == 0 or file.name.startswith("accounts.db-"), file
    other = Accounts(AccountsSettings(dir=world.settings.dir, pepper="x" * 32))
    now = datetime.now(UTC)
    assert world.accounts.keys.verify(key, now=now) is not None
    assert other.keys.verify(key, now=now) is None
    other.close()


def test_a_pepper_that_others_can_read_stops_the_start(world: Any) -> None:
    (world.settings.dir / "pepper").chmod(0o644)
    with pytest.raises(AccountsUnavailable, match="chmod 600"):
        Accounts(world.settings)


async def test_an_admin_makes_keys_of_the_own_workspace_only(world: Any, open_client: Client) -> None:
    app, theirs = world.app(), world.key(Role.VIEWER, "acme")
    async with open_client(app, world.key(Role.ADMIN)) as client:
        made = await client.post("/api/v1/auth/keys", json={"role": "ingestor", "label": "shop"})
        assert made.status_code == 201
        assert made.json()["shown"]["workspace"] == "default"
        listed = (await client.get("/api/v1/auth/keys")).json()["keys"]
        assert made.json()["shown"]["id"] in {k["id"] for k in listed}
        assert made.json()["key"] not in (await client.get("/api/v1/auth/keys")).text
        assert {k["workspace"] for k in listed} == {"default"}
        assert (await client.delete(f"/api/v1/auth/keys/{theirs.split('.')[0]}")).status_code == 404
        widened = await client.post("/api/v1/auth/keys", json={"role": "viewer", "workspace": "acme"})
        assert widened.status_code == 422
        assert (
            await client.post("/api/v1/auth/keys", json={"role": "viewer", "scopes": ["manage"]})
        ).status_code == 422
    async with open_client(app, theirs) as client:
        assert (await client.get(ME)).json()["workspace"] == "acme"


async def test_a_strange_path_is_no_way_around(world: Any, open_client: Client) -> None:
    """Whatever is not found in the table needs credentials, and the router's own idea of a path is no other."""
    paths = ("//api/v1/auth/keys", "/api/v1/auth/keys/", "/API/v1/auth/keys", "/static/../x",
             "/api/v1/attribution/results/%2e%2e", "/api/v1/attribution/results/", "/static", "/nope", "/metrics",
             "/api/v1/attribution/results/a%0ab", "/api/v1/attribution/results/%00")  # fmt: skip
    async with open_client(world.app()) as client:
        for path in paths:
            for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"):
                answer = await client.request(method, path)
                assert answer.status_code in {401, 404, 405}, (method, path)
                said = answer.text.replace(answer.headers["X-Request-ID"], "")  # its digits may spell anything
                assert "ada" not in said
                if answer.status_code != 401:
                    assert path.startswith("/static"), (method, path)
