"""Users over HTTP: of the own workspace only, never oneself, and what ends with a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from accounts.roles import Role

USERS = "/api/v1/auth/users"
LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"
PASSWORD = "correct horse battery"  # noqa: S105 - of a user that lives in this test
Client = Callable[..., httpx.AsyncClient]


async def sign_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> int:
    return (await client.post(LOGIN, json={"user": name, "password": password})).status_code


async def test_a_user_is_made_signs_in_changes_and_is_let_in_no_more(world: Any, open_client: Client) -> None:
    app = world.app()
    async with open_client(app, world.key(Role.ADMIN)) as admin, open_client(app) as ada:
        asked = {"name": "ada@example.org", "password": PASSWORD, "role": "viewer"}
        made = await admin.post(USERS, json=asked)
        assert made.status_code == 201
        assert PASSWORD not in made.text
        assert (await admin.post(USERS, json=asked)).status_code == 409
        assert await sign_in(ada, "ada@example.org") == 200
        assert (await ada.get(ME)).json()["role"] == "viewer"
        changed = await admin.post(f"{USERS}/ada@example.org", json={"role": "analyst"})
        assert changed.json()["role"] == "analyst"
        assert (await ada.get(ME)).json()["role"] == "analyst"
        await admin.post(f"{USERS}/ada@example.org", json={"password": "another long password"})
        assert (await ada.get(ME)).status_code == 401
        assert await sign_in(ada, "ada@example.org") == 401
        assert await sign_in(ada, "ada@example.org", "another long password") == 200
        gone = (await admin.post(f"{USERS}/ada@example.org", json={"disabled": True})).json()
        assert (await ada.get(ME)).status_code == 401
        assert await sign_in(ada, "ada@example.org", "another long password") == 401
        listed = (await admin.get(USERS)).json()["users"]
        assert listed == [gone]
        assert gone["disabled_at"] is not None
        back = (await admin.post(f"{USERS}/ada@example.org", json={"disabled": False})).json()
        assert back["disabled_at"] is None
        assert await sign_in(ada, "ada@example.org", "another long password") == 200


async def test_nobody_changes_themselves_and_no_other_workspace(world: Any, open_client: Client) -> None:
    users = world.accounts.users
    users.create("root", PASSWORD, role=Role.ADMIN, workspace="default", now=world.now())
    users.create("theirs", PASSWORD, role=Role.VIEWER, workspace="acme", now=world.now())
    async with open_client(world.app(), base_url="http://localhost") as root:
        assert await sign_in(root, "root") == 200
        origin = {"Origin": "http://localhost"}
        for change in ({"disabled": True}, {"role": "viewer"}):
            assert (await root.post(f"{USERS}/root", json=change, headers=origin)).status_code == 409
        assert (await root.post(f"{USERS}/theirs", json={"role": "admin"}, headers=origin)).status_code == 404
        assert [u["name"] for u in (await root.get(USERS)).json()["users"]] == ["root"]
    assert users.find("theirs").role is Role.VIEWER
    assert users.find("root").disabled_at is None


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "Ada", "password": PASSWORD},
        {"name": "ada", "password": "short"},
        {"name": "ada", "password": PASSWORD, "role": "owner"},
        {"name": "ada", "password": PASSWORD, "workspace": "acme"},
    ],
)
async def test_what_is_wrong_is_named_and_no_password_comes_back(
    world: Any, open_client: Client, asked: dict[str, str]
) -> None:
    async with open_client(world.app(), world.key(Role.ADMIN)) as admin:
        answer = await admin.post(USERS, json=asked)
    assert answer.status_code == 422
    assert asked["password"] not in answer.text
    assert world.accounts.users.all() == []
