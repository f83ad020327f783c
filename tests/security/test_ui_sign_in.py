"""The UI's door: who gets a cookie, where the form leads, what a browser is told to refuse."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from accounts.roles import Role
from app_transport import AppTransport
from attribution_client import Client, Retries
from ui import asking, session
from ui.serving import Ui, _Page
from ui_world import ran, texts, visiting_app

Browser = Callable[..., httpx.AsyncClient]
SITE = {"Origin": "http://test"}


@pytest.fixture
def door(world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Opens browsers of a UI below /ui, whose API has real accounts; ``api`` gives the settings of the API."""
    opened: list[AppTransport] = []

    def open_browser(base_url: str = "http://test", hosts: tuple[str, ...] = (), **api: Any) -> httpx.AsyncClient:
        # as `attribution api --ui` serves it: the UI, on the same machine, is believed
        transport = AppTransport(ProxyHeadersMiddleware(world.app(**api), ["127.0.0.1"]))
        opened.append(transport)

        def new_client(url: str, found: session.Credential, visitor: str = "") -> Client:
            assert url
            settings: dict[str, Any] = {"retries": Retries(1), "timeout_s": 5, "visitor": visitor}
            return Client("http://test", found.key, session=found.session, transport=transport, **settings)

        monkeypatch.setattr(session, "new_client", new_client)
        shown = httpx.ASGITransport(_below(Ui(hosts)), client=("198.51.100.1", 40_000))
        return httpx.AsyncClient(transport=shown, base_url=base_url)

    yield open_browser
    for transport in opened:
        transport.stop()


def _below(ui: Ui) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await ui({**scope, "root_path": "/ui"}, receive, send)

    return app


async def test_without_a_cookie_every_page_leads_to_the_form_and_back(door: Browser) -> None:
    async with door() as browser:
        away = await browser.get("/ui/Explain?conversion_id=purchase:o-1")
        assert away.status_code == 303
        form = await browser.get(away.headers["location"])
    assert form.status_code == 200
    assert 'name="next" value="/Explain?conversion_id=purchase:o-1"' in form.text
    assert form.headers["cache-control"] == "no-store"


