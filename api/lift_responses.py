"""Lift tests and the calibration that follows from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from api.responses import META_EXAMPLE, Meta, example, example_of

MAX_TESTS: Final = 1_000
_MAX: Final = 1e12
_TEST: Final = {
    "test_id": "geo-2026-10",
    "channel": "display",
    "start_date": "2026-10-01",
    "end_date": "2026-10-28",
    "incremental_conversions": 310.0,
    "standard_error": 45.0,
    "note": "geo holdout, 12 regions",
}


def _known(day: date) -> date:
    if not 2000 <= day.year <= 2099:
        raise ValueError("give a day of the years 2000 to 2099")
    return day


_Day: TypeAlias = Annotated[
    date,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "format": "date", "pattern": r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}),
]


class LiftTestIn(BaseModel):
    """One experiment as it was reported."""

    model_config = ConfigDict(extra="forbid", **example(_TEST))

    test_id: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^/\x00-\x1f\x7f]+$")] = Field(
        description="Yours; the same one again replaces the test."
    )
    channel: Annotated[str, Field(min_length=1, max_length=256)]
    start_date: _Day
    end_date: _Day = Field(description="Inclusive.")
    incremental_conversions: Annotated[float, Field(ge=-_MAX, le=_MAX, allow_inf_nan=False, strict=True)] = Field(
        description="What the channel caused in these days; may be negative."
    )
    standard_error: Annotated[float, Field(gt=0, le=_MAX, allow_inf_nan=False, strict=True)] = Field(
        description="Of the estimate, in conversions."
    )
    note: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self


class LiftTestsIn(BaseModel):
    """Tests to keep: all of them or, when one is wrong, none."""

    model_config = ConfigDict(extra="forbid", **example({"tests": [_TEST]}))

    tests: Annotated[list[LiftTestIn], Field(min_length=1, max_length=MAX_TESTS)]


class LiftTest(BaseModel):
    """One recorded experiment."""

    model_config = example({**_TEST, "recorded_at": "2026-11-02T08:00:00Z"})

    test_id: str
    channel: str
    start_date: date
    end_date: date
    incremental_conversions: float
    standard_error: float
    note: str
    recorded_at: datetime | None


class LiftTests(BaseModel):
    """All recorded tests, the newest period first."""

    model_config = example({"tests": [example_of(LiftTest)]})

    tests: list[LiftTest]


class LiftTestsKept(BaseModel):
    """What was kept."""

    model_config = example({"kept": 1})

    kept: int


class CalibratedChannel(BaseModel):
    """One channel: its raw credit, and beside it what its tests say. Without a usable test those are null."""

    model_config = example(
        {
            "channel": "display",
            "credited": 620.0,
            "tests": 2,
            "factor": 0.52,
            "factor_low": 0.38,
            "factor_high": 0.66,
            "calibrated": 322.4,
            "calibrated_low": 235.6,
            "calibrated_high": 409.2,
            "disagreement": 1.0,
        }
    )

    channel: str
    credited: float = Field(description="Conversions that the model credits: the raw number, which conserves each one.")
    tests: int = Field(description="Tests in which the model gave the channel credit.")
    factor: float | None = Field(description="Incremental over credited conversions of the same days, weighted mean.")
    factor_low: float | None
    factor_high: float | None
    calibrated: float | None = Field(description="`credited` times `factor`; it does not conserve conversions.")
    calibrated_low: float | None
    calibrated_high: float | None
    disagreement: float = Field(description="Above 1: the tests differ by more than their errors say, so it is wider.")


class LiftCalibration(BaseModel):
    """A model's credit with what experiments say of it, beside it and never over it."""

    model_config = example(
        {
            "start_date": "2026-11-01",
            "end_date": "2026-11-28",
            "channels": [example_of(CalibratedChannel)],
            "level": 0.95,
            "coverage": 0.41,
            "residual": 297.6,
            "meta": META_EXAMPLE,
        }
    )

    start_date: date
    end_date: date
    channels: list[CalibratedChannel]
    level: float = Field(description="Of the intervals.")
    coverage: float = Field(description="Share of the raw credit that stands in tested channels, 0 to 1.")
    residual: float = Field(
        description="Raw conversions less calibrated ones of tested channels and raw ones of the others."
    )
    meta: Meta
