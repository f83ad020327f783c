"""Settings that every program shares: where its metrics are served, how it logs.

Read without pydantic: the ClickHouse facade starts in half a second and must not load it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")


class TelemetrySettingsError(ValueError):
    """A value cannot be used: variable, value, example."""


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """``.env.example`` lists the variables with their meaning. ``metrics_port`` 0: none is opened."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    log_format: str = "text"
    log_level: str = "warning"

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> TelemetrySettings:
        """Of this process; empty variables are left at their defaults.

        Raises:
            TelemetrySettingsError: a value cannot be used.
        """
        return cls(
            metrics_host=environment.get("ATTRIBUTION_METRICS_HOST") or "127.0.0.1",
            metrics_port=_port(environment.get("ATTRIBUTION_METRICS_PORT") or "0"),
            log_format=_one_of(FORMATS, "ATTRIBUTION_LOG_FORMAT", environment) or "text",
            log_level=_one_of(LEVELS, "ATTRIBUTION_LOG_LEVEL", environment) or "warning",
        )


def _port(value: str) -> int:
    if value.isascii() and value.isdecimal() and int(value) <= 65_535:
        return int(value)
    raise TelemetrySettingsError(
        f"ATTRIBUTION_METRICS_PORT={value!r}: is no port, for example ATTRIBUTION_METRICS_PORT=9101"
    )


def _one_of(allowed: tuple[str, ...], name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip().lower()
    if value and value not in allowed:
        raise TelemetrySettingsError(
            f"{name}={value!r}: is none of {', '.join(allowed)}, for example {name}={allowed[1]}"
        )
    return value
