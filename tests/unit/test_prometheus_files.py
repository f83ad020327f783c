"""deploy/prometheus: rules and configurations are valid, every alert is tested both ways and has a page to turn to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.targets import TARGETS_FILE, scrape_targets
from telemetry.catalogue import PROGRAMS, all_metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
METRIC = re.compile(r"\battribution_[a-z_]+")


def promtool(*words: str) -> str:
    done = subprocess.run(
        ["/usr/bin/promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_rules_and_configurations() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yml")
    for name in ("prometheus.yml", "local.yml"):
        assert "SUCCESS" in promtool("check", "config", "--syntax-only", name)


def test_every_alert_passes_its_unit_tests() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_every_alert_is_tested_firing_and_quiet() -> None:
    cases = [case for test in TESTS["tests"] for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert len(ALERTS) == 17
    assert firing == quiet == set(ALERTS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_has_a_section_in_the_runbook_and_uses_metrics_that_exist(name: str) -> None:
    """The anchor is that of the heading; expressions name metrics of the catalogue, with their suffixes."""
    rule = ALERTS[name]
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert f"\n### {name}\n" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    known = all_metrics()
    histograms = {n for n, m in known.items() if m.kind == "histogram"}
    for metric in METRIC.findall(rule["expr"]):
        base = re.sub(r"_(bucket|sum|count)$", "", metric)
        assert metric in known.keys() - histograms or base in histograms, metric


def test_the_jobs_are_the_programs() -> None:
    """What alerts call ``job`` is scraped under that name, by compose and by the local stack."""
    jobs = {job["job_name"] for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]}
    assert jobs - {"prometheus"} == set(PROGRAMS) - {"facade"}  # there ClickHouse is a server
    local = scrape_targets({"clickhouse": 1, "api": 2, "rollups": 3, "worker-0": 4, "worker-1": 5})
    assert {entry["labels"]["job"] for entry in local} == {"facade", "api", "rollups", "worker"}
    assert TARGETS_FILE == "metrics-targets.json"
    assert (FOLDER / "local.yml").read_text().count("../../data/metrics-targets*.json") == 2
    used = {job for rule in ALERTS.values() for job in re.findall(r'job="(\w+)"', rule["expr"])}
    assert used <= jobs
