"""What the events of the live feed hold."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.attribution_responses import ResultCredit
from api.responses import example, example_of


class LiveConversion(BaseModel):
    """``data`` of the event ``conversion``: one version of it, named by ``conversion_id``, ``rev`` and ``removed``."""

    model_config = example(
        {
            "conversion_id": "purchase:o-1001",
            "rev": 7,
            "removed": False,
            "customer_id": "c-42",
            "conversion_type": "purchase",
            "converted_at": "2026-11-24T09:59:00Z",
            "value": 100.0,
            "value_micros": 100000000,
            "currency": "USD",
            "run_id": 1,
            "model": "linear",
            "model_version": "9f2c41aa07be",
            "emitted_at": "2026-11-24T09:59:01Z",
            "credits": [example_of(ResultCredit)],
            "unattributed_value_micros": 0,
        }
    )

    conversion_id: str
    rev: int = Field(description="Of two versions the one with the higher rev counts.")
    removed: bool = Field(description="The conversion is gone. At the same rev, a version that is not removed counts.")
    customer_id: str
    conversion_type: str
    converted_at: datetime
    value: float
    value_micros: int
    currency: str
    run_id: int
    model: str | None = Field(description="Null where the run does not compute it, or the conversion is removed.")
    model_version: str
    emitted_at: datetime
    credits: list[ResultCredit]
    unattributed_value_micros: int
