"""Answers of the API: typed, with an example each.

Every amount comes twice: ``…_micros`` is the exact integer (1e-6 of a currency unit), the plain name the same as
a JSON number. The number shows all six decimals without loss up to 1,000,000,000 units; beyond, compute with micros.
Ratios are ``null`` where their divisor is zero.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.store import Basis


def amount(micros: int) -> float:
    """Micros as the nearest number, which prints as the exact decimal up to 1e15 micros."""
    return micros / 1_000_000


def example(value: Any) -> ConfigDict:
    """Model configuration: frozen, with one example in the schema."""
    return ConfigDict(frozen=True, json_schema_extra={"example": value})


def example_of(model: type[BaseModel]) -> Any:
    """The example that ``example`` gave a model."""
    extra = model.model_config.get("json_schema_extra")
    return extra["example"] if isinstance(extra, dict) else None


_META = {
    "run_id": 1,
    "as_of": "2026-11-24T10:00:05.250000Z",
    "watermark": "2026-11-24T10:00:01.731000Z",
    "lag_seconds": 4.2,
    "model": "linear",
    "model_version": "9f2c41aa07be",
    "currency": "USD",
}
_CREDIT = {"touchpoint_id": "t-1", "channel": "Paid Search", "weight": 0.4, "value": 40.0, "value_micros": 40000000}
_RATIOS = {
    "conversions": 12.5,
    "revenue": 1875.25,
    "revenue_micros": 1875250000,
    "spend": 500.0,
    "spend_micros": 500000000,
    "touchpoints": 31,
    "cpa": 40.0,
    "roas": 3.7505,
    "roi": 2.7505,
}


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    model_config = example({"field": "models.0", "value": "lst_touch", "reason": "is not a model; valid: first_touch"})

    field: str
    value: str | int | float | bool | None = None
    reason: str


class ProblemBody(BaseModel):
    """A failure, as RFC 9457 describes it."""

    model_config = example(
        {
            "type": "urn:realtime-attribution:problem:invalid-input",
            "title": "Invalid input",
            "status": 422,
            "detail": "Invalid input: conversion.value.",
            "instance": "urn:uuid:5e0c7b52-2ed2-4b6e-8a39-0f6d4ad0b7e4",
            "errors": [{"field": "conversion.value", "value": "ten", "reason": "must be a number, for example 99.90"}],
        }
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="Id of this request; the server's log names the same one.")
    errors: list[FieldError] | None = Field(default=None, description="One entry per wrong field.")
    dependency: str | None = Field(default=None, description="Name of the dependency that does not answer.")


class Meta(BaseModel):
    """What an aggregate stands on; ``null`` where nothing was written yet."""

    model_config = example(_META)

    run_id: int
    as_of: datetime | None = Field(description="When the aggregate was built.")
    watermark: datetime | None = Field(description="Event time up to which every partition was read.")
    lag_seconds: float | None = Field(description="Now minus the watermark.")
    model: str | None = None
    model_version: str | None = Field(description="Hash of the parameters behind the newest rows.")
    currency: str | None = None


class DependencyState(BaseModel):
    """One dependency, by name."""

    model_config = example({"name": "clickhouse", "status": "ok", "required": True})

    name: str
    status: Literal["ok", "unavailable"]
    required: bool
    reason: str | None = None


class Health(BaseModel):
    """Whether the API answers, with the state of what it depends on."""

    model_config = example(
        {
            "status": "ok",
            "version": "0.1.0",
            "dependencies": [{"name": "clickhouse", "status": "ok", "required": True}],
        }
    )

    status: Literal["ok", "degraded"]
    version: str
    dependencies: list[DependencyState]


class ModelParameter(BaseModel):
    """A parameter of a model."""

    model_config = example({"name": "half_life_days", "default": "7"})

    name: str
    default: str | None = None


class Model(BaseModel):
    """An attribution model."""

    model_config = example(
        {
            "id": "u_shaped",
            "description": "40 % first, 40 % last, 20 % shared between.",
            "formula": "w1 = wn = 0.4; wi = 0.2 / (n - 2)",
            "parameters": [],
            "aliases": ["position_based"],
        }
    )

    id: str
    description: str
    formula: str
    parameters: list[ModelParameter]
    aliases: list[str]


class ModelList(BaseModel):
    """Every model that can be asked for."""

    model_config = example({"models": [example_of(Model)]})

    models: list[Model]


class CalculatedCredit(BaseModel):
    """What one touchpoint earns."""

    model_config = example(_CREDIT)

    touchpoint_id: str
    channel: str
    weight: float
    value: float
    value_micros: int


class CalculatedResult(BaseModel):
    """One model's credits in path order. ``fallback`` names the model that stood in, if one did."""

    model_config = example(
        {"model": "u_shaped", "credits": [_CREDIT], "unattributed_value": 0.0, "unattributed_value_micros": 0}
    )

    model: str
    credits: list[CalculatedCredit]
    unattributed_value: float
    unattributed_value_micros: int
    fallback: str | None = None


