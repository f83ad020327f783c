"""The kinds of panels, each made from a statement: what they have in common is said once here.

All are transparent about their query: the statement's comment is the panel's description. Units are Grafana's ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.builders import barchart, common, dashboard, stat, timeseries, xychart
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import xychart as xychart_models

from dashboards.query import TABLE, TIME_SERIES, ClickHouseTarget
from dashboards.statements import load

#: Money in a table and on an axis. Which currency it is, the title says.
MONEY: Final = "locale"
SHORT: Final = "short"
SHARE: Final = "percentunit"
TIMES: Final = "suffix:x"
SECONDS: Final = "s"
COUNT: Final = "locale"
RATE: Final = "suffix:/s"

GREEN, YELLOW, RED, BLUE = "green", "#EAB839", "red", "#5794F2"
#: Time buckets in a panel: wide enough to hold events of a quiet hour, and cheap.
_BUCKETS: Final = 100
_BY_NAME: Final = dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def steps(*bounds: tuple[float | None, str]) -> Any:
    """Colours from these values on; the first bound is None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in bounds])
    )


def kpi(
    name: str, title: str, unit: str, *, decimals: int | None = None, less_is_better: bool = False, changes: bool = True
) -> stat.Panel:
    """A number of this period with its change to the one before: the statement gives two rows, the earlier first."""
    statement = load(name)
    mode = common_models.PercentChangeColorMode
    panel = (
        _number(name, title, unit, decimals, TIME_SERIES if changes else TABLE)
        .description(statement.description)
        .thresholds(steps((None, BLUE)))
        .color_mode(common_models.BigValueColorMode.NONE)
    )
    if changes:
        panel.show_percent_change(True).percent_change_color_mode(mode.INVERTED if less_is_better else mode.STANDARD)
    return panel


def gauge(
    name: str, title: str, unit: str, *bounds: tuple[float | None, str], decimals: int | None = None
) -> stat.Panel:
    """A number in the colour of its threshold."""
    return (
        _number(name, title, unit, decimals, TABLE)
        .thresholds(steps(*bounds))
        .color_mode(common_models.BigValueColorMode.VALUE)
    )


def _number(name: str, title: str, unit: str, decimals: int | None, format_: int) -> stat.Panel:
    statement = load(name)
    panel = (
        stat.Panel()
        .title(title)
        .description(statement.description)
        .with_target(ClickHouseTarget(statement.sql, format_))
        .unit(unit)
        .no_value("-")
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.VALUE)
        .justify_mode(common_models.BigValueJustifyMode.CENTER)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    )
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    name: str,
    title: str,
    unit: str,
    *,
    stacked: bool = False,
    bars: bool = False,
    log: bool = False,
    by: str = "",
    decimals: int | None = None,
    colors: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Values over time. ``by``: the text column whose values name the series; else the columns do."""
    statement = load(name)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(statement.description)
        .with_target(ClickHouseTarget(statement.sql, TIME_SERIES))
        .unit(unit)
        .color_scheme(_BY_NAME)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .draw_style(common_models.GraphDrawStyle.BARS if bars else common_models.GraphDrawStyle.LINE)
        .line_width(0 if bars else 2)
        .fill_opacity(85 if bars else 10)
        .show_points(common_models.VisibilityMode.NEVER if bars else common_models.VisibilityMode.AUTO)
        .span_nulls(False)
        .axis_soft_min(0)
        .max_data_points(_BUCKETS)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if log:
        scale = common.ScaleDistributionConfig().type(common_models.ScaleDistribution.LOG).log(10)
        panel.scale_distribution(scale)
    if by:
        panel.display_name(f"${{__field.labels.{by}}}")
    if decimals is not None:
        panel.decimals(decimals)
    for series, color in (colors or {}).items():
        panel.override_by_name(series, [_fixed(color)])
    return panel


def bars(
    name: str,
    title: str,
    unit: str,
    x: str,
    *,
    horizontal: bool = False,
    values: bool = False,
    decimals: int | None = None,
    colors: Mapping[str, str] | None = None,
) -> barchart.Panel:
    """A bar for each row and value column; ``x`` is the column with their names."""
    statement = load(name)
    sideways = common_models.VizOrientation.HORIZONTAL if horizontal else common_models.VizOrientation.VERTICAL
    many = len(colors or {}) != 1
    panel = (
        barchart.Panel()
        .title(title)
        .description(statement.description)
        .with_target(ClickHouseTarget(statement.sql, TABLE))
        .unit(unit)
        .color_scheme(_BY_NAME)
        .legend(_legend(shown=many))
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .x_field(x)
        .orientation(sideways)
        .show_value(common_models.VisibilityMode.ALWAYS if values else common_models.VisibilityMode.NEVER)
        .fill_opacity(85)
        .line_width(0)
        .group_width(0.75)
        .bar_width(0.9)
    )
    if decimals is not None:
        panel.decimals(decimals)
    for series, color in (colors or {}).items():
        panel.override_by_name(series, [_fixed(color)])
    return panel


def scatter(name: str, title: str, x: tuple[str, str, str], y: tuple[str, str, str], size: str) -> xychart.Panel:
    """Points; ``x`` and ``y`` are a column, its heading and its unit."""
    statement = load(name)

    def by_name(column_name: str) -> xychart.MatcherConfig:
        return xychart.MatcherConfig().id("byName").options(column_name)

    points = (
        xychart.XYSeriesConfig()
        .x(xychart.XychartXYSeriesConfigX().matcher(by_name(x[0])))
        .y(xychart.XychartXYSeriesConfigY().matcher(by_name(y[0])))
        .size(xychart.XychartXYSeriesConfigSize().matcher(by_name(size)))
    )
    panel = (
        xychart.Panel()
        .title(title)
        .description(statement.description)
        .with_target(ClickHouseTarget(statement.sql, TABLE))
        .unit(SHORT)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color(BLUE))
        .mapping(xychart_models.SeriesMapping.MANUAL)
        .series([points])
        .show(xychart_models.XYShowMode.POINTS)
        .point_size(xychart.XychartFieldConfigPointSize().min(8).max(40))
        .fill_opacity(60)
        .legend(_legend(shown=False))
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.SINGLE))
    )
    for name_, label, unit in (x, y):
        panel.override_by_name(
            name_,
            [
                models.DynamicConfigValue(id_val="displayName", value=label),
                models.DynamicConfigValue(id_val="unit", value=unit),
                models.DynamicConfigValue(id_val="custom.axisLabel", value=label),
            ],
        )
    return panel


def _legend(*, shown: bool = True) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(shown)
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .calcs([])
    )


def _fixed(color: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})
