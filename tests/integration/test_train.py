"""``attribution train`` end to end: journeys, a fit, its record, the worker that divides by it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.clickhouse_store import ClickHouseStore
from api.fit_routes import report
from attribution.config import DAY_US
from clickhouse.settings import ClickHouseSettings
from datadriven.credits import channel_effects
from datadriven.hazard import removal_effects
from datadriven.parameters import Parameters, decode
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
    assert row["model_version"] == newest.version
    assert row["weights"] == shared([effects[channel] for channel in row["path"]])


def test_the_other_methods_divide_by_what_they_learned(stream: Stream) -> None:
    """Ordered Shapley by the rank of each channel, the learned model by what is lost without the touch."""
    stream.start(env=MODELS)
    stream.produce(buyers(900))
    stream.wait()
    fits = {name: published(stream, name) for name in ("ordered_shapley", "learned")}

    ordered = fits["ordered_shapley"]
    row = credit(stream, ordered)
    effects = dict(zip(ordered.channels, ordered.effects, strict=True))
    assert row["model_version"] == ordered.version
    assert row["weights"] == shared([effects[f"{rank}:{name}"] for rank, name in enumerate(row["path"], start=1)])
    shares = {share.channel: share for share in report(ordered, is_in_force=True).channels}
    assert set(row["path"]) <= set(shares)
    assert all(share.low is not None and share.low <= share.share for share in shares.values())

    learned = fits["learned"]
    row = credit(stream, learned)
    assert learned.curve is not None
    assert row["model_version"] == learned.version
    places = [learned.channels.index(name) for name in row["path"]]
    assert row["weights"] == shared(list(removal_effects(learned.curve, places, [0, 1])))


def buyers(customers: int) -> list[Sent]:
    """Each with a touch of ``often`` or ``rarely``, which say how often they buy, and most with a second one."""
    rng, now_us = random.Random(1), time.time_ns() // 1_000
    touches, sales = [], []
    for number in range(customers):
        key, at_us = f"b{number}".encode(), now_us - rng.randrange(2 * DAY_US, 6 * DAY_US)
        names = [rng.choice(("often", "rarely")), *(["also"] if rng.random() < 0.6 else [])]
        for i, name in enumerate(names):
            touch = {"event_id": f"b{number}-t{i}", "customer_id": key.decode(), "channel": name}
            touches.append(
                Sent("touchpoint", key, json.dumps({**touch, "occurred_at": at_us + i * 1_000_000}).encode())
            )
        if rng.random() < (0.8 if "often" in names else 0.2):
            sale = {"event_id": f"b{number}-c", "customer_id": key.decode(), "conversion_type": "purchase", "value": 1}
            sales.append(Sent("conversion", key, json.dumps({**sale, "occurred_at": at_us + 60_000_000}).encode()))
    return [*touches, *sales]


def published(stream: Stream, method: str) -> Parameters:
    """The newest fit, once the worker has it."""
    told = train(stream, "--method", method, "--minimum", "50", "--lead", "0", "--json")
    assert told.returncode == 0, told.stderr
    fit = decode(msgspec.json.encode(json.loads(told.stdout), order="sorted"))
    assert (fit.status, fit.method) == ("ok", method)
    log = stream.folder / "worker-0.log"
    wait_until(lambda: f"Fit {fit.version}" in log.read_text(), stream)
    return fit


def shared(effects: list[int]) -> list[float]:
    positive = [max(0, effect) for effect in effects]
    return [part / sum(positive) for part in positive]


def credit(stream: Stream, fit: Parameters) -> dict[str, Any]:
    """The row of a conversion of two channels that was made when the fit begins to count."""
    at_us, customer = fit.effective_from_us, fit.method
    strongest = sorted(channel_effects(fit).items(), key=lambda pair: -pair[1].effect)
    touches = [
        {"event_id": f"{customer}-t{i}", "customer_id": customer, "occurred_at": at_us - DAY_US + i, "channel": name}
        for i, (name, _) in enumerate(strongest[:2])
    ]
    conversion = {"event_id": f"{customer}-c", "customer_id": customer, "occurred_at": at_us, "value": 1}
    stream.produce([Sent("touchpoint", customer.encode(), json.dumps(t).encode()) for t in touches])
    stream.wait()
    stream.produce(
        [Sent("conversion", customer.encode(), json.dumps({**conversion, "conversion_type": "purchase"}).encode())]
    )
    stream.wait()
    sql = """
        SELECT a.model_version AS model_version, a.path AS path, w.weights AS weights
        FROM
            (SELECT * FROM conversions_attributed WHERE model = 'data_driven' AND customer_id = {customer:String}) AS a
        JOIN
        (
            SELECT conversion_id, groupArray(weight) AS weights
            FROM
            (
                SELECT * FROM credits
                WHERE model = 'data_driven' AND customer_id = {customer:String} ORDER BY position
            )
            GROUP BY conversion_id
        ) AS w USING (conversion_id)
    """
    (found,) = stream.client().query(sql, {"customer": customer}).named_results()
    return dict(found)


def wait_until(is_so: Any, stream: Stream) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--method", "magic"), "--method='magic': give one of markov, shapley, ordered_shapley, learned"),
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
