"""`attribution dlq` as an operator uses it: look, mend, send again, and once more by mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attribution.config import DAY_US, AttributionConfig
from attribution.times import to_us
from attribution.types import ConversionEvent, Touch
from stream_harness import Sent, Stream, batch_credits, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

STRICT = {"ATTRIBUTION_LOOKBACK_WINDOW_DAYS": "30", "ATTRIBUTION_ALLOWED_LATENESS_DAYS": "10"}
MENDED = {**STRICT, "ATTRIBUTION_ALLOWED_LATENESS_DAYS": "400"}


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def dlq(stream: Stream, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", "dlq", *words],
        env={**os.environ, **stream.environment(0)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def event(kind: str, **body: str) -> Sent:
    return Sent(kind, b"ada", json.dumps({"customer_id": "ada", **body}).encode())


def listed(stream: Stream, *words: str) -> Any:
    return json.loads(dlq(stream, "list", "--json", *words))


def test_letters_that_are_sent_again_after_the_fix_give_the_batch_and_a_second_retry_nothing(stream: Stream) -> None:
    """What still is broken comes back with one attempt more and its first origin."""
    times = {"t1": "2026-09-01T00:00:00Z", "t0": "2026-03-20T00:00:00Z", "k0": "2026-04-01T00:00:00Z"}
    late = [
        event("touchpoint", event_id="t0", occurred_at=times["t0"], channel="email"),
        event("conversion", event_id="k0", occurred_at=times["k0"], value="9.99", currency="USD"),
    ]
    stream.produce([event("touchpoint", event_id="t1", occurred_at=times["t1"], channel="email")])
    stream.start(env=STRICT)
    stream.wait()
    stream.produce([*late, event("touchpoint", event_id="t2", channel="email")])
    stream.wait()
    stream.stop(0)

    assert sorted(r["reason"] for r in listed(stream)) == ["missing_field", "too_late", "too_late"]
    (broken,) = listed(stream, "--reason", "missing_field", "--since", "1h", "--topic", stream.topics["touchpoint"])
    assert (broken["field"], broken["attempts"], broken["retried"]) == ("occurred_at", 1, False)
    assert "ada" not in dlq(stream, "list")
    assert '"event_id": "t2"' in dlq(stream, "show", broken["letter"])

    stream.start(env=MENDED)
    assert "2 would be sent again" in dlq(stream, "retry", "--reason", "too_late", "--dry-run")
    assert stream.lag() == 0
    assert "3 sent again, 0 passed over" in dlq(stream, "retry", "--all")
    stream.wait()
    touches: list[Touch] = [(to_us(times[i]), i, "email", "") for i in ("t0", "t1")]
    order = ConversionEvent(to_us(times["k0"]), "k0", "purchase", "", 9_990_000, "USD", "completed", "")
    config = AttributionConfig(lookback_us=30 * DAY_US, allowed_lateness_us=400 * DAY_US)
    want = batch_credits([("ada", t) for t in touches], [("ada", order)], config)
    assert differences(stream.credits(), want) == ""
    assert {r.touchpoint_id for r in want["k0"]} == {"t0"}
    (first, second) = sorted(listed(stream, "--reason", "missing_field"), key=lambda r: r["attempts"])
    assert (first["retried"], second["retried"], second["attempts"]) == (True, False, 2)
    assert second["retry_of"] == f"{broken['topic']}/{broken['partition']}/{broken['offset']}"

    assert "0 sent again, 2 passed over" in dlq(stream, "retry", "--reason", "too_late")
    assert "1 sent again, 0 passed over" in dlq(stream, "retry", first["letter"], "--again")
    assert "2 sent again, 0 passed over" in dlq(stream, "retry", "--reason", "too_late", "--again")
    stream.wait()
    assert differences(stream.credits(), want) == ""
    assert len(listed(stream, "--reason", "too_late")) == 2


def test_wrong_words_are_told_with_the_way_out(stream: Stream) -> None:
    assert "0 of 0" in dlq(stream, "list")
    assert "PARTITION@OFFSET" in dlq(stream, "show", "seventeen", code=2)
    assert "no such letter" in dlq(stream, "show", "0@17", code=1)
    assert "no such letter" in dlq(stream, "retry", "0@17", code=1)
    assert "reasons are empty, undecodable" in dlq(stream, "retry", "--reason", "to_late", code=2)
    assert "--all" in dlq(stream, "retry", code=2)
    assert "an ISO time" in dlq(stream, "list", "--since", "yesterday", code=2)
