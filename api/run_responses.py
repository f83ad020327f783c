"""Answers of ``/api/v1/runs``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from api.requests import MIN_DAYS
from api.responses import META_EXAMPLE, Meta, example, example_of
from attribution.models.registry import model_names

_RUN: Final = {
    "run_id": 2,
    "name": "half-life-14",
    "is_active": False,
    "is_fed": True,
    "status": "complete",
    "source": "topics",
    "models": ["linear", "time_decay"],
    "model_version": "9f2c41aa07be",
    "config": {"half_life_us": 1209600000000},
    "from": None,
    "to": None,
    "done": 1000000,
    "total": 1000000,
    "created_at": "2026-11-24T10:00:00Z",
    "finished_at": "2026-11-24T10:01:04Z",
    "detail": "",
}


class RunEntry(BaseModel):
    """One set of parameters and how far its rows are. Times are null where there is none."""

    model_config = {**example(_RUN), "populate_by_name": True, "serialize_by_alias": True}

    run_id: int
    name: str
    is_active: bool = Field(description="Whether this run is the one that is shown.")
    is_fed: bool = Field(description="Whether workers can keep it up to date once it is shown.")
    status: str = Field(description="running, complete, failed, cancelled or dropped.")
    source: str = Field(description="What it was made from: topics or facts.")
    models: list[str]
    model_version: str = Field(description="Hash of the parameters.")
    config: dict[str, Any] = Field(description="The parameters; durations in microseconds.")
    start: datetime | None = Field(alias="from", description="Conversions from this time on; null: no bound.")
    end: datetime | None = Field(alias="to", description="Conversions before this time; null: no bound.")
    done: int = Field(description="Records or rows read.")
    total: int
    created_at: datetime | None
    finished_at: datetime | None
    detail: str


class RunReport(BaseModel):
    """Runs by id."""

    model_config = example({"runs": [_RUN], "meta": META_EXAMPLE})

    runs: list[RunEntry]
    meta: Meta


class ComparedRun(RunEntry):
    """A run with the checksum of its credits; equal for equal rows in any order."""

    model_config = {
        **example({**_RUN, "credit_rows": 644520, "checksum": "f338f8ec5d78e114a1aacb0d03668ad7"}),
        "populate_by_name": True,
        "serialize_by_alias": True,
    }

    credit_rows: int
    checksum: str


class ComparedModel(BaseModel):
    """How many rows of a model are equal; money in micros."""

    model_config = example(
        {
            "model": "linear",
            "currency": "USD",
            "equal": 10,
            "different": 1,
            "only_a": 0,
            "only_b": 0,
            "value_a": 1000000,
            "value_b": 1000000,
        }
    )

    model: str
    currency: str
    equal: int
    different: int
    only_a: int
    only_b: int
    value_a: int
    value_b: int


class ComparedChannel(BaseModel):
    """What a channel gets in each run under one model; money in micros."""

    model_config = example(
        {
            "model": "linear",
            "channel": "Email",
            "currency": "USD",
            "value_a": 1000000,
            "value_b": 1200000,
            "conversions_a": 1.5,
            "conversions_b": 2.0,
        }
    )

    model: str
    channel: str
    currency: str
    value_a: int
    value_b: int
    conversions_a: float
    conversions_b: float


class ComparedConversion(BaseModel):
    """A conversion whose credits differ: by ``difference`` micros, added over touches and models."""

    model_config = example(
        {
            "conversion_id": "purchase:o-1001",
            "converted_at": "2026-11-24T09:59:00Z",
            "currency": "USD",
            "models": ["linear"],
            "value_a": 100000000,
            "value_b": 100000000,
            "difference": 50000000,
        }
    )

    conversion_id: str
    converted_at: datetime
    currency: str
    models: list[str]
    value_a: int
    value_b: int
    difference: int


class RunComparison(BaseModel):
    """Two runs in the time that both hold."""

    model_config = {
        **example(
            {
                "a": example_of(ComparedRun),
                "b": example_of(ComparedRun),
                "from": None,
                "to": None,
                "models": [example_of(ComparedModel)],
                "channels": [example_of(ComparedChannel)],
                "conversions": [example_of(ComparedConversion)],
                "meta": META_EXAMPLE,
            }
        ),
        "populate_by_name": True,
        "serialize_by_alias": True,
    }

    a: ComparedRun
    b: ComparedRun
    start: datetime | None = Field(alias="from")
    end: datetime | None = Field(alias="to")
    models: list[ComparedModel]
    channels: list[ComparedChannel]
    conversions: list[ComparedConversion]
    meta: Meta


class PromoteIn(BaseModel):
    """What to show, and what the caller believes is shown."""

    model_config = {**example({"expected_active": 1, "frozen": False}), "extra": "forbid"}

    expected_active: int | None = Field(
        default=None, ge=1, le=2**32 - 1, description="Id of the run that is shown now; another one there is a 409."
    )
    frozen: StrictBool = Field(default=False, description="Also a run that no worker keeps up to date.")


class Promotion(BaseModel):
    """The run that is shown now. ``changed`` is false where it was shown already."""

    model_config = example({"run_id": 2, "name": "half-life-14", "changed": True, "previous": 1, "is_fed": True})

    run_id: int
    name: str
    changed: bool
    previous: int = Field(description="Id of the run that was shown before; promote it to go back.")
    is_fed: bool = Field(description="Whether workers of `attribution worker --run active` change to it.")


_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_TAKEN: Final = ("live", "active")
_Text = Annotated[str, Field(min_length=1, max_length=256)]
_Model = Annotated[
    Annotated[str, Field(min_length=1, max_length=64)],
    WithJsonSchema({"type": "string", "enum": list(model_names())}),
]


class ReplayIn(BaseModel):
    """What to compute: parameters that differ from those of the run that is shown."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={"example": {"name": "half-life-14", "half_life_days": 14, "source": "facts"}},
    )

    name: Annotated[
        str,
        Field(pattern=_NAME),
        WithJsonSchema({"type": "string", "pattern": _NAME, "not": {"enum": list(_TAKEN)}}),
    ] = Field(description="Of the new run; the same again goes on with it.")
    half_life_days: Annotated[float, Field(ge=MIN_DAYS, le=3_650, strict=True)] | None = None
    lookback_days: Annotated[float, Field(ge=MIN_DAYS, le=3_650, strict=True)] | None = None
    exclude_channels: Annotated[list[_Text], Field(max_length=100)] | None = Field(
        default=None, description="Channels that get nothing; an empty list: none is excluded."
    )
    models: Annotated[list[_Model], Field(min_length=1, max_length=20)] | None = None
    source: Literal["auto", "topics", "facts"] = Field(
        default="auto", description="From the Kafka topics, or from the facts in ClickHouse: faster, a snapshot."
    )
    start: AwareDatetime | None = Field(default=None, alias="from", description="Conversions from this time on.")
    end: AwareDatetime | None = Field(default=None, alias="to", description="Conversions before this time.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.name in _TAKEN:
            raise ValueError(f"name: {self.name} is not free; choose another, for instance half-life-14")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("to: must be after from")
        return self


class ChannelDifference(BaseModel):
    """What a channel gets in each run; money in micros."""

    model_config = example(
        {
            "channel": "Email",
            "currency": "USD",
            "value_a": 1000000,
            "value_b": 1200000,
            "conversions_a": 1.5,
            "conversions_b": 2.0,
        }
    )

    channel: str
    currency: str
    value_a: int
    value_b: int
    conversions_a: float
    conversions_b: float


class RunDifference(BaseModel):
    """Two runs by channel under one model, from their daily sums."""

    model_config = example(
        {
            "a": _RUN,
            "b": _RUN,
            "model": "linear",
            "start_date": "2026-11-01",
            "end_date": "2026-11-24",
            "channels": [example_of(ChannelDifference)],
            "pending_days_a": 0,
            "pending_days_b": 0,
            "meta": META_EXAMPLE,
        }
    )

    a: RunEntry
    b: RunEntry
    model: str
    start_date: date = Field(description="First whole day that both runs hold.")
    end_date: date
    channels: list[ChannelDifference]
    pending_days_a: int = Field(description="Days whose sums do not hold all rows yet.")
    pending_days_b: int
    meta: Meta
