"""One running stack, watched by a real Prometheus and a collector of traces: what is promised can be seen."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import httpx
import jsonschema
import pytest
from observed_stack import SECRET, Observed, observed_stack

from telemetry.catalogue import COMMON, PROGRAMS, all_metrics
from telemetry.metric import Metric

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

LINE = jsonschema.Draft202012Validator(json.loads((files("telemetry") / "log_line.schema.json").read_text()))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
NOW_US = time.time_ns() // 1_000
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Started once, with a few requests behind it that make rare series appear."""
    with observed_stack(tmp_path_factory.mktemp("observed")) as stack:
        httpx.get(f"{stack.api.base_url}/api/v1/data/status", timeout=30)  # nobody: 401
        stack.api.get("/api/v1/data/status").raise_for_status()
        traced = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        touch = {"customer_id": "traced", "channel": "Email", "occurred_at": NOW_US - 60_000_000}
        stack.api.post(
            "/api/v1/data/touchpoints",
            json=[
                {"event_id": "tr-new", **touch},
                {"event_id": "tr-late", **touch, "occurred_at": NOW_US - 400 * DAY_US},
                {"event_id": "tr-bad"},
            ],
            headers=traced,
        ).raise_for_status()
        # a later epoch: a touch is late behind the newest event that is stored
        order = {"messageId": "tr-order", "userId": "traced", "event": "Order Completed"}
        order["properties"] = {"order_id": "tr-1", "total": 10, "currency": "USD"}  # type: ignore[assignment]  # nested
        answer = httpx.post(
            f"{stack.api.base_url}/v1/track", json=order, headers=traced, auth=(stack.key, ""), timeout=30
        )
        assert answer.json()["accepted"] == 1, answer.text
        yield stack


def test_a_real_prometheus_finds_every_metric_of_the_catalogue(stack: Observed) -> None:
    """By the program that the catalogue says, through Prometheus' own HTTP API; every target is up."""
    deadline = time.monotonic() + 120
    while missing := _missing(stack):
        _send_late(stack)
        assert time.monotonic() < deadline, missing
        time.sleep(1)
    up = {r["metric"]["job"]: float(r["value"][1]) for r in stack.ask("query", query="up")["result"]}
    assert up == dict.fromkeys(PROGRAMS, 1.0)
    assert len(all_metrics()) > 40


def _missing(stack: Observed) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for series in stack.ask("query", query='{__name__=~"attribution_.*"}')["result"]:
        found[series["metric"]["job"]].add(series["metric"]["__name__"])
    wanted = {program: [*COMMON, *metrics] for program, metrics in PROGRAMS.items()}
    missing = {p: [n for n in names if not _is_there(n, all_metrics()[n], found[p])] for p, names in wanted.items()}
    return {program: names for program, names in missing.items() if names}


def _is_there(name: str, metric: Metric, found: set[str]) -> bool:
    if metric.kind == "histogram":
        return {f"{name}_bucket", f"{name}_sum", f"{name}_count"} <= found
    return name in found


def _send_late(stack: Observed) -> None:
    """Too late for a customer whose newest event is stored by now."""
    late = {"event_id": f"late-{time.time_ns()}", "customer_id": "traced", "channel": "Email"}
    stack.api.post("/api/v1/data/touchpoints", json=[late | {"occurred_at": NOW_US - 400 * DAY_US}]).raise_for_status()


def test_what_it_shows_is_what_happened(stack: Observed) -> None:
    """Counts of Prometheus beside those of the database; money adds up; alerts are loaded and can be computed."""
    query = "sum(attribution_worker_dead_letters_total)"
    deadline = time.monotonic() + 120
    while True:
        shown = _value(stack, query)
        stored = float(stack.sql("SELECT count() AS n FROM dead_letters FINAL")[0]["n"])
        later = _value(stack, query)
        if shown and shown <= stored <= later + 30:
            break
        assert time.monotonic() < deadline, (shown, stored, later)
    assert _value(stack, "sum(attribution_worker_conservation_error_micros_total)") == 0
    assert _value(stack, "max(attribution_rollups_conservation_error_micros)") == 0
    assert _value(stack, "attribution_worker_partitions") == 4
    assert 0 < _value(stack, "max(attribution_canary_age_seconds)") < 30
    assert _value(stack, "max(attribution_worker_lag_seconds)") < 30
    assert abs(time.time() - _value(stack, "attribution_worker_commit_timestamp_seconds")) < 60
    assert abs(time.time() - _value(stack, "max(attribution_worker_watermark_timestamp_seconds)")) < 86_400
    rules = [r for group in stack.ask("rules")["groups"] for r in group["rules"]]
    assert len(rules) == 17
    assert {r["health"] for r in rules} == {"ok"}


