"""Hypothesis strategies for journeys, conversions with corrections, configurations and cases of the laws.

Times are drawn from few distinct instants near each other, ids and channels from small sets: ties, duplicates,
coinciding milestones and window edges are then common instead of rare. The only module that needs hypothesis.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hypothesis import strategies as st

from attribution.checks import Case
from attribution.config import DAY_US, AttributionConfig
from attribution.models.registry import model_ids
from attribution.types import Conversion, ConversionEvent, Status, Touch

#: 2026-03-01T00:00:00Z.
START_US: Final = 1_772_323_200_000_000
CHANNELS: Final = ("paid_search", "email", "Direct", "(direct)", "organic", "Paid_Social")
TYPES: Final = ("purchase", "lead_created", "opportunity_created", "signup")
_STATUSES: Final[tuple[Status, ...]] = ("completed", "refunded", "cancelled")
_INT64: Final = 2**63 - 1

#: Lookback windows that are as long as the distances between the times below.
_WINDOWS: Final = (0, 1, DAY_US, 3 * DAY_US, 7 * DAY_US, 90 * DAY_US)


def times() -> st.SearchStrategy[int]:
    """Times within ten days: mostly whole days, often a microsecond beside one, sometimes anything."""
    days = st.integers(0, 10).map(lambda d: START_US + d * DAY_US)
    beside = st.builds(int.__add__, days, st.sampled_from((-1, 0, 1)))
    return st.one_of(days, beside, st.integers(START_US, START_US + 10 * DAY_US))


def touch_lists(max_size: int = 8) -> st.SearchStrategy[list[Touch]]:
    """Touches of one customer with distinct ids, in no particular order."""
    touch = st.tuples(
        times(), st.integers(0, 40).map("t{}".format), st.sampled_from(CHANNELS), st.sampled_from(("", "spring"))
    )
    return st.lists(touch, max_size=max_size, unique_by=lambda t: t[1])


def amounts() -> st.SearchStrategy[int]:
    """Micros: zero, a few, everyday values and the ends of int64."""
    return st.one_of(st.integers(0, 12), st.integers(0, 10**9), st.sampled_from((0, _INT64, _INT64 - 1)))


def conversion_event_lists(max_size: int = 8) -> st.SearchStrategy[list[ConversionEvent]]:
    """Conversions and corrections of one customer with distinct event ids, many about the same few orders."""
    event = st.builds(
        ConversionEvent,
        times(),
        st.integers(0, 20).map("e{}".format),
        st.sampled_from(TYPES),
        st.sampled_from(("", "o1", "o2")),
        amounts(),
        st.sampled_from(("USD", "EUR")),
        st.sampled_from((*_STATUSES, "completed", "completed")),
        st.sampled_from(("", "", "", "o1", "o2", "e1", "e2", "e3", "unknown")),
    )
    return st.lists(event, max_size=max_size, unique_by=lambda e: e.event_id)


def custom_weights() -> st.SearchStrategy[tuple[Decimal, Decimal, Decimal]]:
    """Weights of the custom model, zeros included, not all zero."""
    weight = st.one_of(
        st.sampled_from((Decimal(0), Decimal("0.4"), Decimal(1), Decimal(100))), st.decimals(0, 9, places=3)
    )
    return st.tuples(weight, weight, weight).filter(any)


def configs(models: tuple[str, ...] | None = None) -> st.SearchStrategy[AttributionConfig]:
    """Configurations with small windows, exclusions and resets; every model of the registry by default.

    A stored journey under them drops nothing: lateness and retention are a thousand years.
    """
    return st.builds(
        AttributionConfig,
        models=st.just(models or model_ids()),
        lookback_us=st.sampled_from(_WINDOWS),
        half_life_us=st.sampled_from((1, DAY_US // 3, 7 * DAY_US)),
        custom_weights=custom_weights(),
        exclude_channels=st.frozensets(st.sampled_from(("email", "direct", "(direct)", "paid_social")), max_size=2),
        reset_on_conversion=st.frozensets(st.sampled_from(TYPES), max_size=2),
        allowed_lateness_us=st.just(365_000 * DAY_US),
        conversion_retention_us=st.just(365_000 * DAY_US),
    )


def conversions(conversion_id: st.SearchStrategy[str]) -> st.SearchStrategy[Conversion]:
    """Resolved conversions, mostly live, of any type and any int64 value."""
    return st.builds(
        Conversion,
        conversion_id,
        st.sampled_from(TYPES),
        times(),
        st.one_of(amounts(), amounts().map(int.__neg__)),
        st.just("USD"),
        is_live=st.sampled_from((True, True, True, False)),
    )


def cases() -> st.SearchStrategy[Case]:
    """Cases for ``check_model``: a live conversion among up to four others."""
    others = st.lists(
        conversions(st.integers(0, 30).map("c{}".format)), max_size=4, unique_by=lambda c: c.conversion_id
    )
    live = st.builds(
        Conversion,
        st.just("c15x"),
        st.sampled_from(TYPES),
        times(),
        st.one_of(amounts(), amounts().map(int.__neg__)),
        st.just("USD"),
    )
    return st.builds(Case, touch_lists().map(tuple), live, others.map(tuple), configs())
