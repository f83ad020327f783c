"""Tables: which columns, in which units, and what a click on them does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, table
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from dashboards.charts import BLUE, steps
from dashboards.query import TABLE, ClickHouseTarget
from dashboards.statements import load

#: How a column is shown: property id -> value.
Override = Mapping[str, Any]


def grid(
    name: str, title: str, unit: str, columns: Mapping[str, Override], *, sort: str = "", matrix: Sequence[str] = ()
) -> table.Panel:
    """A table. ``columns``: overrides by column, see ``column``; ``matrix``: rows, columns and values of a pivot."""
    statement = load(name)
    panel = (
        table.Panel()
        .title(title)
        .description(statement.description)
        .with_target(ClickHouseTarget(statement.sql, TABLE))
        .unit(unit)
        .no_value("-")
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .thresholds(steps((None, BLUE)))
        .cell_height(common_models.TableCellHeight.SM)
        .show_header(True)
    )
    if matrix:
        row, column_, value = matrix
        options = {"rowField": row, "columnField": column_, "valueField": value, "emptyValue": "zero"}
        panel.with_transformation(models.DataTransformerConfig(id_val="groupingToMatrix", options=options))
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    for column_name, properties in columns.items():
        panel.override_by_name(
            column_name, [models.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()]
        )
    return panel


def column(
    label: str,
    unit: str = "",
    *,
    decimals: int | None = None,
    width: int = 0,
    cell: str = "",
    color: str = "",
    steps_: Sequence[tuple[float | None, str]] = (),
    links: Sequence[tuple[str, str]] = (),
    range_: tuple[float, float] | None = None,
) -> Override:
    """How a table shows a column: heading, unit, width, kind of cell (``gauge``, ``color-text``), links, colours."""
    found: dict[str, Any] = {"displayName": label}
    if unit:
        found["unit"] = unit
    if decimals is not None:
        found["decimals"] = decimals
    if width:
        found["custom.width"] = width
    if cell:
        found["custom.cellOptions"] = {"type": cell, **({"mode": "basic"} if cell == "gauge" else {})}
    if color:
        found["color"] = {"mode": "fixed", "fixedColor": color}
    if steps_:
        found["color"] = {"mode": "thresholds"}
        found["thresholds"] = {"mode": "absolute", "steps": [{"value": v, "color": c} for v, c in steps_]}
    if range_:
        found["min"], found["max"] = range_
    if links:
        found["links"] = [{"title": title, "url": url, "targetBlank": True} for title, url in links]
    return found


def heat(panel: table.Panel) -> table.Panel:
    """Colours the numbers of a table from pale to strong."""
    return panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.CONTINUOUS_BLUES)).cell_options(
        common_models.TableColoredBackgroundCellOptions(
            mode=common_models.TableCellBackgroundDisplayMode.BASIC, apply_to_row=False
        )
    )
