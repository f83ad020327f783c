"""A query of the ClickHouse plugin, which the SDK has no class for."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog import builder, variants

DATASOURCE: Final = {"type": "grafana-clickhouse-datasource", "uid": "${datasource}"}
#: The version of the plugin whose documentation and source the dashboards follow.
PLUGIN_VERSION: Final = "4.20.0"
TIME_SERIES: Final = 0
TABLE: Final = 1


class ClickHouseQuery(variants.Dataquery):
    """``format``: ``TIME_SERIES`` or ``TABLE``; ``datasource``: None in an alert rule, which names it elsewhere."""

    def __init__(
        self, sql: str, format_: int, *, ref_id: str = "A", datasource: dict[str, str] | None = DATASOURCE
    ) -> None:
        self._json: dict[str, object] = {
            "refId": ref_id,
            "editorType": "sql",
            "queryType": "table" if format_ == TABLE else "timeseries",
            "format": format_,
            "pluginVersion": PLUGIN_VERSION,
            "rawSql": sql,
        }
        if datasource is not None:
            self._json["datasource"] = datasource

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return self._json


class ClickHouseTarget(builder.Builder[variants.Dataquery]):
    """What panel builders take."""

    def __init__(self, sql: str, format_: int) -> None:
        self._query = ClickHouseQuery(sql, format_)

    def build(self) -> variants.Dataquery:
        """The query."""
        return self._query
