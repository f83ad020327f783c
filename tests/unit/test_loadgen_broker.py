"""The whole command against a real broker: what the truth file says is what the topics hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from loadgen.truth import read_truth
from stream_app.topics import create_topics

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kafka
TOPICS = ("attribution.touchpoints", "attribution.conversions", "attribution.spend")
PARTITIONS = 4


@pytest.fixture
def ends(kafka_bootstrap: str) -> dict[tuple[str, int], int]:
    """The end of every partition before the test; topics are created if nobody did yet."""
    create_topics(kafka_bootstrap, partitions=PARTITIONS)
    consumer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": "loadgen-test"})
    places = {(name, number): end_of(consumer, name, number) for name in TOPICS for number in range(PARTITIONS)}
    consumer.close()
    return places


def end_of(consumer: Consumer, topic: str, partition: int) -> int:
    """End offset; a partition that was created a moment ago may not have its leader yet."""
    for _ in range(100):
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1])
        except KafkaException:
            consumer.poll(0.1)
    raise AssertionError(f"{topic}-{partition} has no leader, or there is no such partition")


def simulate(bootstrap: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap}
    command = [sys.executable, "-P", "-m", "cli", "simulate", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def murmur2(key: bytes) -> int:
    """Kafka's hash, written here from its definition, so that the partitioner is checked by something else."""
    mask, factor = 0xFFFFFFFF, 0x5BD1E995
    size = len(key)
    h = (0x9747B28C ^ size) & mask
    for at in range(0, size - size % 4, 4):
        k = int.from_bytes(key[at : at + 4], "little") * factor & mask
        k = (k ^ (k >> 24)) * factor & mask
        h = (h * factor & mask) ^ k
    tail = key[size - size % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * factor & mask
    h = (h ^ (h >> 13)) * factor & mask
    return h ^ (h >> 15)


@pytest.mark.parametrize("options", [(), ("--pool", "1500")])
def test_the_topics_hold_what_the_truth_file_says(
    kafka_bootstrap: str, ends: dict[tuple[str, int], int], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Counts, malformed bytes, distinct events and partitions agree between the broker, the summary and the truth."""
    path = tmp_path / "truth.jsonl"
    done = simulate(
        kafka_bootstrap, "--events", "4000", "--rate", "0", "--seed", "11", "--malformed", "0.05",
        "--truth", str(path), "--json", *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    truth = read_truth(path)

    consumer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": "loadgen-test"})
    consumer.assign([TopicPartition(name, partition, offset) for (name, partition), offset in ends.items()])
    found: list[tuple[str, int, bytes, bytes]] = []
    while len(found) < 4_000:
        batch = consumer.consume(4_000, timeout=10)
        assert batch, f"only {len(found)} records arrived"
        found += [(str(m.topic()), int(m.partition() or 0), m.key() or b"", m.value() or b"") for m in batch]
    assert not consumer.consume(1, timeout=0.5)
    consumer.close()

    assert summary["records"] == len(found) == 4_000
    assert all(truth.summary[name] == summary[name] for name in ("valid", "malformed", "duplicates", "value_bytes"))
    assert all((murmur2(key) & 0x7FFFFFFF) % PARTITIONS == partition for _, partition, key, _ in found)
    sent = Counter((topic, key, value) for topic, _, key, value in found)
    malformed = Counter((m.topic, m.key, m.value) for m in truth.malformed)
    assert malformed
    assert malformed <= sent
    distinct = len(truth.touchpoints) + len(truth.conversions) + len(truth.spend)
    assert len(sent - malformed) == distinct
    assert sum(sent.values()) == distinct + len(truth.malformed) + truth.summary["duplicates"]


def test_no_broker_is_one_clear_line(tmp_path: Path) -> None:
    """The address and the way out, exit code 1, no truth file that looks complete."""
    done = simulate("127.0.0.1:1", "--events", "10", "--truth", str(tmp_path / "truth.jsonl"))

    assert done.returncode == 1
    assert "no Kafka broker at 127.0.0.1:1" in done.stderr
    assert "attribution up" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "truth.jsonl").exists()
