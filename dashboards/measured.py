"""What only the programs themselves can tell, from Prometheus: a row of the health dashboard that opens on demand."""

from __future__ import annotations

from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

TITLE: Final = "Programs, by Prometheus"
_SOURCE: Final = common_models.DataSourceRef(type_val="prometheus", uid="${prometheus}")


class Measure(NamedTuple):
    """One panel: PromQL with what names a series, of metrics that ``telemetry`` declares."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]


def _quantile(part: float, metric: str, by: str = "le") -> str:
    return f"histogram_quantile({part}, sum by ({by}) (rate({metric}_bucket[$__rate_interval])))"


MEASURES: Final = (
    Measure(
        "Consumer lag",
        "Age of the oldest record that is not committed, the oldest partition of each topic. 0 on a quiet topic.",
        "s",
        (("max by (topic) (attribution_worker_lag_seconds)", "{{topic}}"),),
    ),
    Measure(
        "From broker to committed row",
        "Age of a record when its rows and its offset are committed. Aim: 99 of 100 below 5 s.",
        "s",
        tuple(
            (
                _quantile(q, "attribution_worker_event_age_seconds"),
                name,
            )
            for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
        ),
    ),
    Measure(
        "Events by kind",
        "Events that workers have committed, a second.",
        "cps",
        (("sum by (kind) (rate(attribution_worker_events_total[$__rate_interval]))", "{{kind}}"),),
    ),
    Measure(
        "Canary, until seen in the store",
        "Time from sending a canary until its row is seen.",
        "s",
        tuple(
            (
                _quantile(q, "attribution_canary_visible_seconds"),
                name,
            )
            for q, name in ((0.5, "p50"), (0.99, "p99"))
        ),
    ),
    Measure(
        "Insert of a worker",
        "Time of one insert that ClickHouse has taken, 95 of 100, by table.",
        "s",
        (
            (
                _quantile(0.95, "attribution_worker_insert_seconds", "le, table"),
                "{{table}}",
            ),
        ),
    ),
    Measure(
        "Duplicates, late and dropped",
        "Records that change nothing or are left out, a second.",
        "cps",
        (
            ("sum(rate(attribution_worker_duplicates_total[$__rate_interval]))", "Duplicates"),
            ("sum(rate(attribution_worker_late_total[$__rate_interval]))", "Late"),
            ("sum(rate(attribution_worker_dropped_total[$__rate_interval]))", "Dropped"),
        ),
    ),
    Measure(
        "Journeys on disk and in memory",
        "Size of the journeys' RocksDB, all partitions.",
        "bytes",
        (("sum by (place) (attribution_worker_store_bytes)", "{{place}}"),),
    ),
    Measure(
        "Rebalances and recovery",
        "Assignments taken over in an hour, and records still to be read back.",
        "short",
        (
            ("sum(increase(attribution_worker_rebalances_total[1h]))", "Rebalances"),
            (
                "sum(attribution_worker_restore_total_records) - sum(attribution_worker_restore_records)",
                "Records to restore",
            ),
        ),
    ),
)


def variable() -> dashboard.DatasourceVariable:
    """Which Prometheus."""
    return (
        dashboard.DatasourceVariable("prometheus")
        .label("Prometheus")
        .description("The Prometheus that scrapes workers, roller, API and canaries.")
        .type("prometheus")
    )


def panels() -> list[timeseries.Panel]:
    """One for each measure, without a place yet."""
    return [_panel(measure) for measure in MEASURES]


def _panel(measure: Measure) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(measure.title)
        .description(measure.description)
        .datasource(_SOURCE)
        .unit(measure.unit)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        .line_width(2)
        .fill_opacity(10)
        .axis_soft_min(0)
    )
    for place, (expression, legend) in enumerate(measure.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id("ABC"[place]).range()
        panel.with_target(query.datasource(_SOURCE))
    return panel
