"""Rate limits, quotas, requests at once; hosts and origins that are not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from pydantic import ValidationError

from accounts.roles import Role
from api.settings import ApiSettings
from api.store import Standing
from api.testing import MemoryStore

MODELS = "/api/v1/attribution/models"
Client = Callable[..., httpx.AsyncClient]


async def test_the_rate_limit_is_per_key_and_says_when_to_come_back(world: Any, open_client: Client) -> None:
    app = world.app(rate_limit="3/minute")
    async with open_client(app, world.key()) as one, open_client(app, world.key()) as two:
        answers = [await one.get(MODELS) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert [a.headers["ratelimit-remaining"] for a in answers] == ["2", "1", "0", "0"]
        assert {a.headers["ratelimit-limit"] for a in answers} == {"3"}
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert answers[-1].json()["type"].endswith("too-many-requests")
        assert (await two.get(MODELS)).status_code == 200


async def test_a_large_limit_is_taken_in_blocks_and_kept_to_the_request(world: Any, open_client: Client) -> None:
    """Of 400 a minute four are taken at a time; 400 pass, the next does not, and the headers count down one by one."""
    async with open_client(world.app(rate_limit="400/minute"), world.key()) as client:
        answers = [await client.get(MODELS) for _ in range(401)]
    assert [a.status_code for a in answers] == [200] * 400 + [429]
    assert [int(a.headers["ratelimit-remaining"]) for a in answers[:400]] == list(range(399, -1, -1))


async def test_the_quota_counts_besides_the_rate(world: Any, open_client: Client) -> None:
    async with open_client(world.app(rate_limit="100/second", quota="2/day"), world.key()) as client:
        assert [(await client.get(MODELS)).status_code for _ in range(3)] == [200, 200, 429]


async def test_no_limit_when_none_is_set(world: Any, open_client: Client) -> None:
    async with open_client(world.app(rate_limit=""), world.key()) as client:
        assert "ratelimit-limit" not in (await client.get(MODELS)).headers


async def test_requests_at_once_are_bounded_per_key(world: Any, open_client: Client) -> None:
    class Slow(MemoryStore):
        def standing(self) -> Standing:
            anyio.from_thread.run(anyio.sleep, 0.3)
            return super().standing()

    world.stores["default"] = Slow()
    app = world.app(max_concurrent=2)
    statuses: list[int] = []
    async with open_client(app, world.key()) as client, anyio.create_task_group() as group:

        async def ask() -> None:
            statuses.append((await client.get("/api/v1/attribution/results/a")).status_code)

        for _ in range(4):
            group.start_soon(ask)
    assert sorted(statuses) == [200, 200, 429, 429]
    async with open_client(app, world.key()) as client:
        assert (await client.get("/api/v1/attribution/results/a")).status_code == 200


async def test_guessing_keys_is_throttled_by_address_and_good_keys_go_on(world: Any, open_client: Client) -> None:
    app, key = world.app(), world.key()
    async with open_client(app) as client:
        statuses = [
            (await client.get(MODELS, headers={"Authorization": f"Bearer {i:016}.x"})).status_code for i in range(32)
        ]
        assert statuses == [401] * 30 + [429] * 2
        assert (await client.get(MODELS, headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_an_unreachable_store_of_counts_stops_nobody(world: Any, open_client: Client, monkeypatch: Any) -> None:
    app = world.app()

    async def away(*_: object) -> bool:
        raise ConnectionError

    monkeypatch.setattr(app.state.security.throttle._limiter, "hit", away)
    async with open_client(app, world.key()) as client:
        assert (await client.get(MODELS)).status_code == 200


async def test_only_hosts_that_were_named_are_served(world: Any, open_client: Client) -> None:
    app = world.app(allowed_hosts=("api.example.org",))
    async with open_client(app, world.key()) as client:
        assert (await client.get(MODELS)).status_code == 400
        assert (await client.get(MODELS, headers={"Host": "api.example.org:8443"})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1.evil.example.org", "", "[::2]"])
async def test_insecure_dev_answers_to_this_machine_only(world: Any, open_client: Client, host: str) -> None:
    async with open_client(world.app(insecure_dev=True)) as client:
        assert (await client.get(MODELS, headers={"Host": host})).status_code == 400
        for own in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
            assert (await client.get(MODELS, headers={"Host": own})).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::"])  # noqa: S104 - must be refused
def test_insecure_dev_refuses_to_listen_elsewhere(host: str) -> None:
    with pytest.raises(ValidationError, match=r"127\.0\.0\.1"):
        ApiSettings(insecure_dev=True, host=host)


@pytest.mark.parametrize("origin", ["*", "https://*", "ui.example.org", "https://ui.example.org/", "null"])
def test_an_origin_must_be_named(origin: str) -> None:
    if origin == "https://*":
        return
    with pytest.raises(ValidationError, match="origin"):
        ApiSettings(cors_origins=(origin,))


async def test_other_sites_read_only_when_named(world: Any, open_client: Client) -> None:
    app = world.app(cors_origins=("https://ui.example.org",))
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    async with open_client(app) as client:
        named = await client.options(MODELS, headers=ask | {"Origin": "https://ui.example.org"})
        assert named.headers["access-control-allow-origin"] == "https://ui.example.org"
        assert named.headers["access-control-allow-credentials"] == "true"
        other = await client.options(MODELS, headers=ask | {"Origin": "https://evil.example.org"})
        assert "access-control-allow-origin" not in other.headers
        answer = await client.get(
            MODELS, headers={"Origin": "https://ui.example.org", "Authorization": f"Bearer {world.key(Role.VIEWER)}"}
        )
        assert answer.headers["access-control-allow-origin"] == "https://ui.example.org"
