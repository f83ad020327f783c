"""The port through which the API reads: row types and the ``Store`` protocol.

Amounts are int micros, times aware UTC, days dates (UTC). A store reads the active run only.
Every method raises ``Unavailable`` when its dependency does not answer, and nothing else for a caller's input:
an unknown customer, model or currency is an empty answer.

``clickhouse_store.ClickHouseStore`` is the real one, ``testing.MemoryStore`` the double: one contract suite for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from api.analytics_store import Analytics
from api.funnel_store import Funnels
from api.lift_store import LiftStore
from api.live_store import LiveStore
from api.paths_store import Paths
from api.run_store import RunStore

#: By which day credits are summed; spend has one day only. The unattributed row is by conversion day in both.
Basis: TypeAlias = Literal["conversion_day", "touch_day"]

#: How many days back the last exchange rate may lie before a day has none.
FX_MAX_AGE_DAYS: Final = 7


class Unavailable(Exception):  # noqa: N818 - a state of a dependency, not a mistake of ours
    """A dependency does not answer; ``reason`` is fit for a caller (no address, no SQL)."""

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"{dependency}: {reason}")
        self.dependency = dependency
        self.reason = reason


class ResultKey(NamedTuple):
    """Position in ``results``, which run from the newest conversion to the oldest."""

    converted_at: datetime
    conversion_id: str
    model: str


class EventKey(NamedTuple):
    """Position in ``journey``, which runs from the oldest event to the newest."""

    occurred_at: datetime
    kind: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Meta:
    """What the numbers stand on. ``None``: nothing was written yet.

    ``as_of``: when the aggregates were built; those by touch day at ``touch_as_of``. ``watermark``: the event time up
    to which every partition that has reported was read. ``model_version``: hash of the parameters of the newest rows.
    """

    run_id: int
    as_of: datetime | None
    watermark: datetime | None
    model_version: str | None
    touch_as_of: datetime | None = None

    def by(self, basis: Basis) -> Meta:
        """The same for a report by this day."""
        return replace(self, as_of=self.touch_as_of) if basis == "touch_day" else self


@dataclass(frozen=True, slots=True)
class State:
    """State of all that reports over rollups read: equal states, equal reports.

    ``days``: the built days of the run with a state each; ``rates``, ``spend``: states of the exchange rates, of spend.
    """

    run_id: int
    days: dict[date, tuple[int, ...]]
    rates: tuple[int, ...]
    spend: tuple[int, ...]


class Standing(NamedTuple):
    """What the numbers stand on, of one moment; a report read after it is at least as new as both say.

    ``state`` is None where the store does not know it.
    """

    meta: Meta
    state: State | None


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """Sums of one channel: weights, micros, and touches that earned a weight above 0 (once per conversion).

    ``spend_through``: the newest day up to the end of the period with spend of this channel, in any currency.
    """

    channel: str
    conversions: float
    revenue_micros: int
    spend_micros: int
    touchpoints: int
    spend_through: date | None = None


@dataclass(frozen=True, slots=True)
class TouchCredit:
    """One touch of a path and its credit; ``position`` starts at 1."""

    position: int
    touchpoint_id: str
    touched_at: datetime
    channel: str
    campaign: str
    weight: float
    value_micros: int


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One model's credits of one conversion, in path order."""

    model: str
    conversion_id: str
    conversion_type: str
    converted_at: datetime
    value_micros: int
    currency: str
    rev: int
    credits: tuple[TouchCredit, ...]

    @property
    def key(self) -> ResultKey:
        """Where the next page begins."""
        return ResultKey(self.converted_at, self.conversion_id, self.model)


@dataclass(frozen=True, slots=True)
class JourneyRow:
    """A touchpoint or a conversion as it was received; absent texts are ``""``."""

    kind: Literal["touchpoint", "conversion"]
    event_id: str
    occurred_at: datetime
    channel: str = ""
    campaign: str = ""
    touch_type: str = ""
    cost_micros: int = 0
    conversion_type: str = ""
    order_id: str = ""
    value_micros: int = 0
    currency: str = ""
    status: str = ""
    adjusts: str = ""

    @property
    def key(self) -> EventKey:
        """Where the next page begins."""
        return EventKey(self.occurred_at, self.kind, self.event_id)

    @property
    def conversion_id(self) -> str:
        """Id under which the conversion's credits are stored."""
        return f"{self.conversion_type}:{self.order_id}" if self.order_id else self.event_id


@dataclass(frozen=True, slots=True)
class EarnedCredit:
    """What one touch earned from one conversion; ``touchpoint_id`` is ``""`` for the unattributed credit."""

    model: str
    conversion_id: str
    touchpoint_id: str
    weight: float
    value_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the workers have read one partition: ``offset`` is the next one to read."""

    topic: str
    partition: int
    offset: int
    watermark: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Records set aside for one reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Page:
    """Channel sums with what they leave out.

    ``other_currencies`` have rows that could not be converted, ``converted_currencies`` rows that were; a currency
    with rates for some of the days is in both. ``parts`` is for the store that made it: what it can renew it from.
    """

    rows: list[ChannelRow]
    other_currencies: list[str] = field(default_factory=list)
    converted_currencies: list[str] = field(default_factory=list)
    parts: Any = field(default=None, compare=False, repr=False)


class Store(Analytics, RunStore, LiveStore, Paths, Funnels, LiftStore, Protocol):
    """Reads over the active run. Calls block; they may come from several threads at once."""

    def ping(self) -> None:
        """Return when the store answers."""

    def standing(self) -> Standing:
        """What the numbers of the active run stand on."""

    def channel_performance(
        self,
        start: date,
        end: date,
        model: str,
        currency: str,
        conversion_type: str = "",
        *,
        basis: Basis = "conversion_day",
        fx_max_age_days: int = FX_MAX_AGE_DAYS,
        state: State | None = None,
        former: Page | None = None,
    ) -> Page:
        """Sums by channel over the days ``start`` to ``end``, both inclusive; the unattributed row always.

        Most revenue first, then most spend, then by name. ``conversion_type`` ``""`` means all types.
        Amounts in other currencies are converted at the rates of the conversion's day, spend at those of its own,
        rounded half to even once per day (and conversion day), channel, campaign and currency. A day takes the last
        rate at most ``fx_max_age_days`` old; rows without one are in no sum.

        ``state``: what to read under; left out, it is asked. ``former``: the same report under an earlier state.
        """

    def results(self, customer_id: str, model: str | None, after: ResultKey | None, limit: int) -> list[ResultRow]:
        """At most ``limit`` rows behind ``after``, newest conversion first, then by id and model descending."""

    def journey(self, customer_id: str, after: EventKey | None, limit: int) -> list[JourneyRow]:
        """At most ``limit`` events behind ``after``, by time, touchpoints before conversions, then by id."""

    def earned(
        self, customer_id: str, models: tuple[str, ...], first: datetime, last: datetime, limit: int
    ) -> list[EarnedCredit]:
        """At most ``limit`` credits of the customer's touches between two times, both inclusive.

        The unattributed credit of a conversion stands at the conversion's time.
        """

    def progress(self) -> list[Progress]:
        """One row per partition that has reported, by topic and partition."""

    def dead_letters(self) -> list[DeadLetters]:
        """Counts by reason, the most frequent first, then by name."""

    def close(self) -> None:
        """Give back connections."""
