"""ClickHouse goes away while events pour in: reading pauses, memory stays, nothing is dropped, a stop does not hang."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from embedded.clickhouse import ClickHouse
from simulated import Input, assert_converged, simulated
from stream_app.exits import FAIL_STOP
from stream_harness import Stream

pytestmark = [pytest.mark.faults]

ENV = {"ATTRIBUTION_EPOCH_RECORDS": "1000", "ATTRIBUTION_FETCH_BYTES": "65536"}


@pytest.fixture
def engine(stack_directory: Path) -> Iterator[ClickHouse]:
    """One of this test's own, which may go away."""
    with ClickHouse(stack_directory / "outage", log=stack_directory / "outage.log") as found:
        yield found


@pytest.fixture
def stream(kafka_bootstrap: str, engine: ClickHouse, tmp_path: Path) -> Iterator[Stream]:
    migrate(ClickHouseSettings(url=engine.url, database="outage"))
    found = Stream(kafka_bootstrap, engine.url, "outage", tmp_path)
    yield found
    found.close()


def wait_for_state(stream: Stream, wanted: str) -> None:
    status = stream.data_dir(0) / "status.json"
    wait_until(lambda: json.loads(status.read_text())["state"] == wanted, stream)


def wait_until(is_so: Callable[[], bool], stream: Stream) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)


def peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_events_wait_in_kafka_while_clickhouse_is_away(stream: Stream, engine: ClickHouse) -> None:
    data: Input = simulated(50_000, seed=17)
    begin = 10_000
    stream.produce(data.sent()[:begin])
    worker = stream.start(env=ENV)
    stream.wait()
    peak_before = peak_kb(worker.pid)
    engine.stop()
    wait_for_state(stream, "sink_unreachable")
    assert not stream.is_ready()
    stream.produce(data.sent()[begin:])
    time.sleep(3)  # time in which a worker that did not pause would read all of it
    assert stream.lag() == len(data.records) - begin
    assert peak_kb(worker.pid) < peak_before * 1.5

    assert stream.stop(0, timeout=20) == FAIL_STOP, stream.log_tail()
    stream.start(env=ENV)
    log = stream.folder / "worker-0.log"
    wait_until(lambda: log.read_text().count("Waiting for ClickHouse") == 2, stream)
    engine.spawn().wait()
    wait_for_state(stream, "ready")
    stream.wait()

    assert_converged(stream, data)
    assert log.read_text().count("ClickHouse is back after") == 1
