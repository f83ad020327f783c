"""The catalogue keeps its own rules, the text is Prometheus', and sums are kept however many threads add."""

from __future__ import annotations

import re
import subprocess
import threading
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from schemas.events import EventKind
from schemas.reasons import DROP_REASONS
from stream_app.batch import Stages
from stream_app.readiness import WHY
from telemetry.catalogue import COMMON, PROGRAMS, SERVED, all_metrics
from telemetry.metric import WORK_S, Metric
from telemetry.metrics import Metrics
from telemetry.pages import with_tables
from telemetry.worker_metrics import KINDS, STAGES, STATES, WORKER

FORBIDDEN_LABELS = {"customer_id", "event_id", "order_id", "path", "user", "key", "query_id", "offset"}


def shown(metrics: Metrics[str]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples as Prometheus' own parser reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }


@pytest.mark.parametrize(("name", "metric"), sorted(all_metrics().items()))
def test_a_name_says_kind_and_unit_and_no_label_says_who(name: str, metric: Metric) -> None:
    """Prometheus' conventions; documentation in one sentence; bounded labels."""
    assert re.fullmatch(r"attribution_[a-z_]+", name)
    assert name.endswith("_total") is (metric.kind == "counter")
    if metric.unit in {"seconds", "bytes", "micros", "rows"}:
        assert re.search(rf"_{metric.unit}(_total)?$", name), metric.unit
    assert metric.meaning.endswith(".")
    assert bool(metric.buckets) is (metric.kind == "histogram")
    assert all(a < b for a, b in pairwise(metric.buckets))
    assert not FORBIDDEN_LABELS & set(metric.labels)
    assert all(len(values) == len(metric.labels) for values in metric.series)


def test_each_metric_belongs_to_one_program() -> None:
    names = [name for metrics in (COMMON, *PROGRAMS.values()) for name in metrics]
    assert len(names) == len(set(names)) == len(all_metrics())
    assert set(SERVED) == set(PROGRAMS)
    for program, metrics in PROGRAMS.items():
        assert all(name.startswith(f"attribution_{program}_") for name in metrics)


def test_what_is_known_beforehand_is_what_the_worker_has() -> None:
    """States, stages, kinds of events, reasons to drop: the catalogue names them without importing the worker."""
    assert set(STATES) == set(WHY)
    assert Stages._fields == STAGES
    assert set(KINDS) == set(get_args(EventKind))
    assert {labels[0] for labels in WORKER["attribution_worker_dropped_total"].series} == DROP_REASONS


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_promtool_finds_nothing_to_complain_of(program: str) -> None:
    """`promtool check metrics` reads the text of a program that has shown one value of everything."""
    metrics: Metrics[str] = Metrics(PROGRAMS[program], program)  # type: ignore[index]  # sorted names of programs
    for name, metric in PROGRAMS[program].items():  # type: ignore[index]  # same
        labels = ["x"] * len(metric.labels)
        if metric.kind == "histogram":
            metrics.observe(name, 0.01, *labels)
        else:
            metrics.add(name, *labels)
    done = subprocess.run(
        ["/usr/bin/promtool", "check", "metrics"], input=metrics.text(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {name for name, _ in shown(metrics)} >= {
        f"{n}_count" if m.kind == "histogram" else n
        for n, m in {**COMMON, **PROGRAMS[program]}.items()  # type: ignore[index]
    }


TWO: dict[str, Metric] = {
    "a_total": Metric("counter", ("x",), "1", "A."),
    "b": Metric("gauge", (), "1", "B."),
    "c_seconds": Metric("histogram", ("x",), "seconds", "C.", WORK_S),
}


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(['"', "\\", "\n", "p"]), st.floats(0, 20), st.integers(1, 9)), max_size=30),
)
def test_histograms_hold_every_value_once_per_weight(values: list[tuple[str, float, int]]) -> None:
    """Any label text survives; buckets are cumulated, and the last one is the count."""
    metrics = Metrics(TWO, "test")
    for label, value, weight in values:
        metrics.observe("c_seconds", value, label, weight=weight)
    seen = shown(metrics)
    for label in {label for label, _, _ in values}:
        of_label = [(value, weight) for of, value, weight in values if of == label]
        for bound in (*WORK_S, float("inf")):
            le = "+Inf" if bound == float("inf") else str(bound)
            count = seen["c_seconds_bucket", frozenset({("x", label), ("le", le)})]
            assert count == sum(weight for value, weight in of_label if value <= bound)
        total = seen["c_seconds_sum", frozenset({("x", label)})]
        assert total == pytest.approx(sum(value * weight for value, weight in of_label))


def test_no_addition_is_lost_between_threads() -> None:
    metrics = Metrics(TWO, "test")

    def work() -> None:
        for _ in range(2_000):
            metrics.add("a_total", "x")
            metrics.observe("c_seconds", 0.1, "x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = shown(metrics)
    assert seen["a_total", frozenset({("x", "x")})] == 8_000
    assert seen["c_seconds_count", frozenset({("x", "x")})] == 8_000


def test_series_that_are_replaced_are_shown_no_more_and_a_failing_watch_costs_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Partitions that went must not stay at their last lag."""
    metrics = Metrics(TWO, "test")
    metrics.put("a_total", 1, "gone")
    metrics.replace("a_total", {("new",): 2.0})
    metrics.watch(lambda: metrics.put("b", 3))
    metrics.watch(lambda: 1 / 0)  # type: ignore[arg-type]  # it fails
    seen = shown(metrics)
    assert {labels for name, labels in seen if name == "a_total"} == {frozenset({("x", "new")})}
    assert seen["b", frozenset()] == 3
    assert "could not be read" in caplog.text


def test_the_page_has_the_tables_of_the_catalogue() -> None:
    """Renew it by `python -m telemetry.pages`."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == with_tables(page)
    assert all(f"| `{name}` |" in page for name in all_metrics())
