"""What a model is: a function from a path to integer numerators.

The weight of touch ``i`` is ``numerators[i] / sum(numerators)``: an exact rational, so that money is divided
without a float and a replay gives the same micros. Numerators are never negative and never all 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from attribution.config import AttributionConfig
from attribution.fitted import Fit
from attribution.types import Conversion, Touch

#: Conversion types that anchor the milestone models.
LEAD: Final = "lead_created"
OPPORTUNITY: Final = "opportunity_created"


class Path:
    """The eligible touches of one conversion, in order, with the places that models ask for.

    ``lead`` and ``opportunity`` are the positions of the latest touch at or before each milestone (None: no
    milestone, or no touch by then). ``last_non_direct`` is the position of the last touch whose channel is
    not a direct one, or the last position if all are direct. ``fit`` is the one that counts at the time of
    the conversion. A path is never empty.
    """

    __slots__ = ("conversion", "fit", "last_non_direct", "lead", "opportunity", "touches")

    def __init__(
        self,
        touches: tuple[Touch, ...],
        conversion: Conversion,
        *,
        direct_channels: AbstractSet[str] = frozenset(),
        lead_us: int | None = None,
        opportunity_us: int | None = None,
        fit: Fit | None = None,
    ) -> None:
        self.touches = touches
        self.conversion = conversion
        self.fit = fit
        self.lead = None if lead_us is None else _latest_at(touches, lead_us)
        self.opportunity = None if opportunity_us is None else _latest_at(touches, opportunity_us)
        position = len(touches) - 1
        while position >= 0 and touches[position][2].casefold() in direct_channels:
            position -= 1
        self.last_non_direct = position if position >= 0 else len(touches) - 1

    def __len__(self) -> int:
        return len(self.touches)

    def roles(self) -> dict[str, int]:
        """Position of every role that a touch holds; one touch may hold several."""
        places = {
            "first": 0,
            "lead": self.lead,
            "opportunity": self.opportunity,
            "last_non_direct": self.last_non_direct,
            "last": len(self.touches) - 1,
        }
        return {role: position for role, position in places.items() if position is not None}

    @property
    def has_milestone(self) -> bool:
        """Whether a lead or an opportunity has a touch to stand on."""
        return self.lead is not None or self.opportunity is not None


def _latest_at(touches: tuple[Touch, ...], at_us: int) -> int | None:
    """Position of the latest touch at or before a time; the last one of those at the same time."""
    position = bisect_left(touches, (at_us + 1, "", "", "")) - 1
    return position if position >= 0 else None


Numerators: TypeAlias = Callable[[Path, AttributionConfig], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Model:
    """One rule with all that a user may ask about it.

    ``parameters`` are the names that the SDK takes for it. A model that ``reads_times`` looks at the touches
    themselves; any other reads nothing of a path but its length and positions. A model with
    ``needs_milestone`` is replaced by the model ``fallback`` on a path without one, and one that ``needs_fit``
    where there is none or the fit says so; the credits name what stood in.
    """

    model_id: str
    description: str
    formula: str
    numerators: Numerators
    parameters: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    reads_times: bool = False
    needs_milestone: bool = False
    needs_fit: bool = False
    fallback: str = ""


class Shares(NamedTuple):
    """Numerators with their sum and their values as floats (correctly rounded)."""

    numerators: Sequence[int]
    total: int
    weights: tuple[float, ...]


def shares(numerators: Sequence[int]) -> Shares:
    """Weights of numerators whose sum is greater than 0."""
    total = sum(numerators)
    return Shares(numerators, total, tuple([n / total for n in numerators]))
