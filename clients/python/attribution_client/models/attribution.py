"""Answers of ``/attribution``: models, calculated and stored credits, comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attribution_client.frames import Table
from attribution_client.models.common import Dated, Meta
from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParameter:
    """A parameter of a model and its default."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of attribution."""

    id: str
    description: str
    formula: str
    parameters: tuple[ModelParameter, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Every model."""

    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculatedCredit:
    """What one touch earned; ``weight`` is its share."""

    touchpoint_id: str
    channel: str
    weight: float
    value_micros: int
    value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculatedResult:
    """Credits under one model; ``fallback`` names the model that stood in."""

    model: str
    credits: tuple[CalculatedCredit, ...]
    unattributed_value_micros: int
    fallback: str | None = None
    unattributed_value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation(Table):
    """Credits of a path that was sent. Rows: a credit each."""

    customer_id: str
    currency: str
    results: tuple[CalculatedResult, ...]

    row_path = (("results", ""), ("credits", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCalculation(Calculation):
    """The answer for one journey of a batch; ``index`` from 0."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyError:
    """What is wrong with one journey of a batch."""

    index: int
    line: int
    field: str
    reason: str
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCalculation(Table):
    """Calculations in the order of the journeys; ``calculated`` + ``failed`` = ``sent``. Rows: a credit each."""

    sent: int
    calculated: int
    failed: int
    calculations: tuple[IndexedCalculation, ...]
    errors: tuple[JourneyError, ...]

    row_path = (("calculations", ""), ("results", ""), ("credits", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCredit(CalculatedCredit):
    """The same of a stored conversion, with the touch's place and time."""

    position: int
    touched_at: datetime
    campaign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Stored credits of one conversion under one model; ``rev`` counts its corrections."""

    conversion_id: str
    conversion_type: str
    converted_at: datetime
    value_micros: int
    currency: str
    model: str
    rev: int
    credits: tuple[ResultCredit, ...]
    unattributed_value_micros: int
    value = Money()
    unattributed_value = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPage(Table):
    """Stored credits of a customer, newest conversion first. Rows: a credit each."""

    customer_id: str
    results: tuple[Result, ...]
    next_cursor: str | None
    meta: Meta

    row_path = (("results", "conversion_"), ("credits", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShare:
    """What a model gives a channel; ``share`` of the whole revenue."""

    model: str
    conversions: float
    revenue_micros: int
    share: float | None
    revenue = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelComparison:
    """A channel under every model; ``spread`` is the largest minus the smallest revenue."""

    channel: str
    models: tuple[ModelShare, ...]
    spread_micros: int
    spread_share: float | None
    spread = Money()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDistance:
    """Part of the revenue that model ``a`` gives to other channels than ``b``, 0 to 1."""

    a: str
    b: str
    distance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelComparison(Dated, Table):
    """Models side by side. Rows: a channel under a model each."""

    channels: tuple[ChannelComparison, ...]
    distances: tuple[ModelDistance, ...]
    disagreement_index: float | None

    row_path = (("channels", ""), ("models", ""))
