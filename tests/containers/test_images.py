"""The worker against the real Kafka and ClickHouse images, and Karapace beside our registry."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from schemas.topics import topic_of
from simulated import assert_converged, simulated
from stream_harness import Stream

pytestmark = pytest.mark.usefixtures("images")

KAFKA = "127.0.0.1:9092"
CLICKHOUSE = "http://127.0.0.1:8123"
KARAPACE = "http://127.0.0.1:8081"


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    monkeypatch.setenv("CLICKHOUSE_USER", "attribution")
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "attribution-local")
    settings = ClickHouseSettings(url=CLICKHOUSE, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(settings)
    found = Stream(KAFKA, CLICKHOUSE, settings.database, tmp_path)
    yield found
    found.client().command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": settings.database})
    found.close()


def test_credits_on_the_real_images_equal_the_batch(stream: Stream) -> None:
    data = simulated(20_000, seed=7)
    stream.produce(data.sent())
    stream.start()
    stream.wait()
    code = stream.stop(0)

    assert code == 0, stream.log_tail()
    assert_converged(stream, data)


def test_karapace_takes_our_schemas_and_keeps_their_compatibility() -> None:
    client: Any = SchemaRegistryClient({"url": KARAPACE})
    subject = f"{uuid.uuid4().hex}-value"
    newest = topic_of("touchpoint").schemas[-1].file
    text = (files("schemas") / "avro" / newest).read_text(encoding="utf-8")
    number = client.register_schema(subject, Schema(text, "AVRO"))
    changed = json.loads(text)
    changed["fields"].append({"name": "without_a_default", "type": "string"})

    assert json.loads(client.get_schema(number).schema_str) == json.loads(text)
    assert client.test_compatibility(subject, Schema(json.dumps(changed), "AVRO")) is False
