"""Settings that every program shares: where its metrics are served, how it logs."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TelemetrySettings(BaseSettings):
    """From the environment; ``.env.example`` lists them. ``metrics_port`` 0: none is opened."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore")

    metrics_host: str = Field("127.0.0.1", alias="ATTRIBUTION_METRICS_HOST", min_length=1, examples=["0.0.0.0"])  # noqa: S104 - an example for containers
    metrics_port: int = Field(0, alias="ATTRIBUTION_METRICS_PORT", ge=0, le=65_535, examples=[9101])
    log_format: str = Field("text", alias="ATTRIBUTION_LOG_FORMAT", pattern="^(text|json)$", examples=["json"])
    log_level: str = Field("warning", alias="ATTRIBUTION_LOG_LEVEL", pattern="^(debug|info|warning|error)$")
