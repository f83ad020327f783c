"""The registry's doors: who reads, who writes, keys as its clients send them, and two workspaces apart."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from accounts.roles import Role
from api.registry_errors import MEDIA_TYPE

Client = Callable[..., httpx.AsyncClient]
BODY = {"schema": '"string"'}


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.mark.parametrize(
    ("role", "reads", "writes"), [("ingestor", 200, 403), ("viewer", 403, 403), ("admin", 200, 200)]
)
async def test_readers_are_those_who_send_events_and_writers_administer(
    world: Any, open_client: Client, role: str, reads: int, writes: int
) -> None:
    async with open_client(world.app()) as client:
        for headers in (basic(key := world.key(Role(role))), {"Authorization": f"Bearer {key}"}):
            found = await client.get("/registry/subjects", headers=headers)
            wrote = await client.post("/registry/subjects/a/versions", headers=headers, json=BODY)
            assert (found.status_code, wrote.status_code) == (reads, writes)
            if writes == 403:
                assert wrote.headers["content-type"] == MEDIA_TYPE
                assert wrote.json()["error_code"] == 403


async def test_nobody_and_wrong_keys_are_refused_in_the_registrys_words(world: Any, open_client: Client) -> None:
    async with open_client(world.app()) as client:
        for headers in ({}, basic("no.key"), {"Authorization": "Basic ?"}):
            answer = await client.get("/registry/schemas/ids/1", headers=headers)
            assert (answer.status_code, answer.json()["error_code"]) == (401, 401)


async def test_basic_opens_nothing_else(world: Any, open_client: Client) -> None:
    async with open_client(world.app()) as client:
        for path in ("/api/v1/auth/keys", "/metrics", "/registry-of-others"):
            assert (await client.get(path, headers=basic(world.key(Role.ADMIN)))).status_code == 401, path


async def test_workspaces_have_registries_of_their_own(world: Any, open_client: Client) -> None:
    app = world.app()
    async with (
        open_client(app, world.key(Role.ADMIN, "acme")) as theirs,
        open_client(app, world.key(Role.ADMIN)) as ours,
    ):
        assert (await theirs.post("/registry/subjects/secret/versions", json=BODY)).json()["id"] == 1
        assert (await ours.get("/registry/subjects")).json() == []
        assert (await ours.get("/registry/schemas/ids/1")).json()["error_code"] == 40403
        assert (await theirs.get("/registry/subjects")).json() == ["secret"]


async def test_writes_are_noted_and_reads_of_schemas_are_not(world: Any, open_client: Client) -> None:
    async with open_client(app := world.app(), world.key(Role.ADMIN)) as client:
        await client.get("/registry/subjects")
        await client.post("/registry/subjects/a/versions", json=BODY)
    app.state.security.trail.close()
    noted = [(e.method, e.route) for e in world.accounts.audit.last(50) if e.route.startswith("/registry")]
    assert set(noted) == {("POST", "/registry/subjects/{subject}/versions")}
