"""A bad deploy on the real broker and engine: the worker stops, little is drained, nothing behind it is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.exits import LIMIT_STOP
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

BROKEN = 2_000
LIMIT = 100
BEFORE = 60


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def event(kind: str, key: str, **body: str) -> Sent:
    return Sent(kind, key.encode(), json.dumps({"customer_id": key, **body}).encode())


def test_a_bad_deploy_stops_the_worker_and_raising_the_limit_drains_it(stream: Stream) -> None:
    """The good records stand behind the broken ones of their partition; a restart goes on counting."""
    broken = [event("touchpoint", "ada", event_id=f"b{i}", channel="Email") for i in range(BROKEN)]
    touch = event("touchpoint", "ada", event_id="t1", occurred_at="2026-09-01T00:00:00Z", channel="Email")
    order = event("conversion", "ada", event_id="k1", occurred_at="2026-09-02T00:00:00Z", value="1", currency="USD")
    in_a_row = {"ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE": str(LIMIT), "ATTRIBUTION_DEAD_LETTER_MAX_RATIO": ""}

    stream.produce(broken[:BEFORE])
    stream.start(env=in_a_row)
    stream.wait()
    assert stream.stop(0) == 0
    stream.produce([*broken[BEFORE:], touch, order])
    stream.start(env=in_a_row)
    assert stream.workers.pop(0).wait(60) == LIMIT_STOP, stream.log_tail()
    assert not stream.is_ready()
    assert len(stream.dead_letters()) == BEFORE
    log = (stream.folder / "worker-0.log").read_text()
    assert f"at offset {LIMIT}: {LIMIT + 1} invalid records in a row" in log
    assert "missing_field of occurred_at" in log
    assert "ada" not in log

    stream.start(env={"ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE": "0", "ATTRIBUTION_DEAD_LETTER_MAX_RATIO": "0"})
    stream.wait()
    assert len(stream.dead_letters()) == BROKEN
    assert {c.touchpoint_id for c in stream.credits()["k1"]} == {"t1"}