def _value(stack: Observed, query: str) -> float:
    (found,) = stack.ask("query", query=query)["result"]
    return float(found["value"][1])


def test_a_trace_leads_from_the_caller_to_the_row(stack: Observed) -> None:
    """The request is a child of the caller, the record in Kafka a child of the request, and the rows name the trace."""
    spans = stack.traces.wait(lambda s: s.trace_id == TRACE and s.name.startswith("process "), 3)
    requests = {
        s.attributes["http.route"]: s
        for s in stack.traces.spans
        if s.trace_id == TRACE and s.service == "attribution-api"
    }
    assert set(requests) == {"/api/v1/data/touchpoints", "/v1/track"}
    assert {s.parent_id for s in requests.values()} == {CALLER}
    assert {s.attributes["http.response.status_code"] for s in requests.values()} == {200, 207}
    by_topic = {s.attributes["messaging.destination.name"]: s for s in spans}
    assert by_topic["attribution.touchpoints"].parent_id == requests["/api/v1/data/touchpoints"].span_id
    assert by_topic["attribution.conversions"].parent_id == requests["/v1/track"].span_id
    for span in spans:
        assert span.service == "attribution-worker"
        assert span.events == ("waited", "computed", "durable", "inserted", "committed")
        ((trace, epoch),) = span.links
        (whole,) = stack.traces.wait(lambda s, epoch=epoch: s.span_id == epoch, 1)  # type: ignore[misc]  # a default
        assert (whole.name, whole.trace_id) == ("epoch", trace)
        assert whole.attributes["attribution.epoch.records"] >= 1
        assert TRACE in {of for of, _ in whole.links}
    touches = stack.sql(
        "SELECT event_id, trace_id FROM touchpoints FINAL WHERE customer_id = 'traced' AND trace_id != ''"
    )
    assert {"event_id": "tr-new", "trace_id": TRACE} in touches
    credited = stack.sql(
        "SELECT DISTINCT c.trace_id AS trace_id, a.touchpoint_id AS touch FROM credits AS a "
        "INNER JOIN conversions AS c ON a.conversion_id = concat(c.conversion_type, ':', c.order_id) "
        "WHERE c.event_id = 'tr-order' AND a.model = 'linear'"
    )
    assert {"trace_id": TRACE, "touch": "tr-new"} in credited
    assert stack.sql("SELECT countIf(trace_id = '') > 100 AS many FROM touchpoints")[0]["many"]


def test_every_log_line_is_json_of_the_documented_form_and_holds_no_secret(stack: Observed) -> None:
    """Of the worker, the API with the web UI, the roller, the ClickHouse facade, the canary and the load generator."""
    stack.api.get("/api/v1/data/status", headers={"X-API-Key": "wrong.key-of-this-test"})
    programs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, path in stack.logs.items():
        for text in path.read_text().splitlines():
            line = json.loads(text)
            LINE.validate(line)
            programs[line["program"]].append(line)
            assert SECRET not in text, name
            assert stack.key.partition(".")[2] not in text, name
    assert {"worker", "api", "rollups", "facade"} <= set(programs)
    epochs = [line for line in programs["worker"] if line["message"].startswith("Epoch of ")]
    assert epochs
    assert all(
        {"records", "conversions", "rejected", "waited_s", "committed_s"} <= set(line["fields"]) for line in epochs
    )
    assert sum(line["fields"]["records"] for line in epochs) > 200