class Calculation(BaseModel):
    """Credits of one conversion under each model."""

    model_config = example(
        {
            "customer_id": "c-42",
            "currency": "USD",
            "results": [example_of(CalculatedResult)],
        }
    )

    customer_id: str
    currency: str
    results: list[CalculatedResult]


class ResultCredit(CalculatedCredit):
    """What one touchpoint of a stored path earned; ``position`` starts at 1."""

    model_config = example(
        {"position": 1, "touched_at": "2026-11-20T08:15:00Z", "campaign": "brand", **_CREDIT},
    )

    position: int
    touched_at: datetime
    campaign: str | None = None


class Result(BaseModel):
    """One model's credits of one stored conversion."""

    model_config = example(
        {
            "conversion_id": "purchase:o-1001",
            "conversion_type": "purchase",
            "converted_at": "2026-11-24T09:59:00Z",
            "value": 100.0,
            "value_micros": 100000000,
            "currency": "USD",
            "model": "linear",
            "rev": 7,
            "credits": [example_of(ResultCredit)],
            "unattributed_value": 0.0,
            "unattributed_value_micros": 0,
        }
    )

    conversion_id: str
    conversion_type: str
    converted_at: datetime
    value: float
    value_micros: int
    currency: str
    model: str
    rev: int = Field(description="Rises with every correction of this conversion's journey.")
    credits: list[ResultCredit]
    unattributed_value: float
    unattributed_value_micros: int


class ResultPage(BaseModel):
    """A customer's results, newest conversion first."""

    model_config = example(
        {
            "customer_id": "c-42",
            "results": [example_of(Result)],
            "next_cursor": None,
            "meta": _META,
        }
    )

    customer_id: str
    results: list[Result]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null on the last one.")
    meta: Meta


class Performance(BaseModel):
    """Sums with their ratios: ``cpa`` spend / conversions, ``roas`` revenue / spend, ``roi`` = ``roas`` - 1."""

    model_config = example(_RATIOS)

    conversions: float = Field(description="Sum of weights.")
    revenue: float
    revenue_micros: int
    spend: float
    spend_micros: int
    touchpoints: int = Field(description="Touchpoints that earned credit, once per conversion.")
    cpa: float | None
    roas: float | None
    roi: float | None


class _Named(BaseModel):
    channel: str


class ChannelPerformance(Performance, _Named):  # in this order, the name is the first field
    """One channel; ``unattributed`` holds the conversions without an eligible touchpoint."""

    model_config = example({"channel": "Paid Search", **_RATIOS, "spend_through": "2026-11-23"})

    spend_through: date | None = Field(
        description="Newest day up to `end_date` with spend of this channel; null: it never had any."
    )


