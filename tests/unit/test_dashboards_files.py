"""The files for Grafana are what dashboards/ builds, and keep the rules."""

from __future__ import annotations

import ast
import copy
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from clickhouse.fx import DEFAULT_MAX_AGE_DAYS
from dashboards import alerts, build, lint, measured, statements, variables
from telemetry.catalogue import all_metrics

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
GUIDE = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
RULES = yaml.safe_load((GRAFANA / build.RULES_FILE).read_text("utf-8"))


def test_the_committed_files_are_current() -> None:
    built = build.files()

    stale = [name for name, text in built.items() if (GRAFANA / name).read_text("utf-8") != text]
    assert stale == [], "run: attribution dashboards build"
    assert {f"dashboards/{name}.json" for name in BOARDS} == built.keys() - {build.RULES_FILE}


def test_links_lead_where_they_are_told() -> None:
    text = build.files("https://api.example.org", "https://ui.example.org")["dashboards/attribution-executive.json"]
    told = {v["name"]: v["current"]["value"] for v in json.loads(text)["templating"]["list"] if v["type"] == "textbox"}
    assert told == {
        "api_url": "https://api.example.org",
        "ui_url": "https://ui.example.org",
        "fx_max_age_days": str(DEFAULT_MAX_AGE_DAYS),
    }


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_keeps_the_rules(name: str) -> None:
    board = BOARDS[name]

    assert lint.findings(board) == []
    assert [v["name"] for v in board["templating"]["list"]][:7] == ["datasource", *(n for n, *_ in variables.QUERIED)]
    # the SDK reads back what it wrote: the structure is Grafana's
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(board))))
    assert [link.pop("placement") for link in read["links"]] == ["inControlsMenu"], "the SDK's default, not ours"
    assert read == board


def _broken(change: Callable[[dict[str, Any]], Any]) -> list[str]:
    board = copy.deepcopy(BOARDS["attribution-executive"])
    change(board)
    return lint.findings(board)


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(board: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = board
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        at[int(last) if last.isdigit() else last] = value

    return change


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (_set("editable", True), "editable"),
        (_set("timezone", "browser"), "timezone"),
        (_set("panels.0.description", ""), "description: is missing"),
        (_set("panels.0.fieldConfig.defaults.unit", ""), "unit: is missing"),
        (_set("panels.1.id", 1), "id 1: is given 2 times"),
        (_set("panels.1.title", "Spend (${currency})"), "is given 2 times"),
        (_set("panels.1.gridPos.x", 2), "overlap"),
        (_set("panels.0.gridPos.x", 23), "is not within 24 columns"),
        (_set("panels.0.datasource", {"type": "grafana-clickhouse-datasource", "uid": "abc"}), "must be a variable"),
        (_set("panels.0.targets.0.datasource", {"uid": "abc"}), "must ask the panel's datasource"),
        (_set("panels.0.targets.0.rawSql", "SELECT 1"), "no time macro"),
        (_set("panels.0.targets.0.rawSql", "SELECT $__toTime, ${nobody:sqlstring}"), "no variable nobody"),
        (_set("panels.7.targets.0.format", 1), "not for a panel of type timeseries"),
        (_set("panels.7.options.legend.placement", "right"), "legend: must be a list below"),
        (_set("panels.7.options.legend.showLegend", False), "legend: shown for several series"),
        (_set("panels.0.targets", []), "it asks nothing"),
        (_set("templating.list.1.datasource", {"uid": "abc"}), "its datasource must be the variable"),
        (_set("templating.list.2.label", ""), "label or description is missing"),
    ],
)
def test_the_rules_find_what_they_are_there_for(change: Callable[[dict[str, Any]], None], finding: str) -> None:
    assert any(finding in found for found in _broken(change)), _broken(change)


def test_every_statement_is_used_and_none_is_written_in_python() -> None:
    used = {sql for board in BOARDS.values() for _, sql in lint.statements(board)}
    used |= {rule["data"][0]["model"]["rawSql"] for group in RULES["groups"] for rule in group["rules"]}

    assert {statements.load(name).sql for name in statements.names()} == used
    assert all(statements.load(name).description.endswith(".") for name in statements.names())
    for path in (ROOT / "dashboards").rglob("*.py"):
        texts = [n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)]
        assert not [t for t in texts if isinstance(t, str) and re.search(r"\bSELECT\b", t)], path


def test_alert_rules_ask_the_provisioned_source_and_lead_to_a_panel() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "attribution.yaml").read_text("utf-8"))
    health = {panel["id"]: panel["title"] for panel in lint.panels(BOARDS["attribution-health"])}
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]

    assert {s["uid"] for s in sources["datasources"]} >= {alerts.DATASOURCE_UID}
    assert len({rule["uid"] for rule in rules}) == len(rules) == len(alerts.RULES)
    for rule, meant in zip(rules, alerts.RULES, strict=True):
        query, last, threshold = rule["data"]
        assert query["datasourceUid"] == alerts.DATASOURCE_UID
        assert query["model"]["format"] == 1
        assert lint._TIME.search(query["model"]["rawSql"])
        assert (last["model"]["type"], last["model"]["expression"]) == ("reduce", "A")
        assert (threshold["model"]["type"], threshold["model"]["expression"]) == ("threshold", "B")
        assert rule["condition"] == threshold["refId"]
        assert health[rule["panelId"]] == meant.panel
        assert rule["annotations"]["__panelId__"] == str(rule["panelId"])
        assert rule["annotations"]["summary"]
        page, anchor = rule["annotations"]["runbook_url"].split("#")
        assert page == "${ATTRIBUTION_DOCS_URL}/dashboards.html"
        assert anchor in {
            heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", GUIDE, re.MULTILINE)
        }
    assert {rule["uid"]: rule["noDataState"] for rule in rules}["attribution-canary"] == "Alerting"


def test_provisioning_holds_no_secret_and_fits_the_reader() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "attribution.yaml").read_text("utf-8"))
    clickhouse = next(s for s in sources["datasources"] if s["uid"] == alerts.DATASOURCE_UID)
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "attribution.yaml").read_text("utf-8"))[
        "providers"
    ]
    users = (ROOT / "deploy" / "clickhouse" / "users.sql").read_text("utf-8")
    limit = re.search(r"max_execution_time = \d+ MIN \d+ MAX (\d+)", users)
    assert limit is not None

    assert clickhouse["secureJsonData"] == {"password": "${CLICKHOUSE_PASSWORD}"}
    # the driver asks for five seconds more than the timeout of the plugin
    assert int(clickhouse["jsonData"]["queryTimeout"]) + 5 <= int(limit[1])
    assert provider["disableDeletion"] is True
    assert provider["allowUiUpdates"] is False
    assert provider["folder"] == alerts.FOLDER


def test_the_metrics_are_ones_that_our_programs_show() -> None:
    text = " ".join(expression for measure in measured.MEASURES for expression, _ in measure.queries)
    names = {name.removesuffix("_bucket") for name in re.findall(r"attribution_\w+", text)}

    assert len(names) >= len(measured.MEASURES)
    assert names <= all_metrics().keys()


def test_prometheus_reads_the_expressions(tmp_path: Path) -> None:
    expressions = [expression for measure in measured.MEASURES for expression, _ in measure.queries]
    rules = [{"record": f"panel:{n}", "expr": e.replace("$__rate_interval", "1m")} for n, e in enumerate(expressions)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    checked = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(expressions)} rules found" in checked.stdout
