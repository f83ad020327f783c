"""The part of the store's port behind funnels and behind conversions that no touch could claim.

Both read the active run's conversions and the touches themselves, not the daily sums. A person is all ids that links
lead between. Times are microseconds since the epoch, amounts int micros in the reporting currency, days dates (UTC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    from attribution.config import AttributionConfig

#: What a step is: any touch, a touch of a channel or of a type, a conversion of a type.
StepKind: TypeAlias = Literal["any", "touch", "touch_type", "conversion"]

#: How many steps fit into the masks of the query.
MAX_STEPS: Final = 8

#: By the test that a touch did not pass, the first one first; a touch that passes all of them was ``not_counted``.
Reason: TypeAlias = Literal[
    "no_touch", "after_conversion", "outside_lookback", "excluded_channel", "before_reset", "not_counted"
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class Step(NamedTuple):
    """One step; ``name`` is of the channel or type, ``""`` for ``any``."""

    kind: StepKind
    name: str = ""


class FunnelAsked(NamedTuple):
    """Two steps or more. The first happens in ``[first_us, last_us)``, the others at most ``window_us`` later."""

    steps: tuple[Step, ...]
    first_us: int
    last_us: int
    window_us: int


class UnattributedAsked(NamedTuple):
    """Which conversions; ``conversion_type`` ``""`` means all types, days are inclusive."""

    start: date
    end: date
    currency: str
    conversion_type: str
    bucket: Literal["day", "week", "month"]
    fx_max_age_days: int


@dataclass(frozen=True, slots=True)
class UnattributedRow:
    """Conversions of one type and one reason in the bucket that begins on ``day``."""

    day: date
    conversion_type: str
    reason: Reason
    conversions: int
    value_micros: int


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Rows by day, type and reason; the run's parameters, None if there are none; currencies as in ``store.Page``."""

    rows: Sequence[UnattributedRow]
    config: AttributionConfig | None
    other_currencies: Sequence[str]
    converted_currencies: Sequence[str]


class Funnels(Protocol):
    """Reads over the active run and the touches; blocking, raising ``store.Unavailable``."""

    def funnel(self, asked: FunnelAsked) -> list[int]:
        """How many persons did each step after those before it, every one later than the one before.

        Conversions count as the run has them: an order once, at its own time, none that was refunded in full or
        cancelled.
        """

    def conversion_types(self) -> list[str]:
        """Types of the conversions that the run has, by name."""

    def unattributed(self, asked: UnattributedAsked) -> Unattributed:
        """Conversions without an eligible touch, by the reason of the touch that came nearest to being one.

        Amounts are rounded half to even once per day, type, reason and currency; conversions in a currency without
        an exchange rate are in no row.
        """