class ChannelReport(BaseModel):
    """What each channel returned on its spend. Days are UTC, both ends inclusive."""

    model_config = example(
        {
            "start_date": "2026-11-01",
            "end_date": "2026-11-24",
            "basis": "conversion_day",
            "channels": [{"channel": "Paid Search", **_RATIOS, "spend_through": "2026-11-23"}],
            "totals": _RATIOS,
            "other_currencies": [],
            "converted_currencies": ["EUR", "JPY"],
            "spend_behind": ["Paid Search"],
            "meta": _META,
        }
    )

    start_date: date
    end_date: date
    basis: Basis = Field(description="Whether credits count on the day of the conversion or of the touch.")
    channels: list[ChannelPerformance]
    totals: Performance
    other_currencies: list[str] = Field(
        description="Currencies with rows that this report leaves out, since they have no exchange rate."
    )
    converted_currencies: list[str] = Field(
        description="Currencies with rows that were converted, each at the rate of its own day."
    )
    spend_behind: list[str] = Field(description="Channels whose spend is not yet known up to `end_date`.")
    meta: Meta


class EarnedCredit(BaseModel):
    """What a touchpoint earned from one conversion, or what stayed unattributed of a conversion."""

    model_config = example(
        {
            "model": "linear",
            "conversion_id": "purchase:o-1001",
            "weight": 0.5,
            "value": 50.0,
            "value_micros": 50000000,
            "currency": "USD",
        }
    )

    model: str
    conversion_id: str
    weight: float
    value: float
    value_micros: int
    currency: str


class JourneyEvent(BaseModel):
    """A touchpoint or a conversion of a journey, as it was received."""

    model_config = example(
        {
            "type": "touchpoint",
            "event_id": "t-1",
            "occurred_at": "2026-11-20T08:15:00Z",
            "channel": "Paid Search",
            "campaign": "brand",
            "touch_type": "click",
            "cost": 0.35,
            "cost_micros": 350000,
            "currency": "USD",
            "credits": [example_of(EarnedCredit)],
        }
    )

    type: Literal["touchpoint", "conversion"]
    event_id: str
    occurred_at: datetime
    channel: str | None = None
    campaign: str | None = None
    touch_type: str | None = None
    cost: float | None = None
    cost_micros: int | None = None
    conversion_id: str | None = None
    conversion_type: str | None = None
    order_id: str | None = None
    value: float | None = None
    value_micros: int | None = None
    currency: str | None = None
    status: str | None = None
    adjusts: str | None = None
    credits: list[EarnedCredit] | None = Field(default=None, description="Present when `models` was asked for.")


class CustomerJourney(BaseModel):
    """A customer's touchpoints and conversions in order of time."""

    model_config = example(
        {
            "customer_id": "c-42",
            "events": [example_of(JourneyEvent)],
            "next_cursor": None,
            "meta": _META,
        }
    )

    customer_id: str
    events: list[JourneyEvent]
    next_cursor: str | None
    meta: Meta


class PartitionStatus(BaseModel):
    """How far one partition was read. ``offset`` is the next one to read; null where it is not known."""

    model_config = example(
        {
            "topic": "attribution.touchpoints",
            "partition": 0,
            "offset": 12050,
            "end_offset": 12061,
            "lag": 11,
            "watermark": "2026-11-24T10:00:01.731000Z",
            "updated_at": "2026-11-24T10:00:02.100000Z",
        }
    )

    topic: str
    partition: int
    offset: int | None
    end_offset: int | None
    lag: int | None = Field(description="Records not yet read.")
    watermark: datetime | None
    updated_at: datetime | None


class DeadLetterCount(BaseModel):
    """Records set aside for one reason."""

    model_config = example({"reason": "undecodable", "count": 3})

    reason: str
    count: int


class DataStatus(BaseModel):
    """How fresh and how complete the data are."""

    model_config = example(
        {
            "kafka": {"name": "kafka", "status": "ok", "required": False},
            "total_lag": 11,
            "partitions": [example_of(PartitionStatus)],
            "dead_letters": [{"reason": "undecodable", "count": 3}],
            "meta": _META,
        }
    )

    kafka: DependencyState
    total_lag: int | None = Field(description="Sum over partitions; null while Kafka or an offset is unknown.")
    partitions: list[PartitionStatus]
    dead_letters: list[DeadLetterCount]
    meta: Meta
