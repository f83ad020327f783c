"""The collector: who may write, to which workspace, and that a key in an address stays there."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from accounts import tables
from accounts.roles import Role
from collector.segment import TYPES

Client = Callable[..., httpx.AsyncClient]
PATHS = [*(f"/v1/{kind}" for kind in (*TYPES, "batch", "import")), "/mp/collect"]
MESSAGE = {
    "messageId": "m",
    "userId": "ada",
    "previousId": "old",
    "event": "Order Completed",
    "properties": {"order_id": "o", "total": 5},
    "batch": [{"type": "page", "userId": "ada"}],
    "user_id": "ada",
    "events": [{"name": "page_view"}],
}


def ways(key: str) -> list[dict[str, Any]]:
    """How a write key comes: as user name of Basic authorization, as `api_secret`, and as our own headers."""
    return [
        {"auth": (key, "")},
        {"params": {"api_secret": key, "measurement_id": "G-1"}},
        {"headers": {"X-API-Key": key}},
        {"headers": {"Authorization": f"Bearer {key}"}},
    ]


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_may_only_write_writes_and_one_that_may_not_is_refused(
    world: Any, open_client: Client, path: str
) -> None:
    async with open_client(world.app()) as client:
        for role, allowed in ((Role.INGESTOR, True), (Role.ADMIN, True), (Role.VIEWER, False), (Role.ANALYST, False)):
            for way in ways(world.key(role)):
                world.producer.records.clear()
                answer = await client.post(path, json=MESSAGE, **way)
                assert answer.status_code in ({200, 204} if allowed else {403}), answer.text
                if not allowed:
                    assert world.producer.records == []
        for way in ({}, *ways("a.b")):
            assert (await client.post(path, json=MESSAGE, **way)).status_code == 401
    assert world.producer.records == []


@pytest.mark.parametrize("way", range(4))
async def test_a_key_writes_to_its_workspace_and_to_no_other(world: Any, open_client: Client, way: int) -> None:
    """Events, links and dead letters; whatever a message or an address says of a workspace."""
    async with open_client(world.app()) as client:
        for workspace, prefix in (("acme", "acme.attribution."), ("default", "attribution.")):
            world.producer.records.clear()
            sent = ways(world.key(Role.INGESTOR, workspace))[way]
            for path in PATHS:
                content = {**MESSAGE, "anonymousId": "d", "client_id": "d", "workspace": "default"}
                assert (await client.post(path, json=content, **sent)).status_code in {200, 204}
            await client.post("/v1/page", json={"workspace": "default"}, **sent)
            topics = {record.topic for record in world.producer.records}
            assert topics == {prefix + name for name in ("touchpoints", "conversions", "identities", "dead_letter")}
            (letter,) = (dict(r.headers) for r in world.producer.records if r.headers)
            assert letter["dlq.topic"].decode() == f"{prefix}touchpoints"


async def test_a_write_key_reads_nothing(world: Any, open_client: Client) -> None:
    async with open_client(world.app(), world.key(Role.INGESTOR)) as client:
        for path in ("/api/v1/attribution/results/ada", "/api/v1/data/status", "/api/v1/auth/keys"):
            assert (await client.get(path)).status_code == 403


async def test_a_key_in_an_address_is_in_no_log_no_audit_entry_and_no_answer(
    world: Any, open_client: Client, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever happens: taken, refused, forbidden, broken body, Kafka away, a fault of ours."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="httpx")  # the client's own log, not the server's
    good, weak = world.key(Role.INGESTOR), world.key(Role.VIEWER)
    wrong = f"{good[:-4]}none"
    app, answers = world.app(), []
    async with open_client(app) as client:

        async def post(key: str, content: bytes = b'{"user_id": "u", "events": [{"name": "page_view"}]}') -> None:
            query = {"measurement_id": "G-1", "api_secret": key}
            answers.append(await client.post("/mp/collect", params=query, content=content))

        for key in (good, weak, wrong):
            await post(key)
        await post(good, b"no json")
        await post(good, json.dumps({"events": [{"name": "page_view", "params": {"api_secret": "x"}}]}).encode())
        answers.append(await client.post("/mp/collect/x", params={"api_secret": good}))
        answers.append(await client.get("/mp/collect", params={"api_secret": good}))
        world.producer.reason = "away"
        await post(good)
        world.producer.reason, world.producer.refuse = "", None  # a fault of ours: it is logged with its trace
        await post(good)
    app.state.security.trail.close()
    assert [a.status_code for a in answers] == [204, 403, 401, 400, 204, 401, 401, 503, 500]
    assert "failed" in caplog.text
    with world.accounts.audit._database.read() as connection:
        kept = repr(connection.execute(tables.audit.select()).fetchall())
    assert "/mp/collect" in kept
    told = kept + caplog.text + "".join(capsys.readouterr()) + "".join(a.text + repr(a.headers) for a in answers)
    told += repr(world.producer.records)
    for secret in (good, weak, wrong):
        assert secret not in told
        assert secret.split(".")[1] not in told
