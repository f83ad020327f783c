"""``attribution train`` end to end: journeys, a fit, its record, the worker that divides by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.clickhouse_store import ClickHouseStore
from api.fit_routes import report
from attribution.config import DAY_US
from clickhouse.settings import ClickHouseSettings
from datadriven.parameters import Parameters
from schemas.events import ConversionWireEvent
from simulated import Input, simulated
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

MODELS = {"ATTRIBUTION_DEFAULT_MODELS": "linear,data_driven", "ATTRIBUTION_LOOKBACK_WINDOW_DAYS": "7"}


@pytest.fixture
def stream(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Stream]:
    found = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    yield found
    found.close()


def train(stream: Stream, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", "train", "--closed-after-days", "0.1", "--replicates", "20", *options],
        env={**os.environ, **stream.environment(0), **MODELS},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def count(records: Input) -> int:
    return len({r.event.event_id for r in records.records if isinstance(r.event, ConversionWireEvent)})


def test_a_fit_is_trained_published_and_divides_what_comes_after_it(stream: Stream) -> None:
    population = simulated(12_000, seed=4, customers=2_500)
    stream.start(env=MODELS)
    stream.produce(population.sent())
    stream.wait()

    few = train(stream, "--minimum", "100000", "--lead", "0", "--json")
    assert few.returncode == 0, few.stderr
    refused = json.loads(few.stdout)
    assert (refused["status"], refused["reason"], refused["effects"]) == ("insufficient_data", "few_conversions", [])

    again = train(stream, "--minimum", "50", "--lead", "0")
    assert again.returncode == 0, again.stderr
    assert "95%:" in again.stdout
    assert "rank kept in" in again.stdout

    store = ClickHouseStore(ClickHouseSettings(url=stream.clickhouse_url, database=stream.database))
    newest, first = store.fits(10)
    store.close()
    assert first.version == refused["version"]
    assert 100 < newest.conversions < count(population)
    assert newest.nulls > 100
    shown = report(newest, is_in_force=True)
    assert abs(sum(c.share for c in shown.channels) - 1) < 1e-6
    assert all(c.low is not None and c.high is not None and c.low <= c.high for c in shown.channels)

    log = stream.folder / "worker-0.log"
    wait_until(lambda: f"Fit {newest.version}" in log.read_text(), stream)
    row = credit(stream, newest)
    effects = dict(zip(newest.channels, newest.effects, strict=True))
    parts = [max(0, effects[channel]) for channel in row["path"]]
    assert row["model_version"] == newest.version
    assert row["weights"] == [part / sum(parts) for part in parts]


def credit(stream: Stream, fit: Parameters) -> dict[str, Any]:
    """The row of a conversion of two channels that was made after the fit counts."""
    now_us = max(time.time_ns() // 1_000, fit.effective_from_us)
    names = sorted(fit.channels, key=lambda name: -fit.effects[fit.channels.index(name)])[:2]
    touches = [
        {"event_id": f"fresh-t{i}", "customer_id": "fresh", "occurred_at": now_us - DAY_US + i, "channel": name}
        for i, name in enumerate(names)
    ]
    conversion = {"event_id": "fresh-c", "customer_id": "fresh", "occurred_at": now_us, "conversion_type": "purchase"}
    stream.produce([Sent("touchpoint", b"fresh", json.dumps(t).encode()) for t in touches])
    stream.wait()
    stream.produce([Sent("conversion", b"fresh", json.dumps({**conversion, "value": 1, "currency": "USD"}).encode())])
    stream.wait()
    sql = """
        SELECT a.model_version AS model_version, a.path AS path, w.weights AS weights
        FROM (SELECT * FROM conversions_attributed WHERE model = 'data_driven' AND customer_id = 'fresh') AS a
        JOIN
        (
            SELECT conversion_id, groupArray(weight) AS weights
            FROM (SELECT * FROM credits WHERE model = 'data_driven' AND customer_id = 'fresh' ORDER BY position)
            GROUP BY conversion_id
        ) AS w USING (conversion_id)
    """
    (found,) = stream.client().query(sql).named_results()
    return dict(found)


def wait_until(is_so: Any, stream: Stream) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--method", "magic"), "--method='magic': give markov or shapley"),
        (("--fallback", "magic"), "--fallback: "),
        (("--every", "1x"), "--every='1x': give a time from 10s to 366d"),
    ],
)
def test_wrong_input_is_told_and_nothing_published(stream: Stream, option: tuple[str, str], message: str) -> None:
    found = train(stream, *option)

    assert found.returncode == 2
    assert message in found.stderr


def test_without_a_worker_it_says_what_is_missing(stream: Stream) -> None:
    found = train(stream)

    assert found.returncode == 1
    assert "start its worker" in found.stderr
