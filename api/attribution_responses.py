"""Answers of ``/api/v1/attribution``. ``CalculatedCredit`` to ``Calculation`` describe what ``calculation`` writes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, Field

from api.responses import META_EXAMPLE, FieldError, Meta, example, example_of

_CREDIT: Final = {
    "touchpoint_id": "t-1",
    "channel": "Paid Search",
    "weight": 0.4,
    "value": 40.0,
    "value_micros": 40000000,
}


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


class IndexedCalculation(Calculation):
    """The answer of ``calculate`` for one journey of a batch."""

    model_config = example({"index": 0, "customer_id": "c-42", "currency": "USD", "results": []})

    index: int = Field(description="Position among the journeys of this request, from 0.")


class JourneyError(FieldError):
    """One thing that is wrong with one journey of a batch."""

    model_config = example(
        {
            "index": 1,
            "line": 2,
            "field": "conversion.value",
            "value": "ten",
            "reason": "give a decimal number such as 12.50",
        }
    )

    index: int = Field(description="Position among the journeys of this request, from 0.")
    line: int = Field(description="Line of the body, or number of the element, from 1.")


class BatchCalculation(BaseModel):
    """Calculations in the order of the journeys; ``calculated`` + ``failed`` = ``sent``."""

    model_config = example(
        {
            "sent": 2,
            "calculated": 1,
            "failed": 1,
            "calculations": [example_of(IndexedCalculation)],
            "errors": [example_of(JourneyError)],
        }
    )

    sent: int
    calculated: int
    failed: int
    calculations: list[IndexedCalculation]
    errors: list[JourneyError]


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
            "meta": META_EXAMPLE,
        }
    )

    customer_id: str
    results: list[Result]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null on the last one.")
    meta: Meta
