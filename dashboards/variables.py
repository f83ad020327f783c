"""The variables that all dashboards share, and how each is filled."""

from __future__ import annotations

from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from dashboards.query import DATASOURCE
from dashboards.statements import load

#: Where the links lead when nobody says otherwise.
API_URL: Final = "http://localhost:8000"
UI_URL: Final = "http://localhost:8000/ui"
#: As ``ATTRIBUTION_FX_MAX_AGE_DAYS``, so that reports of the API and dashboards leave out the same amounts.
FX_MAX_AGE_DAYS: Final = "7"

#: Name, label and whether several may be chosen, in the order in which they are shown.
QUERIED: Final = (
    ("run", "Run", False),
    ("model", "Model", False),
    ("conversion_type", "Conversion type", True),
    ("channel", "Channel", True),
    ("campaign", "Campaign", True),
    ("currency", "Currency", False),
)
_FIRST: Final = {"model": "linear", "currency": "USD", "run": "1"}


def shared(api_url: str = API_URL, ui_url: str = UI_URL) -> list[Any]:
    """Builders of all variables.

    Args:
        api_url: root of the API, for links.
        ui_url: root of the web UI, for links.
    """
    source = (
        dashboard.DatasourceVariable("datasource")
        .label("Data source")
        .description("The ClickHouse that holds the credits.")
        .type("grafana-clickhouse-datasource")
    )
    return [
        source,
        *(_queried(name, label, many=many) for name, label, many in QUERIED),
        _hidden("fx_max_age_days", "Days that an exchange rate may be old", FX_MAX_AGE_DAYS),
        _hidden("api_url", "API", api_url),
        _hidden("ui_url", "Web UI", ui_url),
    ]


def _queried(name: str, label: str, *, many: bool) -> dashboard.QueryVariable:
    statement = load(f"variables/{name}")
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .description(statement.description)
        .datasource(common_ref())
        .query({"refId": name, "queryType": "sql", "rawSql": statement.sql})
        .definition(statement.sql)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.DISABLED)
        .multi(many)
        .include_all(many)
    )
    if many:
        return variable.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    first = _FIRST[name]
    return variable.current(models.VariableOption(selected=True, text=first, value=first))


def _hidden(name: str, label: str, value: str) -> dashboard.TextBoxVariable:
    return (
        dashboard.TextBoxVariable(name)
        .label(label)
        .description(f"{label}; set it in the address, var-{name}=…")
        .default_value(value)
        .current(models.VariableOption(selected=True, text=value, value=value))
        .hide(models.VariableHide.HIDE_VARIABLE)
    )


def common_ref() -> common.DataSourceRef:
    """The datasource that is chosen."""
    return common.DataSourceRef(type_val=DATASOURCE["type"], uid=DATASOURCE["uid"])
