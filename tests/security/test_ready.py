"""Without its accounts the API can recognise nobody, and ``/ready`` says so by name, without details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from accounts.errors import AccountsUnavailable

Client = Callable[..., httpx.AsyncClient]


async def test_ready_names_accounts_that_cannot_be_used(
    world: Any, open_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client(world.app()) as client:
        before = await client.get("/ready")

        def away() -> None:
            raise AccountsUnavailable("postgresql://user:secret@db.internal is away")

        monkeypatch.setattr(world.accounts.workspaces, "names", away)
        health, ready = await client.get("/health"), await client.get("/ready")
    assert {d["name"]: d["status"] for d in before.json()["dependencies"]} == dict.fromkeys(
        ("clickhouse", "kafka", "accounts"), "ok"
    )
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert (ready.status_code, ready.json()["dependency"]) == (503, "accounts")
    assert "secret" not in health.text + ready.text
