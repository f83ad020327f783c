"""The API on real parts: lag from a real broker, reports from the real engine, the command as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.offsets import Bounds, KafkaOffsets
from api.settings import ApiSettings
from api.store import Unavailable
from api.testing import MemoryOffsets, MemoryStore
from attribution.attribute import Attributor, FixedJourney
from attribution.config import AttributionConfig
from attribution.types import Conversion
from clickhouse import queries, rows
from clickhouse.client import connect
from clickhouse.rollups import Roller
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def topic(kafka_bootstrap: str) -> Iterator[str]:
    """A new topic of two partitions that holds three records in the second."""
    from confluent_kafka import Producer  # noqa: PLC0415 - only with a broker
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # noqa: PLC0415 - re-exported without saying so

    name = f"api-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])[name].result(30)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for _ in range(3):
        producer.produce(name, b"x", partition=1)
    assert producer.flush(30) == 0
    yield name
    admin.delete_topics([name])[name].result(30)


@pytest.mark.kafka
def test_offsets_are_the_broker_s_and_kept_for_a_moment(kafka_bootstrap: str, topic: str) -> None:
    from confluent_kafka import Producer  # noqa: PLC0415 - only with a broker

    clock = [0.0]
    reader = KafkaOffsets(
        kafka_bootstrap, [topic, "no-such-topic"], timeout_s=10, cache_s=1, monotonic=lambda: clock[0]
    )
    assert reader.read() == {(topic, 0): Bounds(0, 0), (topic, 1): Bounds(0, 3)}
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    producer.produce(topic, b"x", partition=0)
    assert producer.flush(30) == 0
    clock[0] = 0.9
    assert reader.read()[topic, 0] == Bounds(0, 0)
    clock[0] = 1.0
    assert reader.read()[topic, 0] == Bounds(0, 1)
    reader.close()


@pytest.mark.kafka
async def test_a_broker_that_does_not_answer_is_a_state_not_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        bootstrap = f"127.0.0.1:{taken.getsockname()[1]}"
        offsets = KafkaOffsets(bootstrap, ["t"], timeout_s=0.3, cache_s=60, monotonic=time.monotonic)
        with pytest.raises(Unavailable):
            offsets.read()
        app = create_app(ApiSettings(), store=MemoryStore(), offsets=offsets, now=lambda: datetime.now(UTC))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            response = await client.get("/api/v1/data/status")
        assert response.status_code == 200
        assert response.json()["kafka"]["status"] == "unavailable"
        assert bootstrap not in response.text
        offsets.close()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    for _ in range(300):
        assert process.poll() is None, "the API ended early"
        try:
            return httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


QUERIES = {
    # there is no day to read
    "/api/v1/analytics/channel-performance": ["standing_tables", "standing_parts", "standing", "report_spend"],
    # nothing was written since
    "/api/v1/analytics/channel-performance?basis=touch_day": ["standing_parts", "report_spend"],
    "/api/v1/analytics/channel-performance?limit=1": ["standing_parts"],  # the first one again
    "/api/v1/analytics/customer-journey/c-1?models=linear": ["standing_parts", "journey_page"],
    "/api/v1/attribution/results/c-1": ["standing_parts", "results_page"],
    "/api/v1/data/status": ["standing_parts", "data_status", "dead_letters_by_reason"],
    "/ready": ["standing"],
    "/api/v1/attribution/models": [],
}


@pytest.mark.clickhouse
async def test_every_read_asks_these_queries_and_no_more(
    clickhouse_url: str, clickhouse_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    run = queries.run

    def noted(client: Any, name: str, /, **bound: Any) -> list[dict[str, Any]]:
        asked.append(name)
        return run(client, name, **bound)

    monkeypatch.setattr(queries, "run", noted)
    store = ClickHouseStore(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    app = create_app(ApiSettings(), store=store, offsets=MemoryOffsets(), now=lambda: datetime.now(UTC))
    found = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for path in QUERIES:
            asked.clear()
            assert (await client.get(path)).status_code == 200
            found[path] = sorted(asked)
    store.close()
    assert found == {path: sorted(names) for path, names in QUERIES.items()}


@pytest.mark.clickhouse
def test_the_command_serves_what_was_written_and_stops_on_sigterm(
    clickhouse_url: str, clickhouse_database: str, tmp_path: Path
) -> None:
    at_us = 1_790_000_000_000_000
    journey = FixedJourney([(at_us - 60_000_000, "t1", "Email", "")])
    sold = Conversion("purchase:o1", "purchase", at_us, 42_000_001, "USD")
    found = [("c-1", Attributor(AttributionConfig(models=("linear",))).attribute(journey, sold))]
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    Writer(client).write(
        {
            "attributions": rows.attribution_rows(found, run_id=1, config_hash="h", emitted_at_us=at_us),
            "dirty_days": rows.dirty_day_rows(found, run_id=1),
        }
    )
    Roller(client).drain()
    client.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "CLICKHOUSE_URL": clickhouse_url,
        "CLICKHOUSE_DATABASE": clickhouse_database,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "ATTRIBUTION_API_INSECURE_DEV": "false",
        "ATTRIBUTION_ACCOUNTS_DIR": str(tmp_path / "accounts"),
    }
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", str(port)]
    with (tmp_path / "api.log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            states = {d["name"]: d["status"] for d in wait_for(f"{base}/health", process).json()["dependencies"]}
            assert states == {"clickhouse": "ok", "kafka": "unavailable", "accounts": "ok"}
            assert httpx.get(f"{base}/ready").status_code == 200
            day = datetime.fromtimestamp(at_us / 1e6, UTC).date()
            url = f"{base}/api/v1/analytics/channel-performance?start_date={day}&end_date={day}"
            assert httpx.get(url).status_code == 401
            key = {"X-API-Key": (tmp_path / "accounts" / "local.key").read_text()}
            assert key["X-API-Key"] not in (tmp_path / "api.log").read_text()
            report = httpx.get(url, headers=key).json()
            assert {r["channel"]: r["revenue_micros"] for r in report["channels"]} == {
                "Email": 42_000_001,
                "unattributed": 0,
            }
            (result,) = httpx.get(f"{base}/api/v1/attribution/results/c-1", headers=key).json()["results"]
            assert result["credits"][0]["value"] == 42.000001
            other = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
            assert other.returncode == 1
            assert b"could not listen" in other.stderr
            assert b"Traceback" not in other.stderr
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in {0, -signal.SIGTERM}
        finally:
            process.kill()
