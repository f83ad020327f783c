"""The size of an epoch follows the backlog, in a real worker: told by its own log, without a clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulated import simulated
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def epochs(stream: Stream) -> list[int]:
    """Sizes of the committed epochs."""
    log = (stream.folder / "worker-0.log").read_text()
    return [int(size) for size in re.findall(r"Epoch of (\d+) records", log)]


def test_a_backlog_makes_few_large_epochs_and_single_records_small_ones(stream: Stream) -> None:
    """Twenty thousand waiting records, then three alone."""
    total = stream.produce(simulated(20_000, seed=3).sent())
    stream.start()
    stream.wait()
    behind = epochs(stream)
    single = [Sent("touchpoint", b"ada", b'{"event_id":"t%d","customer_id":"ada","occurred_at":%d,"channel":"email"}')]
    for number in range(3):
        stream.produce([Sent(r.kind, r.key, r.value % (number, 1_790_000_000_000 + number)) for r in single])
        stream.wait()
    code = stream.stop(0)
    idle = epochs(stream)[len(behind) :]

    assert code == 0, stream.log_tail()
    assert sum(behind) == total
    assert len(behind) <= 8
    assert max(behind) >= total // 4
    assert idle == [1, 1, 1]
