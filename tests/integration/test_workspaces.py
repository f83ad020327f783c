"""Two workspaces on the real broker and engine: what one writes and reads, the other never sees."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from api.app import create_app
from api.settings import ApiSettings
from attribution.attribute import Attributor, FixedJourney
from attribution.config import AttributionConfig
from attribution.types import Conversion
from cli.__main__ import build_app
from clickhouse import rows
from clickhouse.client import connect
from clickhouse.rollups import Roller
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from stream_app.settings import WorkerSettings
from tests.contract.test_api_analytics import CONFIG, described

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
AT_US = 1_790_000_000_000_000
DAY = datetime.fromtimestamp(AT_US / 1e6, UTC).date()
PATHS = {
    "/api/v1/attribution/results/marked": True,
    f"/api/v1/analytics/channel-performance?start_date={DAY}&end_date={DAY}&attribution_model=linear": True,
    "/api/v1/attribution/conversions/purchase:o1/explain": False,
    "/api/v1/analytics/customer-journey/marked": False,
    f"/api/v1/analytics/campaign-performance?start_date={DAY}&end_date={DAY}&attribution_model=linear": False,
    f"/api/v1/analytics/timeseries?start_date={DAY}&end_date={DAY}&attribution_model=linear": False,
    f"/api/v1/analytics/top-paths?start_date={DAY}&end_date={DAY}": False,
    f"/api/v1/analytics/assisted-conversions?start_date={DAY}&end_date={DAY}": False,
}


@pytest.fixture
def names(
    kafka_bootstrap: str, clickhouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Two fresh workspaces, made by the command; their databases are dropped afterwards."""
    base = f"test_{uuid.uuid4().hex[:12]}"
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "CLICKHOUSE_URL": clickhouse_url,
        "CLICKHOUSE_DATABASE": base,
        "ATTRIBUTION_ACCOUNTS_DIR": str(tmp_path / "accounts"),
        "ATTRIBUTION_API_INSECURE_DEV": "false",
    }.items():
        monkeypatch.setenv(name, value)
    made = (f"a{uuid.uuid4().hex[:8]}", f"b{uuid.uuid4().hex[:8]}")
    for name in made:
        done = CliRunner().invoke(build_app(), ["workspace", "create", name, "--json"])
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert told["database"] == f"{base}_{name}"
        assert f"{name}.attribution.touchpoints" in told["topics_created"]
    again = json.loads(CliRunner().invoke(build_app(), ["workspace", "create", made[0], "--json"]).stdout)
    assert (again["is_new"], again["migrations_applied"], again["topics_created"]) == (False, 0, [])
    yield made
    client = connect(ClickHouseSettings(), use_database=False)
    for name in made:
        client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": f"{base}_{name}"})
    client.close()


def plant(name: str) -> None:
    settings = ClickHouseSettings().of_workspace(name)
    described(settings)
    journey = FixedJourney([(AT_US - 60_000_000, f"{name}-t", f"{name}-channel", f"{name}-campaign")])
    sold = Conversion("purchase:o1", "purchase", AT_US, 42_000_001, "USD")
    found = [("marked", Attributor(AttributionConfig(models=CONFIG.models)).attribute(journey, sold))]
    client = connect(settings)
    Writer(client).write(
        {
            "attributions": rows.attribution_rows(found, run_id=1, config_hash="h", emitted_at_us=AT_US),
            "dirty_days": rows.dirty_day_rows(found, run_id=1),
        }
    )
    Roller(client).drain()
    client.close()


async def test_two_workspaces_on_the_real_stack(names: tuple[str, str], kafka_bootstrap: str) -> None:
    accounts = Accounts(AccountsSettings())
    for name in names:
        plant(name)
    app = create_app(ApiSettings(allowed_hosts=()), accounts=accounts)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app):
        for own, other in (names, names[::-1]):
            _, key = accounts.keys.create(role=Role.ADMIN, workspace=own, now=datetime.now(UTC))
            headers = {"X-API-Key": key}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                for path, is_shown in PATHS.items():
                    answer = await client.get(path)
                    assert answer.status_code in {200, 404}, (path, answer.text)
                    assert other not in answer.text, path
                    if is_shown:
                        assert f"{own}-channel" in answer.text, path
                event = {"event_id": "e1", "customer_id": "c", "occurred_at": "2026-11-20T10:00:00Z", "channel": own}
                sent = await client.post("/api/v1/data/touchpoints", json=[event])
                assert sent.status_code == 202, sent.text
                status = await client.get("/api/v1/data/status")
                assert f"{own}.attribution.touchpoints" in status.text
                assert other not in status.text
    for name in names:
        assert values(kafka_bootstrap, f"{name}.attribution.touchpoints") == [name]


def values(bootstrap: str, topic: str) -> list[Any]:
    """Channels of all records of a topic."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "enable.auto.commit": False})
    try:
        found = []
        for partition in reader.list_topics(topic, timeout=10).topics[topic].partitions:
            low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            reader.assign([TopicPartition(topic, partition, low)])
            found += (
                [json.loads(r.value() or b"{}")["channel"] for r in reader.consume(high - low, timeout=10)]
                if high > low
                else []
            )
        return found
    finally:
        reader.close()


def test_the_settings_of_a_worker_follow_its_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = WorkerSettings()
    monkeypatch.setenv("ATTRIBUTION_WORKSPACE", "acme")
    settings = WorkerSettings()
    assert settings.touchpoints_topic == "acme.attribution.touchpoints"
    assert settings.dead_letter_topic == "acme.attribution.dead_letter"
    assert (settings.group_id, settings.changelog_topic) == ("acme.attribution", "acme.attribution-journeys-changelog")
    assert settings.data_dir == plain.data_dir / "acme"
    names = {str(WorkerSettings.model_fields[f].alias): v for f, v in settings.model_dump().items()}
    assert WorkerSettings.model_validate(names) == settings  # settings made from settings carry the name once
    assert ClickHouseSettings.of_environment().database == "attribution_acme"
    assert not {t for t in settings.source_topics if t in plain.source_topics}
