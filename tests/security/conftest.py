"""An application with real accounts in a temporary folder, keys of every role, and two workspaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from api.app import create_app
from api.front import Api
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from api.testing_registry import MemorySchemaLog

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class World:
    """Accounts, stores by workspace, and applications over them."""

    accounts: Accounts
    settings: AccountsSettings
    stores: dict[str, MemoryStore] = field(default_factory=lambda: {"default": MemoryStore(), "acme": MemoryStore()})
    schemas: dict[str, MemorySchemaLog] = field(default_factory=lambda: defaultdict(MemorySchemaLog))
    producer: MemoryProducer = field(default_factory=MemoryProducer)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    apps: list[Api] = field(default_factory=list)

    def app(self, **settings: Any) -> Api:
        """A fresh application: another process, as far as what it remembers goes."""
        made = create_app(
            ApiSettings(**settings),
            store=self.stores["default"],
            offsets=MemoryOffsets(),
            producer=self.producer,
            now=self.now,
            accounts=self.accounts,
            others=lambda name: (self.stores[name], MemoryOffsets()),
            schema_logs=lambda name: self.schemas[name],
        )
        self.apps.append(made)
        return made

    def key(self, role: Role = Role.VIEWER, workspace: str = "default", **more: Any) -> str:
        """Text of a new key."""
        return self.accounts.keys.create(role=role, workspace=workspace, now=self.now(), **more)[1]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Accounts with the workspaces ``default`` and ``acme``."""
    for name in ("ATTRIBUTION_ACCOUNTS_URL", "ATTRIBUTION_ACCOUNTS_PEPPER", "ATTRIBUTION_API_INSECURE_DEV"):
        monkeypatch.delenv(name, raising=False)
    settings = AccountsSettings(dir=tmp_path / "accounts")
    made = World(Accounts(settings), settings)
    made.accounts.workspaces.add("acme", now=NOW)
    yield made
    for app in made.apps:
        app.state.security.trail.close()
    made.accounts.close()


@pytest.fixture
def open_client() -> Callable[..., httpx.AsyncClient]:
    """A client of an application; with ``key`` it sends it."""

    def make(app: Api, key: str = "", base_url: str = "http://test", **headers: str) -> httpx.AsyncClient:
        if key:
            headers["Authorization"] = f"Bearer {key}"
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)

    return make
