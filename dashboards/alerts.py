"""Alert rules over the store's tables, as Grafana provisions them: query, last value, threshold.

Rules are evaluated in the backend: their SQL has no variables, and reads the active run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dashboards.health import UID as HEALTH_UID
from dashboards.query import TABLE, ClickHouseQuery
from dashboards.statements import load

#: ``uid`` of the datasource in deploy/grafana/provisioning/datasources.
DATASOURCE_UID: Final = "attribution-clickhouse"
FOLDER: Final = "Attribution"
#: Grafana puts the variable of its environment in; the anchors are headings of that page.
RUNBOOK: Final = "${ATTRIBUTION_DOCS_URL}/dashboards.html"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule: it fires when ``statement`` gives a number that ``is_bad`` says, for ``for_`` long.

    ``window_s``: the time range that the macros see, up to now. ``panel``: title of the panel on the health dashboard.
    """

    uid: str
    title: str
    statement: str
    is_bad: tuple[str, float]
    for_: str
    window_s: int
    severity: str
    summary: str
    runbook: str
    panel: str
    no_data: str = "OK"


RULES: Final = (
    AlertRule(
        "attribution-freshness",
        "Daily sums are late",
        "alerts/freshness",
        ("gt", 60),
        "2m",
        600,
        "warning",
        "Changes have been waiting for {{ $values.B.Value }} s to get into the daily sums (they take a second or two).",
        "daily-sums-are-late",
        "Sums wait since",
    ),
    AlertRule(
        "attribution-lag",
        "Workers are behind",
        "alerts/lag",
        ("gt", 60),
        "5m",
        60,
        "warning",
        "A partition that is being worked on is {{ $values.B.Value }} s behind.",
        "workers-are-behind",
        "Furthest behind",
    ),
    AlertRule(
        "attribution-dead-letters",
        "Records are refused",
        "alerts/dead_letters",
        ("gt", 100),
        "0s",
        600,
        "warning",
        "{{ $values.B.Value }} records were refused in ten minutes.",
        "records-are-refused",
        "Dead letters",
    ),
    AlertRule(
        "attribution-conservation",
        "Credits do not add up",
        "alerts/conservation",
        ("gt", 0),
        "0s",
        900,
        "critical",
        "Credits differ from the value of their conversions by {{ $values.B.Value }} micros. This must never happen.",
        "credits-do-not-add-up",
        "Conservation error (µ)",
    ),
    AlertRule(
        "attribution-canary",
        "No canary came through",
        "alerts/canary",
        ("lt", 1),
        "1m",
        600,
        "critical",
        "No canary became readable in ten minutes: the way from the API to the store is broken, or nobody sends any.",
        "no-canary-came-through",
        "From conversion to readable row",
        no_data="Alerting",
    ),
)


def group(panel_ids: dict[str, int]) -> dict[str, Any]:
    """The file of rules, ready to be written as YAML.

    Args:
        panel_ids: of the health dashboard, by title.
    """
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "attribution",
                "folder": FOLDER,
                "interval": "1m",
                "rules": [_rule(rule, panel_ids[rule.panel]) for rule in RULES],
            }
        ],
    }


def _rule(rule: AlertRule, panel_id: int) -> dict[str, Any]:
    sign, bound = rule.is_bad
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": rule.window_s, "to": 0},
                "datasourceUid": DATASOURCE_UID,
                "model": ClickHouseQuery(load(rule.statement).sql, TABLE, datasource=None).to_json(),
            },
            _expression("B", {"type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}),
            _expression(
                "C",
                {
                    "type": "threshold",
                    "expression": "B",
                    "conditions": [{"evaluator": {"type": sign, "params": [bound]}}],
                },
            ),
        ],
        "dashboardUid": HEALTH_UID,
        "panelId": panel_id,
        "noDataState": rule.no_data,
        "execErrState": "Error",
        "for": rule.for_,
        "annotations": {
            "summary": rule.summary,
            "description": load(rule.statement).description,
            "runbook_url": f"{RUNBOOK}#{rule.runbook}",
            "__dashboardUid__": HEALTH_UID,
            "__panelId__": str(panel_id),
        },
        "labels": {"severity": rule.severity, "service": "realtime-attribution"},
        "isPaused": False,
    }


def _expression(ref_id: str, model: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "__expr__", "uid": "__expr__"}
    return {
        "refId": ref_id,
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": {"refId": ref_id, "datasource": source, **model},
    }
