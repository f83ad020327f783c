"""Every metric of every program, in one place: what dashboards, alerts and docs/metrics.md are tested against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast

from telemetry.api_metrics import API
from telemetry.metric import Metric
from telemetry.program_metrics import CANARY, FACADE, LOADGEN, ROLLUPS
from telemetry.worker_metrics import WORKER

Program: TypeAlias = Literal["worker", "rollups", "api", "facade", "loadgen", "canary"]

#: Shown by every program.
COMMON: Final[dict[str, Metric]] = {
    "attribution_build_info": Metric("gauge", ("program", "version"), "1", "1, with what runs here."),
}

PROGRAMS: Final[dict[Program, Mapping[str, Metric]]] = {
    "worker": cast(Mapping[str, Metric], WORKER),
    "rollups": cast(Mapping[str, Metric], ROLLUPS),
    "api": cast(Mapping[str, Metric], API),
    "facade": cast(Mapping[str, Metric], FACADE),
    "loadgen": cast(Mapping[str, Metric], LOADGEN),
    "canary": cast(Mapping[str, Metric], CANARY),
}

#: What each program is, where it is served, and with which command.
SERVED: Final[dict[Program, str]] = {
    "worker": "`attribution worker`, on its metrics port",
    "rollups": "`attribution rollups`, on its metrics port",
    "api": "`attribution api`, `/metrics` of the API itself, with an administrator's key as bearer token",
    "facade": "the local ClickHouse (`python -m embedded.facade`), `/metrics` beside its queries",
    "loadgen": "`attribution simulate`, on its metrics port",
    "canary": "`attribution canary`, on its metrics port",
}


def all_metrics() -> dict[str, Metric]:
    """By name, those of every program included."""
    return {name: metric for metrics in (COMMON, *PROGRAMS.values()) for name, metric in metrics.items()}
