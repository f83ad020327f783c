"""What the events of the live stream hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from attribution_client.models.attribution import ResultCredit
from attribution_client.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConversion:
    """One version of a conversion, with its credits under one model.

    Of two versions the one with the higher ``rev`` counts; at the same, one that is not ``removed``. ``model`` is None
    where the run does not compute the one that was asked for, or the conversion is gone.
    """

    conversion_id: str
    rev: int
    removed: bool
    customer_id: str
    conversion_type: str
    converted_at: datetime
    value_micros: int
    currency: str
    run_id: int
    model: str | None
    model_version: str
    emitted_at: datetime
    credits: tuple[ResultCredit, ...]
    unattributed_value_micros: int
    value = Money()
    unattributed_value = Money()
