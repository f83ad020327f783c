"""Models with anchors at business milestones: the W shape and the full path.

The anchors are the first touch, the latest touch at or before the lead, the same for the opportunity and, for
the full path, the last touch (the close). Anchors that fall on one touch add up. A missing anchor is dropped
and the rest rescaled; without touches between the anchors, the anchors share everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from attribution.config import AttributionConfig
from attribution.models.base import LEAD, OPPORTUNITY, Path
from attribution.types import Conversion


def milestone_times(conversions: Sequence[Conversion], conversion: Conversion) -> tuple[int | None, int | None]:
    """Times of the lead and of the opportunity that count for a conversion (None: there is none).

    Each is the latest live one at or before the conversion in ``Conversion.order``; the conversion itself
    counts. A lead later than that opportunity belongs to another deal and is passed over for an earlier one.

    Args:
        conversions: of the journey, sorted by ``Conversion.order``.
        conversion: the one that is attributed.
    """
    lead: int | None = None
    lead_by_opportunity: int | None = None
    opportunity: int | None = None
    at_us, order = conversion.at_us, conversion.order
    for other in conversions:
        if other.at_us > at_us:
            break
        kind = other.conversion_type
        if (kind != LEAD and kind != OPPORTUNITY) or not other.is_live or other.order > order:  # noqa: PLR1714 - hot
            continue
        if kind == LEAD:
            lead = other.at_us
            # same instant as the opportunity: not later than it, whatever the ids say
            lead_by_opportunity = lead if lead == opportunity else lead_by_opportunity
        else:
            opportunity, lead_by_opportunity = other.at_us, lead
    return (lead if opportunity is None else lead_by_opportunity), opportunity


def w_shaped(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """30 % each to first, lead and opportunity; 10 % shared by the other touches."""
    return _anchored(len(path.touches), (0, path.lead, path.opportunity), 3, 1)


def full_path(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """22.5 % each to first, lead, opportunity and close; 10 % shared by the other touches."""
    n = len(path.touches)
    return _anchored(n, (0, path.lead, path.opportunity, n - 1), 9, 4)


@lru_cache(maxsize=1024)
def _anchored(n: int, anchors: tuple[int | None, ...], anchor_share: int, others_share: int) -> tuple[int, ...]:
    """``others_share`` is what all other touches share: anchors times their number keeps it whole."""
    if n == 1:
        return (1,)
    roles = [0] * n
    for position in anchors:
        if position is not None:
            roles[position] += 1
    others = roles.count(0)
    if not others:
        return tuple(roles)
    return tuple([anchor_share * others * held if held else others_share for held in roles])
