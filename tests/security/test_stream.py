"""The live stream, which the walks over all routes pass over: two workspaces apart, revoked keys, caps, roles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from event_client import EventClient

from accounts.roles import Role, Scope
from api.live_store import LiveRow, Position
from api.testing import MemoryStore

AT = datetime(2026, 11, 20, tzinfo=UTC)
QUICK: dict[str, Any] = {"stream_poll_s": 0.01, "stream_heartbeat_s": 0.05}


def insert(store: MemoryStore, name: str) -> None:
    store.feed.now_us += 1_000
    touch = (("t",), (AT,), (f"{name}-channel",), ("",), ((1.0,),), ((7,),))
    at = Position(store.feed.now_us, f"{name}-v", 1, False)
    store.feed.rows.append(LiveRow(at, f"{name}-customer", "purchase", AT, 7, "USD", ("linear",), *touch, "h", AT))


async def test_two_workspaces_see_nothing_of_each_other(world: Any) -> None:
    """Neither live nor with a cursor of the other's, in one process with both streams open."""
    app = world.app(**QUICK)
    keys = {name: world.key(Role.VIEWER, name) for name in ("default", "acme")}
    insert(world.stores["default"], "default-before")
    insert(world.stores["acme"], "acme-before")
    async with EventClient(app, key=keys["default"]) as ours, EventClient(app, key=keys["acme"]) as theirs:
        for i in range(3):
            insert(world.stores["default"], f"default-{i}")
            insert(world.stores["acme"], f"acme-{i}")
        for name, client in (("default", ours), ("acme", theirs)):
            for i in range(3):
                data = (await client.named()).data
                assert data["customer_id"] == f"{name}-{i}-customer"
                assert data["credits"][0]["channel"] == f"{name}-{i}-channel"
        for _ in range(3):
            assert (await ours.next()).name == (await theirs.next()).name == ""
    async with EventClient(app, key=keys["acme"], last_id=ours.last_id) as crossed:
        insert(world.stores["acme"], "acme-last")
        found = ""
        while "acme-last" not in found:
            found += str((await crossed.named()).data)
        assert "default-" not in found


async def test_a_stream_ends_when_its_key_is_revoked(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.credentials.KEPT_S", 0.0)  # another process's revocation is known after this time
    app, key = world.app(**QUICK), world.key()
    async with EventClient(app, key=key) as client:
        assert (await client.next()).name == ""
        world.accounts.keys.revoke(key.split(".")[0], now=world.now())
        assert (await client.named("end")).data["reason"] == "revoked"
        with pytest.raises(EOFError):
            await client.next()
    async with EventClient(app, key=key, last_id=client.last_id) as again:
        assert again.status == 401


async def test_a_caller_has_so_many_streams_and_another_one_has_its_own(world: Any) -> None:
    app, key = world.app(streams_per_caller=2, **QUICK), world.key()
    async with EventClient(app, key=key), EventClient(app, key=key):
        async with EventClient(app, key=key) as third:
            assert third.status == 429
            assert "retry-after" in third.headers
        async with EventClient(app, key=world.key()) as other:
            assert other.status == 200
    async with EventClient(app, key=key) as again:
        assert again.status == 200


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        (Role.VIEWER, None, 200),
        (Role.VIEWER, {Scope.REPORTS}, 403),
        (Role.INGESTOR, None, 403),
        (Role.ADMIN, None, 200),
    ],
)
async def test_it_shows_customers_so_it_asks_for_that_scope(
    world: Any, role: Role, scopes: set[Scope] | None, status: int
) -> None:
    more = {} if scopes is None else {"scopes": frozenset(scopes)}
    async with EventClient(world.app(**QUICK), key=world.key(role, **more)) as client:
        assert client.status == status
