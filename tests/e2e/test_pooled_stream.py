"""What a pooled run leaves in ClickHouse is what the batch says of the events in its truth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from loadgen.config import PopulationConfig
from loadgen.pool import Pool
from loadgen.population import Population
from loadgen.producer import Sender
from schemas.topics import topic_of
from simulated import START_US, Input, assert_converged
from stream_harness import Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def test_three_laps_through_the_stream_equal_the_batch(stream: Stream) -> None:
    """Through the real sender, partitioned by it; refunds, duplicates, late and malformed records in every lap."""
    config = PopulationConfig(customers=2_000, refunds=0.08, late=0.05, malformed=0.02)
    pool = Pool(Population(config, seed=5, start_at_us=START_US, live_rate=0.01), 5_000)
    sent = 2 * len(pool) + 2_500
    topics = {topic_of(kind).topic: stream.topics[kind] for kind in ("touchpoint", "conversion", "spend")}
    outgoing = (out._replace(topic=topics[out.topic]) for out in islice(pool.outgoing(), sent))

    report = Sender(stream.bootstrap).send(outgoing)
    stream.start()
    stream.wait()
    code = stream.stop(0)

    assert report.sent == sent
    assert code == 0, stream.log_tail()
    records = list(pool.records(sent))
    data = Input([*records])
    distinct = {(r.key, r.value) for r in records if r.is_malformed}
    assert len(distinct) * 2 < len(data.malformed()) * 3  # the same broken bytes come in every lap
    assert_converged(stream, data)
