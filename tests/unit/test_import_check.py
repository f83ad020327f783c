"""The comparison of ``attribution bench import`` finds what is missing or wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from attribution.config import AttributionConfig
from cli import import_check
from cli.import_check import SLICES, Truth, check
from cli.import_load import CALL, calls_of, taken
from clickhouse import queries
from loadgen.config import PopulationConfig
from loadgen.population import Population
from simulated import START_US

CONFIG = AttributionConfig()
POPULATION = Population(PopulationConfig(customers=60, malformed=0.0, avro=0.0), seed=3, start_at_us=START_US)
TRUTH = Truth(taken(POPULATION.again(), 1_500))

Change = Callable[[str, list[dict[str, Any]]], None]


def answers(change: Change) -> Callable[..., list[dict[str, Any]]]:
    """An engine that holds what the batch says, changed."""

    def run(_client: Any, name: str, /, **bound: Any) -> list[dict[str, Any]]:
        if name == "bench_import_facts":
            rows = [{"kind": kind, **facts._asdict()} for kind, facts in TRUTH.facts.items()]
        else:
            found = TRUTH.credits(bound["slice"], CONFIG)
            names = ("value_micros", "models", "ids", "channels", "weights", "micros")
            rows = [
                {"conversion_id": i, **dict(zip(names, import_check._expected(c), strict=True))}
                for i, c in found.items()
            ]
        change(name, rows)
        return rows

    return run


def nothing(_name: str, _rows: list[dict[str, Any]]) -> None:
    return


def a_micro_more(name: str, rows: list[dict[str, Any]]) -> None:
    if name == "bench_import_rows" and rows:
        rows[0]["micros"][0][0] += 1


def a_row_less(name: str, rows: list[dict[str, Any]]) -> None:
    if name == "bench_import_rows" and rows:
        rows.pop()


def another_id(name: str, rows: list[dict[str, Any]]) -> None:
    if name == "bench_import_facts":
        rows[0]["checksum"] += 1


def test_what_is_equal_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "run", answers(nothing))
    assert check(None, TRUTH, CONFIG) == sum(len(TRUTH.credits(i, CONFIG)) for i in range(SLICES)) > 50


@pytest.mark.parametrize("change", [a_micro_more, a_row_less, another_id])
def test_what_differs_is_told(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "run", answers(change))
    with pytest.raises(RuntimeError, match=r"differ|holds"):
        check(None, TRUTH, CONFIG)


def test_every_event_is_in_one_call_of_its_kind() -> None:
    records = list(taken(POPULATION.again(), CALL + 5_000))
    calls = list(calls_of(iter(records)))
    assert sum(call.events for call in calls) == len(records) == CALL + 5_000
    assert max(call.events for call in calls) == CALL
    assert {call.path.rpartition("/")[2] for call in calls} == {"touchpoints", "conversions"}
