"""Answers of ``/runs``. Amounts here are integers of micros under plain names, as the service calls them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from attribution_client.frames import Table
from attribution_client.models.common import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One set of parameters and how far its rows are; ``from_`` and ``to`` bound its conversions."""

    run_id: int
    name: str
    is_active: bool
    is_fed: bool
    status: str
    source: str
    models: tuple[str, ...]
    model_version: str
    config: dict[str, Any]
    from_: datetime | None
    to: datetime | None
    done: int
    total: int
    created_at: datetime | None
    finished_at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport(Table):
    """Runs by id."""

    runs: tuple[RunEntry, ...]
    meta: Meta

    row_path = (("runs", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun(RunEntry):
    """A run with the checksum of its credits, which is equal for equal rows in any order."""

    credit_rows: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """How many rows of a model are equal; values in micros."""

    model: str
    currency: str
    equal: int
    different: int
    only_a: int
    only_b: int
    value_a: int
    value_b: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedChannel:
    """What a channel gets in each run under one model; values in micros."""

    model: str
    channel: str
    currency: str
    value_a: int
    value_b: int
    conversions_a: float
    conversions_b: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedConversion:
    """A conversion whose credits differ, by ``difference`` micros."""

    conversion_id: str
    converted_at: datetime
    currency: str
    models: tuple[str, ...]
    value_a: int
    value_b: int
    difference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison(Table):
    """Two runs in the time that both hold. Rows: a channel under a model each."""

    a: ComparedRun
    b: ComparedRun
    from_: datetime | None
    to: datetime | None
    models: tuple[ComparedModel, ...]
    channels: tuple[ComparedChannel, ...]
    conversions: tuple[ComparedConversion, ...]
    meta: Meta

    row_path = (("channels", ""),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The run that is shown now; ``previous`` was shown before."""

    run_id: int
    name: str
    changed: bool
    previous: int
    is_fed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDifference:
    """What a channel gets in each run; values in micros."""

    channel: str
    currency: str
    value_a: int
    value_b: int
    conversions_a: float
    conversions_b: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDifference(Table):
    """Two runs by channel under one model; ``pending_days`` of each are not summed yet."""

    a: RunEntry
    b: RunEntry
    model: str
    start_date: date
    end_date: date
    channels: tuple[ChannelDifference, ...]
    pending_days_a: int
    pending_days_b: int
    meta: Meta

    row_path = (("channels", ""),)
