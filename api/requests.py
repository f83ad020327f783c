"""The body of ``POST /api/v1/attribution/calculate``, validated to the core's own units.

Amounts are JSON numbers or numeric strings, times ISO-8601 texts or epochs (s, ms, us by magnitude); a time without
a zone is UTC. Unknown fields are refused, so that a misspelt option cannot be ignored silently.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from attribution.errors import InvalidParameterError
from attribution.models.registry import model_names, resolve
from attribution.money import MAX_MICROS, to_micros
from attribution.times import to_us

MAX_TOUCHPOINTS: Final = 10_000
#: The shortest duration that is asked for, in days: durations are whole microseconds, and none may be 0.
MIN_DAYS: Final = 1e-6


def _reasoned(convert: Callable[[Any], int]) -> Callable[[Any], int]:
    """The core's conversion with its way out as the reason: field and value are told by the problem itself."""

    def converted(value: Any) -> int:
        try:
            return convert(value)
        except InvalidParameterError as error:
            raise ValueError(error.way_out) from None

    return converted


def _model_id(value: Any) -> str:
    try:
        return resolve(value).model_id
    except InvalidParameterError as error:
        raise ValueError(f"is not a model; {error.way_out}") from None


Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]

TimeUs: TypeAlias = Annotated[
    int,
    BeforeValidator(_reasoned(to_us)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": 1e-6, "exclusiveMaximum": 1e20},
            ],
            "description": "ISO-8601 (UTC when it has no zone) or an epoch in s, ms or us.",
        }
    ),
]

Micros: TypeAlias = Annotated[
    int,
    BeforeValidator(_reasoned(to_micros)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": -MAX_MICROS / 1e6, "maximum": MAX_MICROS / 1e6},
                {"type": "string", "pattern": r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"},
            ],
            "description": "Amount in currency units, at most six decimals; a string keeps every digit.",
        }
    ),
]

ModelId: TypeAlias = Annotated[
    str,
    BeforeValidator(_model_id),
    WithJsonSchema({"type": "string", "enum": list(model_names()), "description": "A model id or alias."}),
]

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


class TouchpointIn(BaseModel):
    """One contact of the customer with a channel. ``cost`` is accepted for convenience; no model reads it."""

    model_config = _STRICT

    id: Text
    timestamp: TimeUs
    channel: Text
    campaign: Annotated[str, Field(max_length=256)] = ""
    cost: Micros = 0


class ConversionIn(BaseModel):
    """The conversion to be credited."""

    model_config = _STRICT

    timestamp: TimeUs
    value: Micros


class CalculateIn(BaseModel):
    """A path, its conversion and the models to compare."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "example": {
                "customer_id": "c-42",
                "touchpoints": [
                    {"id": "t-1", "timestamp": "2026-11-01T09:00:00Z", "channel": "Paid Search", "cost": 0.35},
                    {"id": "t-2", "timestamp": "2026-11-08T18:30:00Z", "channel": "Email", "cost": 0},
                    {"id": "t-3", "timestamp": "2026-11-14T07:45:00Z", "channel": "Direct"},
                ],
                "conversion": {"timestamp": "2026-11-14T08:00:00Z", "value": 100.0},
                "models": ["linear", "time_decay", "u_shaped"],
                "currency": "USD",
            }
        },
    )

    customer_id: Text
    touchpoints: Annotated[list[TouchpointIn], Field(max_length=MAX_TOUCHPOINTS)]
    conversion: ConversionIn
    models: Annotated[list[ModelId], Field(min_length=1, max_length=50)] | None = Field(
        default=None, description="Left out: the default models."
    )
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = Field(
        default=None, description="ISO 4217; left out: the reporting currency."
    )
    milestones: dict[Literal["lead_created", "opportunity_created"], TimeUs] = Field(
        default_factory=dict, description="Times of the milestones that `w_shaped` and `full_path` read."
    )
    lookback_days: Annotated[float, Field(ge=MIN_DAYS, le=3_650)] | None = None
    half_life_days: Annotated[float, Field(ge=MIN_DAYS, le=3_650)] | None = None
    custom_weights: tuple[Decimal, Decimal, Decimal] | None = Field(
        default=None, description="Shares (first, middle, last) of the model `custom`."
    )
    direct_channels: list[Text] | None = Field(
        default=None, max_length=100, description="Channels that `last_non_direct` skips."
    )
