"""All files that Grafana is given: four dashboards and the alert rules. Needs grafana-foundation-sdk; they do not."""

from __future__ import annotations

import json
from typing import Final

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import alerts, channels, executive, health, models
from dashboards.variables import API_URL, UI_URL

BOARDS: Final = (executive, channels, models, health)
#: Below ``deploy/grafana``.
RULES_FILE: Final = "provisioning/alerting/rules.yaml"
_HEAD: Final = (
    "# Written by `attribution dashboards build`; change dashboards/alerts.py and dashboards/sql/alerts instead.\n"
)


def files(api_url: str = API_URL, ui_url: str = UI_URL) -> dict[str, str]:
    """Text by path below ``deploy/grafana``; equal for equal arguments.

    Args:
        api_url: root of the API as browsers reach it, for links.
        ui_url: root of the web UI, likewise.
    """
    found: dict[str, str] = {}
    for board in BOARDS:
        dashboard = json.loads(JSONEncoder(sort_keys=True).encode(board.build((api_url, ui_url))))
        found[f"dashboards/{board.UID}.json"] = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
    panels = json.loads(found[f"dashboards/{health.UID}.json"])["panels"]
    rules = alerts.group({panel["title"]: panel["id"] for panel in panels})
    found[RULES_FILE] = _HEAD + yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, width=120)
    return found
