"""A worker that hangs in earnest ends itself, with the stacks in its log, and the next one loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.ports import free_port
from stream_app import exits
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

#: The real worker, but that its first insert never returns.
HANGS = """
import threading
from stream_app.rows import RowWriter
RowWriter.write = lambda self, batch: print("hanging", flush=True) or threading.Event().wait()
from cli.__main__ import main
main()
"""


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def start_hanging(stream: Stream, log: Path, **more: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-c", HANGS, "worker"],
            env={**os.environ, **stream.environment(0), **more},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 120
    while "hanging" not in log.read_text():
        assert worker.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return worker


def test_a_stuck_worker_ends_by_the_watchdog_and_a_stuck_stop_by_its_deadline(stream: Stream, tmp_path: Path) -> None:
    body = {"event_id": "k1", "customer_id": "ada", "occurred_at": "2026-09-10T12:00:00Z", "value": "1"}
    stream.produce([Sent("conversion", b"ada", json.dumps({**body, "currency": "USD"}).encode())])
    cases = (
        ("ATTRIBUTION_WATCHDOG_S", "5", exits.NO_PROGRESS, "records wait to be read"),
        ("ATTRIBUTION_STOP_TIMEOUT_S", "1", exits.STOP_TIMED_OUT, "the stop did not end in time"),
    )
    for name, value, code, words in cases:
        log = tmp_path / f"{code}.log"
        worker = start_hanging(stream, log, **{name: value})
        if code == exits.STOP_TIMED_OUT:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == code, log.read_text()
        assert words in log.read_text()
        assert "most recent call first" in log.read_text()
        assert json.loads((stream.data_dir(0) / "status.json").read_text())["pid"] == worker.pid

    # whoever reads its metrics from the first moment on does not keep it from an orderly stop
    stream.start(env={"ATTRIBUTION_METRICS_PORT": str(free_port())})
    stream.wait()
    assert set(stream.credits()) == {"k1"}
    assert stream.stop(0) == 0, stream.log_tail()
