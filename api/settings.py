"""Settings of the API, read from the environment once, by the entry point.

``load_settings`` raises ``SettingsError``: one line per wrong value with the variable, the value and an example.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self, TypeAlias
from urllib.parse import urlsplit

import limits
from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.registry_log import USUAL_TOPIC
from api.requests import MIN_DAYS
from api.store import FX_MAX_AGE_DAYS
from attribution.config import DEFAULT_MODELS
from attribution.models.registry import resolve
from collector.names import ANY
from collector.names import Names as EventNames

#: What a correct value looks like, by environment variable: printed when one is wrong.
EXAMPLES: Final = {
    "ATTRIBUTION_API_HOST": "127.0.0.1",
    "ATTRIBUTION_API_PORT": "8000",
    "ATTRIBUTION_API_DEFAULT_MODEL": "linear",
    "ATTRIBUTION_API_REQUEST_TIMEOUT_S": "15",
    "ATTRIBUTION_API_QUERY_THREADS": "8",
    "ATTRIBUTION_API_MAX_BODY_BYTES": "200000",
    "ATTRIBUTION_API_MAX_CALCULATE_BODY_BYTES": "2000000",
    "ATTRIBUTION_API_MAX_BULK_BODY_BYTES": "16000000",
    "ATTRIBUTION_API_MAX_UNPACKED_BYTES": "32000000",
    "ATTRIBUTION_API_INTAKE_THREADS": "4",
    "ATTRIBUTION_API_PRODUCE_TIMEOUT_S": "8",
    "ATTRIBUTION_API_CONVERSION_EVENTS": "Signed Up=signup,Trial Started",
    "ATTRIBUTION_API_TOUCH_EVENTS": "*",
    "ATTRIBUTION_CHANNEL_RULES": "rules.yaml",
    "ATTRIBUTION_API_KAFKA_TIMEOUT_S": "1",
    "ATTRIBUTION_API_STATUS_CACHE_S": "1",
    "ATTRIBUTION_API_REPORT_KEEP_S": "30",
    "ATTRIBUTION_API_INSECURE_DEV": "false",
    "ATTRIBUTION_API_ALLOWED_HOSTS": "api.example.org,localhost",
    "ATTRIBUTION_API_CORS_ORIGINS": "https://app.example.org",
    "ATTRIBUTION_API_TRUSTED_PROXIES": "127.0.0.1",
    "ATTRIBUTION_API_RATE_LIMIT": "1000/second",
    "ATTRIBUTION_API_QUOTA": "10000000/day",
    "ATTRIBUTION_API_RATE_STORAGE": "memory://",
    "ATTRIBUTION_API_MAX_CONCURRENT": "64",
    "ATTRIBUTION_API_REPLAY_DIR": "data",
    "ATTRIBUTION_API_MAX_RUNS": "20",
    "ATTRIBUTION_API_STREAM_POLL_S": "0.5",
    "ATTRIBUTION_API_STREAM_OVERLAP_S": "10",
    "ATTRIBUTION_API_STREAM_HEARTBEAT_S": "15",
    "ATTRIBUTION_API_STREAM_SEND_TIMEOUT_S": "30",
    "ATTRIBUTION_API_STREAM_QUEUE": "5000",
    "ATTRIBUTION_API_STREAM_KEPT": "10000",
    "ATTRIBUTION_API_STREAMS_PER_CALLER": "8",
    "ATTRIBUTION_REPORTING_CURRENCY": "USD",
    "ATTRIBUTION_FX_MAX_AGE_DAYS": "7",
    "ATTRIBUTION_DEFAULT_MODELS": "first_touch,last_touch,linear",
    "ATTRIBUTION_LOOKBACK_WINDOW_DAYS": "90",
    "ATTRIBUTION_HALF_LIFE_DAYS": "7",
    "ATTRIBUTION_REGISTRY_TOPIC": "_schemas",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
}

#: Topics whose lag ``/api/v1/data/status`` reports.
INPUT_TOPICS: Final = (
    "attribution.touchpoints",
    "attribution.conversions",
    "attribution.identities",
    "attribution.spend",
    "attribution.erasures",
)


#: Names of this machine, for itself alone.
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Names: TypeAlias = Annotated[tuple[str, ...], NoDecode]


class SettingsError(ValueError):
    """A setting cannot be used; the message names each variable, its value and an example."""


class ApiSettings(BaseSettings):
    """How the API listens, how long it waits and what it assumes when a caller leaves a parameter out."""

    model_config = SettingsConfigDict(
        env_prefix="ATTRIBUTION_API_", populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8000, ge=0, le=65_535)
    default_model: str = "linear"
    request_timeout_s: float = Field(default=15.0, gt=0, le=600)
    query_threads: int = Field(default=8, ge=1, le=64)
    max_body_bytes: int = Field(default=200_000, ge=1_000, le=100_000_000)
    max_calculate_body_bytes: int = Field(default=2_000_000, ge=1_000, le=100_000_000)
    max_bulk_body_bytes: int = Field(default=16_000_000, ge=1_000, le=100_000_000)
    max_unpacked_bytes: int = Field(default=32_000_000, ge=1_000, le=500_000_000)
    intake_threads: int = Field(default=4, ge=1, le=64)
    produce_timeout_s: float = Field(default=8.0, gt=0, le=300)
    conversion_events: Names = ()
    touch_events: Names = (ANY,)
    channel_rules: Path | None = Field(default=None, validation_alias=AliasChoices("ATTRIBUTION_CHANNEL_RULES"))
    kafka_timeout_s: float = Field(default=1.0, gt=0, le=60)
    status_cache_s: float = Field(default=1.0, ge=0, le=60)
    report_keep_s: float = Field(default=30.0, ge=0, le=3_600)
    replay_dir: Path | None = Path("data")
    max_runs: int = Field(default=20, ge=1, le=10_000)
    insecure_dev: bool = False
    allowed_hosts: Names = ()
    cors_origins: Names = ()
    trusted_proxies: Names = ()
    rate_limit: str = "1000/second"
    quota: str = ""
    rate_storage: str = Field(default="memory://", pattern="^(memory|rediss?|redis\\+sentinel|redis\\+cluster)://")
    stream_poll_s: float = Field(default=0.5, gt=0, le=60)
    stream_overlap_s: float = Field(default=10.0, gt=0, le=3_600)
    stream_heartbeat_s: float = Field(default=15.0, gt=0, le=300)
    stream_send_timeout_s: float = Field(default=30.0, gt=0, le=600)
    stream_queue: int = Field(default=5_000, ge=1, le=1_000_000)
    stream_kept: int = Field(default=10_000, ge=1, le=1_000_000)
    streams_per_caller: int = Field(default=8, ge=1, le=1_000)
    max_concurrent: int = Field(default=64, ge=1, le=10_000)
    reporting_currency: str = Field(
        default="USD", pattern="^[A-Z]{3}$", validation_alias=AliasChoices("ATTRIBUTION_REPORTING_CURRENCY")
    )
    fx_max_age_days: int = Field(
        default=FX_MAX_AGE_DAYS, ge=0, le=31, validation_alias=AliasChoices("ATTRIBUTION_FX_MAX_AGE_DAYS")
    )
    default_models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=DEFAULT_MODELS, min_length=1, validation_alias=AliasChoices("ATTRIBUTION_DEFAULT_MODELS")
    )
    lookback_days: float = Field(
        default=90.0, ge=MIN_DAYS, le=3_650, validation_alias=AliasChoices("ATTRIBUTION_LOOKBACK_WINDOW_DAYS")
    )
    half_life_days: float = Field(
        default=7.0, ge=MIN_DAYS, le=3_650, validation_alias=AliasChoices("ATTRIBUTION_HALF_LIFE_DAYS")
    )
    kafka_bootstrap_servers: str = Field(
        default="127.0.0.1:9092", min_length=1, validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS")
    )

    registry_topic: str = Field(
        default=USUAL_TOPIC,
        pattern="^[A-Za-z0-9._-]{1,200}$",
        validation_alias=AliasChoices("ATTRIBUTION_REGISTRY_TOPIC"),
    )

    @field_validator(
        "default_models",
        "allowed_hosts",
        "cors_origins",
        "trusted_proxies",
        "conversion_events",
        "touch_events",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("replay_dir", mode="before")
    @classmethod
    def _empty_is_off(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("default_models")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(resolve(name).model_id for name in value))

    @field_validator("conversion_events")
    @classmethod
    def _are_events(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        EventNames.of(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_by_name(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.netloc
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(
                    f"{origin!r} is no origin; name each one, as credentials are sent: scheme://host[:port]"
                )
        return value

    @field_validator("rate_limit", "quota")
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        if value:
            limits.parse(value)
        return value

    @model_validator(mode="after")
    def _open_to_this_machine_only(self) -> Self:
        if self.insecure_dev and self.host not in LOOPBACK:
            raise ValueError(f"with insecure_dev nobody is asked who they are, so host={self.host!r} must be 127.0.0.1")
        return self

    @field_validator("default_model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        return resolve(value).model_id


def load_settings() -> ApiSettings:
    """Settings of this process's environment.

    Raises:
        SettingsError: a value cannot be used.
    """
    try:
        return ApiSettings()
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """One line per wrong setting: variable, reason, example; of settings that do not go together the reason alone."""
    lines = []
    for item in error.errors():
        if not item["loc"]:  # its input is all settings, and one may hold a password
            lines.append(item["msg"].removeprefix("Value error, "))
            continue
        field = str(item["loc"][0])
        name = field if field in EXAMPLES else f"ATTRIBUTION_API_{field.upper()}"
        lines.append(f"{name}={item.get('input')!r}: {item['msg']}. Example: {name}={EXAMPLES.get(name, '')}")
    return "\n".join(lines)
