"""The Python client, its page and the commands against the served API with a real broker and the real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attribution_client import Batching, Client, Delivered
from tests.integration import test_api_docs

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

served = test_api_docs.served
PAGE = Path(__file__).parents[2] / "clients" / "python" / "README.md"
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def values_of(bootstrap: str, topic: str, wanted: Callable[[dict[str, Any]], bool], count: int) -> list[dict[str, Any]]:
    """The wanted records of a topic, once there are so many; other tests' records may be in any encoding."""
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - only with a broker

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 30
    while len(found) < count and time.monotonic() < end:
        bodies = (m.value() or b"" for m in consumer.consume(1_000, timeout=0.5))
        found += [e for body in bodies if body.startswith(b"{") and wanted(e := json.loads(body))]
    consumer.close()
    return found


def test_tracked_events_are_on_the_topic_and_the_page_s_examples_run(
    served: tuple[str, str, str], kafka_bootstrap: str
) -> None:
    address, key, _ = served
    customer = uuid.uuid4().hex
    with Client(f"http://{address}", key, batching=Batching(max_events=200)) as client:
        named = {client.track(customer, "Email", cost="0.10", currency="USD") for _ in range(1_000)}
        order = client.conversion(customer, "49.90", currency="USD", order_id=customer)
        assert client.flush(60) == Delivered(1_001, 0)
        (touched, sold) = (
            values_of(kafka_bootstrap, f"attribution.{kind}", lambda e: e["customer_id"] == customer, count)
            for kind, count in (("touchpoints", 1_000), ("conversions", 1))
        )
        assert len(touched) == 1_000
        assert {e["event_id"] for e in touched} == named
        assert [(e["event_id"], e["value_micros"]) for e in sold] == [(order, 49_900_000)]
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    environment = os.environ | {
        "ATTRIBUTION_API_URL": f"http://{address}",
        "ATTRIBUTION_API_KEY": key,
        "PYTHONPATH": os.pathsep.join([str(PAGE.parent), os.environ.get("PYTHONPATH", "")]),
    }
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert done.stderr == "", block
    assert (
        "Delivered(accepted=2, rejected=0)"
        in subprocess.run(
            [sys.executable, "-c", blocks[0]], env=environment, capture_output=True, text=True, timeout=120, check=True
        ).stdout
    )


def test_every_command_of_the_page_runs(served: tuple[str, str, str], tmp_path: Path) -> None:
    address, key, _ = served
    script = "\n".join(re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
    commands = [line for line in script.splitlines() if line.startswith("attribution ")]
    assert {line.split()[1] for line in commands} == {"login", "report", "journey", "explain"}
    prelude = f'set -euo pipefail\nattribution() {{ {sys.executable} -P -m cli "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", prelude + script.replace("http://127.0.0.1:8000", f"http://{address}")],
        env=os.environ
        | {
            "KEY": key,
            "XDG_CONFIG_HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(PAGE.parent), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Paid Search" in done.stdout
    assert key not in done.stdout + done.stderr
