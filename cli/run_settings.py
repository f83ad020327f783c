"""Between a run as ``runs`` describes it and the settings of the worker that computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from attribution.config import DAY_US, AttributionConfig

if TYPE_CHECKING:
    from clickhouse.run import Run
    from stream_app.settings import WorkerSettings

#: Field of ``AttributionConfig`` -> setting of a worker; durations are microseconds there and days here.
_DURATIONS: Final = {
    "lookback_us": "lookback_window_days",
    "half_life_us": "half_life_days",
    "allowed_lateness_us": "allowed_lateness_days",
    "conversion_retention_us": "conversion_retention_days",
}
_PLAIN: Final = (
    "models",
    "custom_weights",
    "exclude_channels",
    "reset_on_conversion",
    "max_touchpoints",
    "max_conversions",
    "max_linked_ids",
)

#: Settings that decide the numbers, by the names that ``--config`` files use.
PARAMETERS: Final = (*_PLAIN, *_DURATIONS.values())


class RunSettingsError(ValueError):
    """A run was made with parameters that this program's settings cannot express."""


def parameters_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, by field name, from ``AttributionConfig.as_dict()``; none from a run that nobody has described yet."""
    if not config:
        return {}
    found: dict[str, Any] = {name: config[name] for name in _PLAIN if name in config}
    return found | {name: config[field] / DAY_US for field, name in _DURATIONS.items() if field in config}


def settings_of(run: Run, base: WorkerSettings) -> WorkerSettings:
    """Settings of a worker that computes ``run``: addresses and sizes of ``base``, the rest of the run.

    Raises:
        RunSettingsError: the run's parameters are not those that its hash was made of.
    """
    update: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in parameters_of(run.config).items()
    }
    update |= {
        "run_id": run.run_id,
        "group_id": run.group_id,
        "emit_from_us": run.window.from_us,
        "emit_to_us": run.window.to_us,
        "describe_run": False,
    }
    settings = base.model_copy(update=update)
    if settings.attribution_config().config_hash() != run.config_hash:
        known = {f.name for f in fields(AttributionConfig)}
        unknown = sorted(run.config.keys() ^ known)
        raise RunSettingsError(
            f"run {run.name}: its parameters (hash {run.config_hash}) cannot be set in this program"
            + (f": {', '.join(unknown)}" if unknown else "")
            + "; use the version that made the run, or replay again"
        )
    return settings


def fed_run(active: Run, base: WorkerSettings) -> Run | None:
    """The run that a worker of the active run works for; None: the one that the environment describes.

    A run that nobody can feed is shown as it is; meanwhile the run of the environment goes on, so that facts are kept.
    """
    return active if active.has_feeder and active.group_id and active.run_id != base.run_id else None
