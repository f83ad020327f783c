"""What the smaller programs show: the roller, the ClickHouse facade, the load generator, the canary."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from telemetry.metric import AGE_S, WORK_S, Metric

RollupsMetric: TypeAlias = Literal[
    "attribution_rollups_passes_total",
    "attribution_rollups_pass_seconds",
    "attribution_rollups_built_partitions_total",
    "attribution_rollups_refusals_total",
    "attribution_rollups_dirty_partitions",
    "attribution_rollups_oldest_dirty_seconds",
    "attribution_rollups_conservation_error_micros",
    "attribution_rollups_checked_timestamp_seconds",
]
FacadeMetric: TypeAlias = Literal[
    "attribution_facade_requests_total",
    "attribution_facade_request_seconds",
    "attribution_facade_requests_in_flight",
    "attribution_facade_written_rows_total",
    "attribution_facade_read_rows_total",
    "attribution_facade_sent_bytes_total",
]
LoadgenMetric: TypeAlias = Literal[
    "attribution_loadgen_records_total",
    "attribution_loadgen_target_records_per_second",
    "attribution_loadgen_behind_seconds",
]
CanaryMetric: TypeAlias = Literal[
    "attribution_canary_sent_total",
    "attribution_canary_unconfirmed_total",
    "attribution_canary_seen_total",
    "attribution_canary_age_seconds",
    "attribution_canary_visible_seconds",
    "attribution_canary_failed_looks_total",
]

_PASSES: Final = (("quick",), ("full",))
_REQUESTS: Final = (("ping",), ("read",), ("write",), ("other",))

ROLLUPS: Final[dict[RollupsMetric, Metric]] = {
    "attribution_rollups_passes_total": Metric(
        "counter", ("kind",), "1", "Passes over dirty days: quick ones of hot days, full ones.", series=_PASSES
    ),
    "attribution_rollups_pass_seconds": Metric(
        "histogram", ("kind",), "seconds", "Time of a pass.", WORK_S, series=_PASSES
    ),
    "attribution_rollups_built_partitions_total": Metric(
        "counter", (), "1", "Days, one partition each, whose sums were built."
    ),
    "attribution_rollups_refusals_total": Metric(
        "counter", (), "1", "Passes that were not possible: no answer from ClickHouse, or another roller is at work."
    ),
    "attribution_rollups_dirty_partitions": Metric("gauge", (), "1", "Days of the active run that wait to be built."),
    "attribution_rollups_oldest_dirty_seconds": Metric(
        "gauge", (), "seconds", "No change of the active run that is not in its sums by day is older; 0: none waits."
    ),
    "attribution_rollups_conservation_error_micros": Metric(
        "gauge",
        (),
        "micros",
        "Sum over days of the active run of what the models' sums differ from one another; must be 0.",
    ),
    "attribution_rollups_checked_timestamp_seconds": Metric(
        "gauge", (), "seconds", "When backlog and sums were looked at last, Unix time; 0 before the first."
    ),
}

FACADE: Final[dict[FacadeMetric, Metric]] = {
    "attribution_facade_requests_total": Metric(
        "counter", ("kind", "status"), "1", "Answers: kind ping, read (GET or a SELECT), write, other."
    ),
    "attribution_facade_request_seconds": Metric(
        "histogram", ("kind",), "seconds", "Time from the request's last byte to the answer.", WORK_S, series=_REQUESTS
    ),
    "attribution_facade_requests_in_flight": Metric("gauge", (), "1", "Requests that are being answered."),
    "attribution_facade_written_rows_total": Metric("counter", (), "rows", "Rows written by statements."),
    "attribution_facade_read_rows_total": Metric("counter", (), "rows", "Rows read by statements."),
    "attribution_facade_sent_bytes_total": Metric("counter", (), "bytes", "Bytes of bodies sent, as on the wire."),
}

LOADGEN: Final[dict[LoadgenMetric, Metric]] = {
    "attribution_loadgen_records_total": Metric("counter", (), "records", "Records handed to the producer."),
    "attribution_loadgen_target_records_per_second": Metric(
        "gauge", (), "records", "Rate that is kept, records a second; 0: as fast as possible."
    ),
    "attribution_loadgen_behind_seconds": Metric(
        "gauge", (), "seconds", "How long the next record has been due; a slow broker shows here."
    ),
}

CANARY: Final[dict[CanaryMetric, Metric]] = {
    "attribution_canary_sent_total": Metric("counter", (), "events", "Canaries that Kafka has confirmed."),
    "attribution_canary_unconfirmed_total": Metric("counter", (), "events", "Canaries that Kafka did not confirm."),
    "attribution_canary_seen_total": Metric("counter", (), "events", "Canaries whose row was seen in ClickHouse."),
    "attribution_canary_age_seconds": Metric(
        "gauge",
        ("partition",),
        "seconds",
        "Time since the newest canary of the partition that can be seen was sent; before the first, since the start.",
    ),
    "attribution_canary_visible_seconds": Metric(
        "histogram", (), "seconds", "Time from sending a canary until its row was seen.", AGE_S
    ),
    "attribution_canary_failed_looks_total": Metric("counter", (), "1", "Looks that ClickHouse did not answer."),
}
