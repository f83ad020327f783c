"""Fits are published while a worker runs and is killed; every conversion is divided by the fit of its time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import Producer

from attribution.config import AttributionConfig
from attribution.fitted import Fit
from datadriven.credits import CreditRule
from datadriven.parameters import Parameters, encode, sealed
from schemas.events import ConversionWireEvent
from simulated import Input, simulated
from stream_harness import Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

CONFIG = AttributionConfig(models=("linear", "data_driven"))
SETTINGS = {"ATTRIBUTION_DEFAULT_MODELS": "linear,data_driven"}
RECORDS = 6_000
#: Conversions whose version is not that of the newest fit in force; of a version per fit, conversions.
VERSIONS = """
    SELECT model_version, count(), min(toUnixTimestamp64Micro(converted_at)), max(toUnixTimestamp64Micro(converted_at))
    FROM conversions_attributed WHERE model = 'data_driven' AND touchpoints > 0 GROUP BY model_version
"""


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def publish(stream: Stream, from_us: int, effects: dict[str, int]) -> Fit:
    draft = Parameters(
        method="markov",
        status="ok" if effects else "insufficient_data",
        reason="" if effects else "few_conversions",
        fallback="u_shaped",
        order=1,
        channels=tuple(sorted(effects)),
        effects=tuple(effects[name] for name in sorted(effects)),
        conversions=0,
        nulls=0,
        settings={},
        quality={},
        trained_from_us=0,
        trained_to_us=0,
        effective_from_us=from_us,
    )
    parameters = sealed(draft)
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    producer.produce(stream.topics["model"], encode(parameters), parameters.version.encode())
    assert producer.flush(30) == 0
    return Fit(parameters.version, from_us, CreditRule(parameters))


def wait_for_log(stream: Stream, text: str) -> None:
    log, deadline = stream.folder / "worker-0.log", time.monotonic() + 120
    while text not in log.read_text():
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)


def times(records: Input) -> list[int]:
    return sorted(r.event.occurred_at_us for r in records.records if isinstance(r.event, ConversionWireEvent))


def test_each_conversion_is_divided_by_the_fit_of_its_time(stream: Stream) -> None:
    population = simulated(RECORDS, seed=9, customers=800)
    first, second = Input(population.records[: RECORDS // 2]), Input(population.records[RECORDS // 2 :])
    early = times(first)
    fits = [
        publish(stream, early[len(early) // 3], {"paid_search": 5, "email": 3, "display": 1}),
        publish(stream, early[len(early) * 2 // 3], {}),
    ]
    stream.start(env=SETTINGS)
    stream.produce(first.sent())
    stream.wait()
    fits.append(publish(stream, early[-1] + 1, {"paid_social": 1 << 30, "organic_search": 77, "email": 0}))
    wait_for_log(stream, f"Fit {fits[-1].version}")
    stream.produce(second.sent())
    time.sleep(0.3)
    stream.stop(0, signal.SIGKILL)
    stream.start(env=SETTINGS)
    stream.wait()

    assert stream.stop(0) == 0, stream.log_tail()
    assert differences(stream.credits(), population.expected(CONFIG, fits)) == ""
    spans = {row[0]: row[1:] for row in stream.client().query(VERSIONS).result_rows}
    in_order = [spans.pop(version) for version in ("", *(fit.version for fit in fits))]
    assert spans == {}
    assert all(one[2] < other[1] for one, other in pairwise(in_order))
    assert min(one[0] for one in in_order) > 10


def test_a_worker_that_would_miss_a_fit_does_not_start(stream: Stream) -> None:
    producer = Producer({"bootstrap.servers": stream.bootstrap})
    producer.produce(stream.topics["model"], b'{"version":"x","effects":[]}', b"x")
    producer.flush(30)
    worker = stream.start(env=SETTINGS)

    assert worker.wait(60) != 0
    log = stream.log_tail()
    assert "(Object missing required field `method`)" in log
    assert "a record with this key and no value takes it back" in log

    producer.produce(stream.topics["model"], None, b"x")
    producer.flush(30)
    stream.start(env=SETTINGS)
    wait_for_log(stream, "0 fits of the data-driven model")
