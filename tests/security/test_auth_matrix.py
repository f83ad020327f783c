"""Role by route, made by walking the routes: who holds the scope passes, nobody else does. And two workspaces apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from accounts.roles import SCOPES, Role
from api.access import Access
from api.app import create_app
from api.settings import ApiSettings
from api.store import JourneyRow, Progress, ResultRow, TouchCredit
from api.testing import MemoryOffsets, MemoryStore

Client = Callable[..., httpx.AsyncClient]


def routes() -> list[tuple[str, Access]]:
    app = create_app(ApiSettings(insecure_dev=True), store=MemoryStore(), offsets=MemoryOffsets())
    found: list[tuple[str, Access]] = app.state.access.all()
    return found


def path_of(access: Access) -> str:
    """The template with an id in each place."""
    return re.sub(r"\{key_id\}", "0" * 16, re.sub(r"\{(?!key_id)[^}]+\}", "marked", access.template))


def is_endless(access: Access) -> bool:
    """Whether an allowed request never ends; such an answer is read by tests of its own."""
    return "/stream/" in access.template


PROTECTED = [(method, access) for method, access in routes() if not access.is_public]


def test_there_is_something_to_walk() -> None:
    assert len(PROTECTED) >= 12
    assert {access.scope for _, access in PROTECTED} >= {"reports", "customers", "manage"}


def may(role: Role, access: Access) -> bool:
    return access.scope is None or access.scope in SCOPES[role]


@pytest.mark.parametrize("role", list(Role))
async def test_matrix(world: Any, open_client: Client, role: Role) -> None:
    """Every route by every role, over one application."""
    async with open_client(world.app(max_concurrent=1_000), world.key(role)) as client:
        for method, access in PROTECTED:
            named = f"{method} {access.template}"
            if may(role, access) and is_endless(access):
                continue
            answer = await client.request(method, path_of(access))
            if may(role, access):
                assert answer.status_code != 401, named
                # a refresh is for sessions only
                assert answer.status_code != 403 or "session" in answer.text, named
            else:
                assert answer.status_code == 403, named


async def test_nobody_passes_without_credentials(
    world: Any, open_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def uncounted(_: str) -> None:
        """So many wrong ones from one address would be answered with 429."""

    revoked = world.key(Role.ADMIN)
    world.accounts.keys.revoke(revoked.split(".")[0], now=world.now())
    bearer = {"Authorization": f"Bearer {revoked}"}
    monkeypatch.setattr((app := world.app()).state.security.throttle, "refused", uncounted)
    async with open_client(app) as client:
        for method, access in PROTECTED:
            for headers in ({}, bearer):
                answer = await client.request(method, path_of(access), headers=headers)
                assert answer.status_code == 401, f"{method} {access.template}"


#: Routes whose answer to the other workspace must show what was planted there; every route is asked in any case.
READ = {
    "/api/v1/attribution/results/{customer_id}",
    "/api/v1/analytics/channel-performance",
    "/api/v1/analytics/customer-journey/{customer_id}",
    "/api/v1/analytics/top-paths",
    "/api/v1/analytics/assisted-conversions",
    "/api/v1/data/status",
}


def planted(mark: str) -> MemoryStore:
    at = datetime.now(UTC)
    store = MemoryStore()
    store.stored["marked"] = [
        ResultRow("linear", f"{mark}-k", "purchase", at, 7_000_000, "USD", 1,
                  (TouchCredit(1, f"{mark}-t", at, f"{mark}-channel", "", 1.0, 7_000_000),))
    ]  # fmt: skip
    store.events["marked"] = [JourneyRow("touchpoint", f"{mark}-t", at, channel=f"{mark}-channel")]
    store.read = [Progress(f"{mark}-topic", 0, 5, at, at)]
    return store


async def test_two_workspaces_see_nothing_of_each_other(world: Any, open_client: Client) -> None:
    world.stores |= {"default": planted("ours"), "acme": planted("theirs")}
    app, seen = world.app(), set()
    for workspace, own, other in (("default", "ours", "theirs"), ("acme", "theirs", "ours")):
        async with open_client(app, world.key(Role.ADMIN, workspace)) as client:
            for method, access in PROTECTED:
                if method != "GET" or "/stream/" in access.template:
                    continue
                answer = await client.get(path_of(access), params={"attribution_model": "linear"})
                assert other not in answer.text, access.template
                if own in answer.text:
                    seen.add((workspace, access.template.replace(":path", "")))
    assert seen >= {(workspace, template) for workspace in ("default", "acme") for template in READ}


async def test_what_one_workspace_may_keep_in_memory_is_not_given_to_the_other(world: Any, open_client: Client) -> None:
    """The same report at the same time, so that shared reads and kept reports have their chance to mix."""
    import anyio  # noqa: PLC0415 - only here

    world.stores |= {"default": planted("ours"), "acme": planted("theirs")}
    app = world.app()
    path = "/api/v1/analytics/channel-performance?attribution_model=linear"
    async with (
        open_client(app, world.key(Role.VIEWER, "default")) as one,
        open_client(app, world.key(Role.VIEWER, "acme")) as two,
        anyio.create_task_group() as group,
    ):

        async def ask(client: httpx.AsyncClient, own: str, other: str) -> None:
            for _ in range(20):
                text = (await client.get(path)).text
                assert own in text
                assert other not in text

        for _ in range(4):
            group.start_soon(ask, one, "ours-channel", "theirs")
            group.start_soon(ask, two, "theirs-channel", "ours")
