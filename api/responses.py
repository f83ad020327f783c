"""What all answers of the API share; those of one resource are in ``<resource>_responses``. Each has an example.

Every amount comes twice: ``…_micros`` is the exact integer (1e-6 of a currency unit), the plain name the same as
a JSON number. The number shows all six decimals without loss up to 1,000,000,000 units; beyond, compute with micros.
Ratios are ``null`` where their divisor is zero.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field


def amount(micros: int) -> float:
    """Micros as the nearest number, which prints as the exact decimal up to 1e15 micros."""
    return micros / 1_000_000


def iso(at: datetime) -> str:
    """A UTC time as answers write it."""
    return at.isoformat().replace("+00:00", "Z")


def example(value: Any) -> ConfigDict:
    """Model configuration: frozen, with one example in the schema."""
    return ConfigDict(frozen=True, json_schema_extra={"example": value})


def example_of(model: type[BaseModel]) -> Any:
    """The example that ``example`` gave a model."""
    extra = model.model_config.get("json_schema_extra")
    return extra["example"] if isinstance(extra, dict) else None


META_EXAMPLE: Final = {
    "run_id": 1,
    "as_of": "2026-11-24T10:00:05.250000Z",
    "watermark": "2026-11-24T10:00:01.731000Z",
    "lag_seconds": 4.2,
    "model": "linear",
    "model_version": "9f2c41aa07be",
    "currency": "USD",
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

    model_config = example(META_EXAMPLE)

    run_id: int
    as_of: datetime | None = Field(description="When the aggregate was built.")
    watermark: datetime | None = Field(description="Event time up to which every partition was read.")
    lag_seconds: float | None = Field(description="Now minus the watermark.")
    model: str | None = None
    model_version: str | None = Field(description="Hash of the parameters behind the newest rows.")
    currency: str | None = None
