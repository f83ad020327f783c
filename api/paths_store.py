"""The part of the store's port behind reports over paths: which, how long, how late, by what parts of channels.

A path is the eligible touches of a conversion of the run, as its newest row holds it; of a conversion that no touch
could earn, none. Deleted conversions are in nothing. Amounts are int micros in the reporting currency: rounded once per
row of an answer, day and original currency, at the rates of the day. Conversions without a rate are in nothing but
``other_currencies``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import date

#: Lower ends of the buckets of a time lag, seconds: 0, an hour, and each day up to the thirtieth; those of the view
#: ``conversion_paths`` in the ClickHouse store.
LAG_BOUNDS_S: Final = (0, 3_600, *(86_400 * day for day in range(1, 31)))
#: Which quantiles of a time lag there are.
QUANTILES: Final = (0.25, 0.5, 0.75, 0.9, 0.95)


class PathsAsked(NamedTuple):
    """Which conversions: of which run, on which days (inclusive), in which currency; type ``""`` means all."""

    run_id: int
    start: date
    end: date
    currency: str
    conversion_type: str
    fx_max_age_days: int


class PathPosition(NamedTuple):
    """Where a path stands: most conversions first, then by id."""

    conversions: int
    path_id: str


class PathsShown(NamedTuple):
    """Which paths: ``channel`` ``""`` means all, else those with a touch of it; ``collapse`` joins equal neighbours."""

    channel: str
    by_campaign: bool
    collapse: bool
    after: PathPosition | None
    limit: int


class Step(NamedTuple):
    """A place in a path; ``campaign`` is ``""`` when not asked for (or unknown)."""

    channel: str
    campaign: str


class Part(NamedTuple):
    """Some conversions: how many, what they are worth, their touches in all."""

    conversions: int
    value_micros: int
    touches: int = 0


@dataclass(frozen=True, slots=True)
class PathSum:
    """One path. ``path_id`` names it within this store; a conversion without a touch has no step."""

    path_id: str
    steps: tuple[Step, ...]
    sum: Part


@dataclass(frozen=True, slots=True)
class _Currencies:
    """As in ``store.Page``."""

    other_currencies: tuple[str, ...]
    converted_currencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TopPaths(_Currencies):
    """A page of paths, and all that it is a page of together."""

    paths: tuple[PathSum, ...]
    total: Part


@dataclass(frozen=True, slots=True)
class PathLengths(_Currencies):
    """Conversions by number of touches; numbers without a conversion are missing."""

    by_length: dict[int, Part]


@dataclass(frozen=True, slots=True)
class TimeLags(_Currencies):
    """Conversions by time from the first and from the last touch, whole seconds, cut.

    ``pairs``: by bucket of either, which is the number of ``LAG_BOUNDS_S`` that the time reaches (0: no touch).
    ``first_s``, ``last_s``: the ``QUANTILES``, linear between the two nearest times; None without a touch.
    """

    pairs: dict[tuple[int, int], Part]
    first_s: tuple[float, ...] | None
    last_s: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Assists(_Currencies):
    """What part channels have in conversions, each once: first touch, last touch, any touch but the last.

    ``untouched``: conversions without a touch, which are nobody's.
    """

    first: dict[str, Part]
    last: dict[str, Part]
    assist: dict[str, Part]
    untouched: Part


class Paths(Protocol):
    """Reads over the attributions of a run, beside those of ``store.Store``; blocking, raising ``Unavailable``."""

    def top_paths(self, asked: PathsAsked, shown: PathsShown) -> TopPaths:
        """The paths behind a position, and the sum of all that match, whatever the page."""

    def path_lengths(self, asked: PathsAsked, longest: int) -> PathLengths:
        """Conversions by number of touches; ``longest`` or more are one number."""

    def time_lags(self, asked: PathsAsked) -> TimeLags:
        """Conversions by time from touches."""

    def assists(self, asked: PathsAsked) -> Assists:
        """What part channels have in conversions."""
