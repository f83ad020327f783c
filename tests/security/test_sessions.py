"""Sessions of the UI: login, rotation, logout, and changes from other sites."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from accounts.accounts import Accounts
from accounts.errors import AccountError
from accounts.roles import Role

PASSWORD = "correct horse battery"  # noqa: S105 - of a user in a temporary folder
ME, LOGIN, LOGOUT, REFRESH = (f"/api/v1/auth/{name}" for name in ("me", "login", "logout", "refresh"))
SITE = {"Origin": "http://test"}
Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def ada(world: Any) -> dict[str, str]:
    world.accounts.users.create("ada@example.org", PASSWORD, role=Role.ANALYST, workspace="acme", now=world.now())
    return {"user": "ada@example.org", "password": PASSWORD}


async def test_a_session_opens_rotates_and_ends(world: Any, open_client: Client, ada: dict[str, str]) -> None:
    async with open_client(world.app()) as client:
        answer = await client.post(LOGIN, json=ada)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie
        me = (await client.get(ME)).json()
        assert (me["actor"], me["role"], me["workspace"]) == ("user:ada@example.org", "analyst", "acme")
        old = client.cookies["attribution_session"]
        assert (await client.post(REFRESH, headers=SITE)).status_code == 200
        new = client.cookies["attribution_session"]
        assert new != old
        assert (await client.get(ME, headers={"Cookie": f"attribution_session={old}"})).status_code in {200, 401}
        client.cookies.clear()
        assert (await client.get(ME, headers={"Cookie": f"attribution_session={old}"})).status_code == 401
        client.cookies.set("attribution_session", new)
        assert (await client.post(LOGOUT, headers=SITE)).status_code == 204
        client.cookies.clear()
        assert (await client.get(ME, headers={"Cookie": f"attribution_session={new}"})).status_code == 401


async def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(
    world: Any, open_client: Client, ada: dict[str, str]
) -> None:
    async with open_client(world.app(), base_url="https://test") as client:
        answer = await client.post(LOGIN, json=ada)
        assert answer.headers["set-cookie"].startswith("__Host-attribution_session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
        assert (await client.get(ME)).status_code == 200
        text = client.cookies["__Host-attribution_session"]
        client.cookies.clear()
        assert (await client.get(ME, headers={"Cookie": f"attribution_session={text}"})).status_code == 401


async def test_a_change_from_another_site_is_refused(world: Any, open_client: Client, ada: dict[str, str]) -> None:
    app = world.app(cors_origins=("https://ui.example.org",))
    async with open_client(app) as client:
        for origin in ("https://evil.example.org", "null", "http://test.evil.example.org"):
            assert (await client.post(LOGIN, json=ada, headers={"Origin": origin})).status_code == 403
        await client.post(LOGIN, json=ada)
        for headers in ({}, {"Origin": "https://evil.example.org"}, {"Origin": "null"}, {"Origin": "https://test"}):
            assert (await client.post(LOGOUT, headers=headers)).status_code == 403, headers
        assert (await client.get(ME)).status_code == 200
        assert (await client.post(REFRESH, headers={"Origin": "https://ui.example.org"})).status_code == 200
        assert (await client.post(LOGOUT, headers=SITE)).status_code == 204


async def test_a_disabled_user_and_a_revoked_key_lose_their_sessions(
    world: Any, open_client: Client, ada: dict[str, str]
) -> None:
    app, key = world.app(), world.key()
    async with open_client(app) as one, open_client(app) as two:
        await one.post(LOGIN, json=ada)
        assert (await two.post(LOGIN, json={"key": key})).status_code == 200
        assert ((await one.get(ME)).status_code, (await two.get(ME)).status_code) == (200, 200)
        world.accounts.users.disable("ada@example.org", now=world.now())
        world.accounts.keys.revoke(key.split(".")[0], now=world.now())
        app.state.security.recognised.forget()
        assert ((await one.get(ME)).status_code, (await two.get(ME)).status_code) == (401, 401)
        assert (await one.post(LOGIN, json=ada)).status_code == 401


def test_a_session_ends_after_twelve_hours_or_with_its_key(world: Any) -> None:
    accounts: Accounts = world.accounts
    now = datetime(2026, 11, 27, tzinfo=UTC)
    key, _ = accounts.keys.create(role=Role.VIEWER, workspace="default", now=now, expires_at=now + timedelta(hours=1))
    text, end = accounts.sessions.open(f"key:{key.id}", now=now, expires_at=key.expires_at)
    assert end == now + timedelta(hours=1)
    assert accounts.of_session(text, now=end - timedelta(seconds=1)) is not None
    assert accounts.of_session(text, now=end) is None
    _, end = accounts.sessions.open("user:ada", now=now)
    assert end == now + timedelta(hours=12)


async def test_guessing_passwords_is_throttled_and_says_nothing(
    world: Any, open_client: Client, ada: dict[str, str]
) -> None:
    async with open_client(world.app()) as client:
        nobody = await client.post(LOGIN, json={"user": "nobody", "password": "x" * 12})
        wrong = await client.post(LOGIN, json=ada | {"password": "x" * 12})
        assert nobody.json()["detail"] == wrong.json()["detail"]
        statuses = [
            (await client.post(LOGIN, json=ada | {"password": f"guess number {i}"})).status_code for i in range(12)
        ]
        assert statuses.count(401) == 9
        assert statuses[-1] == 429
        last = await client.post(LOGIN, json=ada)
        assert last.status_code == 429
        assert int(last.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "body",
    [{}, {"user": "a", "key": "b.c"}, {"user": "a", "password": "s3cret-s3cret", "role": "admin"}, "s3cret-s3cret"],
)
async def test_a_wrong_body_is_422_and_no_secret_comes_back(world: Any, open_client: Client, body: Any) -> None:
    async with open_client(world.app()) as client:
        answer = await client.post(LOGIN, json=body)
        assert answer.status_code == 422
        assert "s3cret" not in answer.text


def test_passwords_are_salted_and_short_ones_refused(world: Any, ada: dict[str, str]) -> None:
    from accounts.users import check_password, hash_password  # noqa: PLC0415 - only here

    one, two = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one != two
    assert check_password(PASSWORD, one)
    assert not check_password(f"{PASSWORD}x", one)
    with pytest.raises(AccountError, match="12 to 256"):
        world.accounts.users.create("bob", "short", role=Role.VIEWER, workspace="default", now=world.now())
    with pytest.raises(AccountError, match="taken"):
        world.accounts.users.create(ada["user"], PASSWORD, role=Role.VIEWER, workspace="default", now=world.now())