async def test_a_key_becomes_a_session_in_a_cookie_that_scripts_do_not_see(door: Browser, world: Any) -> None:
    key = world.key(Role.ANALYST)
    async with door() as browser:
        answer = await browser.post("/ui/signin", data={"key": key, "next": "/Channels"}, headers=SITE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/Channels")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/ui;" in cookie
    assert "Secure" not in cookie
    assert key.partition(".")[2] not in cookie
    found = re.match("attribution_ui=([^;]+)", cookie)
    assert found is not None
    assert world.accounts.of_session(found[1], now=world.now()).role is Role.ANALYST


async def test_over_tls_the_cookie_is_secure(door: Browser, world: Any) -> None:
    async with door(base_url="https://test") as browser:
        answer = await browser.post("/ui/signin", data={"key": world.key()}, headers={"Origin": "https://test"})
    assert "; Secure" in answer.headers["set-cookie"]


async def test_a_user_signs_in_with_a_password(door: Browser, world: Any) -> None:
    world.accounts.users.create(
        "ada@test", "correct horse battery", role=Role.VIEWER, workspace="acme", now=world.now()
    )
    async with door() as browser:
        right = {"user": "ada@test", "password": "correct horse battery"}
        assert (await browser.post("/ui/signin", data=right, headers=SITE)).status_code == 303
        wrong = await browser.post("/ui/signin", data=right | {"password": "another"}, headers=SITE)
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    assert 'role="alert"' in wrong.text


async def test_who_guesses_keeps_nobody_else_from_signing_in(door: Browser, world: Any) -> None:
    wrong = {"key": "0123456789abcdef.wrong"}
    async with door() as guesser:
        statuses = [(await guesser.post("/ui/signin", data=wrong, headers=SITE)).status_code for _ in range(31)]
        assert statuses == [401] * 30 + [429]
        another = httpx.ASGITransport(_below(Ui()), client=("198.51.100.2", 40_000))
        async with httpx.AsyncClient(transport=another, base_url="http://test") as visitor:
            answer = await visitor.post("/ui/signin", data={"key": world.key()}, headers=SITE)
    assert answer.status_code == 303


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example"])
async def test_the_form_never_leads_to_another_site(door: Browser, world: Any, wanted: str) -> None:
    async with door() as browser:
        answer = await browser.post("/ui/signin", data={"key": world.key(), "next": wanted}, headers=SITE)
    assert answer.headers["location"].startswith("/ui/")


@pytest.mark.parametrize("origin", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
async def test_another_site_cannot_sign_a_visitor_in(door: Browser, world: Any, origin: dict[str, str]) -> None:
    async with door() as browser:
        answer = await browser.post("/ui/signin", data={"key": world.key()}, headers=origin)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_what_is_sent_comes_back_as_text_alone(door: Browser) -> None:
    nasty = '"><script>alert(1)</script>'
    async with door() as browser:
        asked = await browser.get("/ui/signin", params={"next": nasty})
        sent = await browser.post("/ui/signin", data={"user": nasty, "password": nasty, "next": nasty}, headers=SITE)
    assert "<script>" not in asked.text + sent.text


async def test_a_body_that_is_too_long_is_refused(door: Browser) -> None:
    async with door() as browser:
        answer = await browser.post("/ui/signin", data={"key": "k" * 20_000}, headers=SITE)
    assert answer.status_code == 413


async def test_where_the_api_asks_nobody_the_form_is_skipped(door: Browser) -> None:
    async with door(insecure_dev=True, allowed_hosts=("test",)) as browser:
        answer = await browser.get("/ui/signin?next=Models")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/Models")


async def test_a_host_that_is_not_ours_is_refused(door: Browser) -> None:
    async with door(hosts=("test",)) as browser:
        assert (await browser.get("/ui/signin")).status_code == 200
        assert (await browser.get("/ui/signin", headers={"Host": "evil.example:80"})).status_code == 400


async def test_the_policy_lets_the_document_run_its_own_scripts_and_ask_this_host_alone() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    page = _Page(send, "/ui")
    await page.send(
        {"type": "http.response.start", "status": 200, "headers": [(b"etag", b"x"), (b"content-length", b"1")]}
    )
    await page.send({"type": "http.response.body", "body": b"<head><title>Streamlit</title>", "more_body": True})
    await page.send({"type": "http.response.body", "body": b"<script>one()</script></head>"})
    headers, body = dict(sent[0]["headers"]), sent[1]["body"]
    scripts = re.findall(rb"<script>(.*?)</script>", body)
    assert len(scripts) == 2
    assert b'location.origin+"/ui/"' in scripts[0]
    policy = headers[b"content-security-policy"].decode()
    for script in scripts:
        assert f"'sha256-{b64encode(sha256(script).digest()).decode()}'" in policy
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "http" not in policy
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"content-length"] == str(len(body)).encode()
    assert b"etag" not in headers


def test_visitors_of_one_server_see_their_own_workspace_and_pages_alone(world: Any) -> None:
    viewer = world.key(Role.VIEWER, "acme")
    admin = world.key(Role.ADMIN)
    ingestor = world.key(Role.INGESTOR)
    with visiting_app(world.app()) as server:
        for _ in range(2):
            first, second = (texts(server.as_key(key).open("Overview")) for key in (viewer, admin))
            assert "(viewer), workspace **acme**" in first
            assert "(admin), workspace **default**" in second
        assert "shows no page" in texts(server.as_key(ingestor).open("Overview"))
        assert "session is over" in texts(server.as_key("0123.wrong").open("Overview"))


@pytest.mark.parametrize("page", ["Overview", "Health"])
def test_a_page_that_asks_by_itself_ends_with_its_session(world: Any, page: str) -> None:
    """Else a window that was left open is refused, and on record, every two seconds for ever."""
    key, admin = world.key(Role.ADMIN), world.key(Role.ADMIN)
    with visiting_app(world.app()) as server:
        visit = server.as_key(key).open(page)
        assert "(admin), workspace" in texts(visit)
        server.client("http://test", session.Credential(key=admin)).revoke_key(key.partition(".")[0])
        asking.forget()
        shown = texts(ran(visit))
        assert "Your session is over." in shown
        assert "workspace **default**" not in shown
