"""Fault 6: the same events in other orders, more often, and one topic long after the other: the same rows, one hash."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from fault_run import FaultRun, MakeRun, population
from loadgen.records import Record

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.faults, pytest.mark.timeout(600)]

COUNT = 4_000


def shuffled(records: list[Record], rng: random.Random) -> list[list[Record]]:
    """A tenth once more, then any order: touches come after their conversions, corrections before."""
    again = [r for r in records if not r.is_malformed and rng.random() < 0.1]
    mixed = [*records, *again]
    rng.shuffle(mixed)
    return [mixed]


def delayed(records: list[Record], _: random.Random) -> list[list[Record]]:
    """All conversions are read to their end before the first touchpoint is sent."""
    return [[r for r in records if r.kind != "touchpoint"], [r for r in records if r.kind == "touchpoint"]]


def as_it_is(records: list[Record], _: random.Random) -> list[list[Record]]:
    return [records]


@pytest.mark.parametrize("seed", [71, 72])
def test_every_order_of_arrival_gives_the_same_rows(
    make_run: MakeRun, new_database: Callable[[str], str], clickhouse_url: str, seed: int
) -> None:
    """Four runs over one set of events."""
    hashes = {}
    orders = {"as it is": as_it_is, "shuffled 1": shuffled, "shuffled 2": shuffled, "one topic late": delayed}
    for number, (name, order) in enumerate(orders.items()):
        run: FaultRun = make_run(6, name, seed, database=new_database(clickhouse_url))
        # spend is last-write-wins by arrival: it keeps its order
        records = [r for r in population(COUNT, seed) if r.kind != "spend"]
        for part in order(records, random.Random(seed + number)):
            run.send(part)
            if not run.stream.workers:
                run.start()
            run.drain()
            run.watch.sample()
        run.finish()
        assert run.judge().broken == [], (name, run.result.violations)
        hashes[name] = hashlib.sha256(repr(sorted(run.observer.rows())).encode()).hexdigest()

    assert len(set(hashes.values())) == 1, hashes
