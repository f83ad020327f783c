"""Settings of a worker, from the environment. A wrong value stops the start: field, value, example."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from attribution.config import DAY_US, DEFAULT_MODELS, AttributionConfig
from attribution.models.registry import resolve
from attribution.window import Window
from stream_app.dead_letter_limits import Limits

CommaList = Annotated[tuple[str, ...], NoDecode]


class WorkerSettings(BaseSettings):
    """Every setting has the product's environment name as its alias; ``.env.example`` lists them with their meaning."""

    model_config = SettingsConfigDict(populate_by_name=True, extra="ignore")

    bootstrap_servers: str = Field("127.0.0.1:9092", alias="KAFKA_BOOTSTRAP_SERVERS", examples=["broker-1:9092"])
    workspace: str = Field("default", alias="ATTRIBUTION_WORKSPACE", pattern="^[a-z][a-z0-9]{0,30}$", examples=["acme"])
    group_id: str = Field("attribution", alias="ATTRIBUTION_GROUP_ID", min_length=1, examples=["attribution"])
    data_dir: Path = Field(Path("data/worker-0"), alias="ATTRIBUTION_DATA_DIR", examples=["/var/lib/attribution/0"])
    run_id: int = Field(1, alias="ATTRIBUTION_RUN_ID", ge=1, le=2**32 - 1, examples=[1])

    emit_from_us: int = Field(0, alias="ATTRIBUTION_EMIT_FROM_US", ge=0, examples=[1764547200000000])
    emit_to_us: int = Field(0, alias="ATTRIBUTION_EMIT_TO_US", ge=0, examples=[1767225600000000])
    write_facts: bool = Field(True, alias="ATTRIBUTION_WRITE_FACTS", examples=["true"])
    write_dead_letters: bool = Field(True, alias="ATTRIBUTION_WRITE_DEAD_LETTERS", examples=["true"])
    describe_run: bool = Field(True, alias="ATTRIBUTION_DESCRIBE_RUN", examples=["true"])

    touchpoints_topic: str = Field("attribution.touchpoints", alias="ATTRIBUTION_TOUCHPOINTS_TOPIC")
    conversions_topic: str = Field("attribution.conversions", alias="ATTRIBUTION_CONVERSIONS_TOPIC")
    spend_topic: str = Field("attribution.spend", alias="ATTRIBUTION_SPEND_TOPIC")
    identities_topic: str = Field("attribution.identities", alias="ATTRIBUTION_IDENTITIES_TOPIC")
    erasures_topic: str = Field("attribution.erasures", alias="ATTRIBUTION_ERASURES_TOPIC")
    models_topic: str = Field("attribution.models", alias="ATTRIBUTION_MODELS_TOPIC")
    dead_letter_topic: str = Field("attribution.dead_letter", alias="ATTRIBUTION_DEAD_LETTER_TOPIC")
    dead_letter_max_ratio: float = Field(0.5, alias="ATTRIBUTION_DEAD_LETTER_MAX_RATIO", ge=0, le=1, examples=[0.5])
    dead_letter_window: int = Field(5_000, alias="ATTRIBUTION_DEAD_LETTER_WINDOW", ge=20, le=1_000_000, examples=[5000])
    dead_letter_max_consecutive: int = Field(
        1_000, alias="ATTRIBUTION_DEAD_LETTER_MAX_CONSECUTIVE", ge=0, examples=[1000]
    )
    schema_registry_url: str = Field("", alias="SCHEMA_REGISTRY_URL", examples=["http://registry:8081"])
    channel_rules: Path | None = Field(None, alias="ATTRIBUTION_CHANNEL_RULES", examples=["rules.yaml"])

    models: CommaList = Field(DEFAULT_MODELS, alias="ATTRIBUTION_DEFAULT_MODELS", examples=["linear,time_decay"])
    lookback_window_days: float = Field(
        90, alias="ATTRIBUTION_LOOKBACK_WINDOW_DAYS", gt=0, le=3650, allow_inf_nan=False, examples=[90]
    )
    half_life_days: float = Field(
        7, alias="ATTRIBUTION_HALF_LIFE_DAYS", gt=0, le=3650, allow_inf_nan=False, examples=[7]
    )
    custom_weights: CommaList = Field(
        ("0.4", "0.2", "0.4"), alias="ATTRIBUTION_CUSTOM_WEIGHTS", examples=["0.4,0.2,0.4"]
    )
    exclude_channels: CommaList = Field((), alias="ATTRIBUTION_EXCLUDE_CHANNELS", examples=["direct,internal"])
    reset_on_conversion: CommaList = Field((), alias="ATTRIBUTION_RESET_ON_CONVERSION", examples=["purchase"])
    max_touchpoints: int = Field(1_000, alias="ATTRIBUTION_MAX_TOUCHPOINTS", ge=2, le=100_000, examples=[1000])
    max_conversions: int = Field(1_000, alias="ATTRIBUTION_MAX_CONVERSIONS", ge=1, le=100_000, examples=[1000])
    max_linked_ids: int = Field(100, alias="ATTRIBUTION_MAX_LINKED_IDS", ge=2, le=10_000, examples=[100])
    allowed_lateness_days: float = Field(30, alias="ATTRIBUTION_ALLOWED_LATENESS_DAYS", ge=0, le=3650, examples=[30])
    conversion_retention_days: float = Field(
        400, alias="ATTRIBUTION_CONVERSION_RETENTION_DAYS", gt=0, le=36500, examples=[400]
    )

    erasure_secret: SecretStr = Field(
        SecretStr(""), alias="ATTRIBUTION_ERASURE_SECRET", examples=["a long random text"]
    )

    epoch_records: int = Field(50_000, alias="ATTRIBUTION_EPOCH_RECORDS", ge=1, le=200_000, examples=[50000])
    epoch_linger_ms: float = Field(200, alias="ATTRIBUTION_EPOCH_LINGER_MS", ge=0, le=10_000, examples=[200])
    align_topics: bool = Field(True, alias="ATTRIBUTION_ALIGN_TOPICS", examples=["true"])
    fetch_bytes: int = Field(4 << 20, alias="ATTRIBUTION_FETCH_BYTES", ge=1 << 10, examples=[4194304])
    session_timeout_s: float = Field(10.0, alias="ATTRIBUTION_SESSION_TIMEOUT_S", ge=1, le=1800, examples=[10])
    state_cache_mb: int = Field(256, alias="ATTRIBUTION_STATE_CACHE_MB", ge=8, examples=[256])
    state_write_mb: int = Field(256, alias="ATTRIBUTION_STATE_WRITE_MB", ge=32, examples=[256])
    watchdog_s: float = Field(120.0, alias="ATTRIBUTION_WATCHDOG_S", ge=0, le=86_400, examples=[120])
    stop_timeout_s: float = Field(30.0, alias="ATTRIBUTION_STOP_TIMEOUT_S", gt=0, le=3600, examples=[30])

    @field_validator("dead_letter_max_ratio", "dead_letter_max_consecutive", mode="before")
    @classmethod
    def _empty_is_off(cls, value: Any) -> Any:
        return 0 if value == "" else value

    @field_validator("models", "custom_weights", "exclude_channels", "reset_on_conversion", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _known_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one model")
        return tuple(dict.fromkeys(resolve(v).model_id for v in value))

    @field_validator("custom_weights")
    @classmethod
    def _three_weights(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            weights = [Decimal(v) for v in value]
        except InvalidOperation as error:
            raise ValueError("weights are decimal numbers") from error
        if len(weights) != 3 or any(not w.is_finite() or w < 0 for w in weights) or not any(weights):
            raise ValueError("three weights (first, middle, last), none negative, not all zero")
        return value

    @model_validator(mode="after")
    def _in_its_workspace(self) -> Self:
        """Topics, group and folder of a workspace carry its name; of settings that were made so before, once."""
        name = self.workspace
        if name == "default" or self.group_id.startswith(f"{name}."):
            return self
        for field in (*(f for f in type(self).model_fields if f.endswith("_topic")), "group_id"):
            setattr(self, field, f"{name}.{getattr(self, field)}")
        self.data_dir = self.data_dir / name
        return self

    def attribution_config(self) -> AttributionConfig:
        """The parameters of the core."""
        first, middle, last = (Decimal(w) for w in self.custom_weights)
        return AttributionConfig(
            models=self.models,
            lookback_us=round(self.lookback_window_days * DAY_US),
            half_life_us=round(self.half_life_days * DAY_US),
            custom_weights=(first, middle, last),
            exclude_channels=frozenset(c.casefold() for c in self.exclude_channels),
            reset_on_conversion=frozenset(self.reset_on_conversion),
            max_touchpoints=self.max_touchpoints,
            max_conversions=self.max_conversions,
            max_linked_ids=self.max_linked_ids,
            allowed_lateness_us=round(self.allowed_lateness_days * DAY_US),
            conversion_retention_us=round(self.conversion_retention_days * DAY_US),
        )

    def dead_letter_limits(self) -> Limits:
        """How many invalid records stop the worker."""
        return Limits(self.dead_letter_max_ratio, self.dead_letter_window, self.dead_letter_max_consecutive)

    @property
    def window(self) -> Window:
        """Conversions that this run holds."""
        return Window(self.emit_from_us, self.emit_to_us)

    @property
    def source_topics(self) -> tuple[str, ...]:
        """Topics that a worker reads, all with the same number of partitions."""
        return (
            self.touchpoints_topic,
            self.conversions_topic,
            self.spend_topic,
            self.identities_topic,
            self.erasures_topic,
            self.handovers_topic,
        )

    @property
    def handovers_topic(self) -> str:
        """Internal topic on which workers tell each other about ids of one person."""
        return f"{self.group_id}-handovers"

    @property
    def changelog_topic(self) -> str:
        """Compacted topic that holds every journey; its name follows from the group."""
        return f"{self.group_id}-journeys-changelog"
