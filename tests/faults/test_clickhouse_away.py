"""Fault 4: ClickHouse is away, slow, cut off in the middle of a body, or answers and nobody hears it.

Twenty outages in one run. An outage counts only if an insert met it; of lost answers the engine has done the insert, so
the retry is a duplicate attempt. Trouble of ClickHouse must never make a dead letter (I1 says so).
"""

from __future__ import annotations

import os
import random
import time

import pytest

from fault_run import FaultRun, MakeRun, population
from proxy import ACTIONS, Action, Proxy

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]

OUTAGES = int(os.environ.get("ATTRIBUTION_FAULT_OUTAGES", "20"))
#: As ``ports down``: nobody listens, for longer than a worker's session.
KINDS = (*ACTIONS, "down")


def inflict(run: FaultRun, proxy: Proxy, kind: str, rng: random.Random) -> None:
    """One outage, which ends only after some inserts have met it."""
    before = sum(proxy.done.values())
    if kind == "down":
        proxy.down()
        time.sleep(rng.uniform(0.5, 2.5))
        proxy.up()
    else:
        hits = rng.randint(1, 4)
        left = [hits]

        def plan(_: str) -> Action:
            left[0] -= 1
            return kind if left[0] >= 0 else "pass"  # type: ignore[return-value]  # one of ACTIONS

        proxy.plan = plan
        deadline = time.monotonic() + 60
        while left[0] > 0:
            assert time.monotonic() < deadline, f"no insert met the outage {kind}\n{run.stream.log_tail()}"
            time.sleep(0.05)
    deadline = time.monotonic() + 60
    while sum(proxy.done.values()) == before:  # the worker is back at work
        assert time.monotonic() < deadline, run.stream.log_tail()
        time.sleep(0.05)
    run.count(f"outages: {kind}")


def with_outages(make_run: MakeRun, clickhouse_url: str, seed: int, kinds: list[str]) -> FaultRun:
    with Proxy(clickhouse_url) as proxy:
        run: FaultRun = make_run(4, "ClickHouse away", seed, url=proxy.url, observer_url=clickhouse_url)
        rng, records = random.Random(seed), population(24_000, seed)
        run.start(env={"CLICKHOUSE_SEND_RECEIVE_TIMEOUT_S": "5"})
        for kind in kinds:
            run.top_up(records, 1_500)
            inflict(run, proxy, kind, rng)
            run.watch.sample()
        run.finish()
        run.count("answers lost after the insert", proxy.done["lose"])
    assert run.stream.exits == [0], "an outage must not end the worker"
    assert run.judge(replay=False).broken == [], run.result.violations
    return run


def test_an_answer_lost_after_the_insert_doubles_nothing(make_run: MakeRun, clickhouse_url: str) -> None:
    """The short selection: every kind of outage once, lost answers twice."""
    run = with_outages(make_run, clickhouse_url, 41, ["lose", *KINDS])

    assert run.result.counts["answers lost after the insert"] >= 2


@pytest.mark.faults
def test_many_outages_lose_nothing_and_double_nothing(make_run: MakeRun, clickhouse_url: str) -> None:
    """Every kind in turn, shuffled by the seed."""
    kinds = [KINDS[i % len(KINDS)] for i in range(OUTAGES)]
    random.Random(42).shuffle(kinds)
    run = with_outages(make_run, clickhouse_url, 42, kinds)

    assert sum(n for what, n in run.result.counts.items() if what.startswith("outages")) == OUTAGES
