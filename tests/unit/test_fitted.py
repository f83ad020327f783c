"""Which fit counts, and what data_driven does with it, by hand."""

from __future__ import annotations

import pytest

from attribution.attribute import Attributor, FixedJourney
from attribution.config import AttributionConfig
from attribution.fitted import Timeline
from attribution.types import Conversion, ConversionCredits, Touch
from fits import fit

T = 1_760_000_000_000_000
TOUCHES: tuple[Touch, ...] = ((T, "t1", "email", ""), (T + 1, "t2", "display", ""), (T + 2, "t3", "paid_search", ""))


def credits_of(timeline: Timeline, at_us: int = T + 10, touches: tuple[Touch, ...] = TOUCHES) -> ConversionCredits:
    attributor = Attributor(AttributionConfig(models=("linear", "data_driven", "last_touch")), timeline=timeline)
    return attributor.attribute(FixedJourney(touches), Conversion("c1", "purchase", at_us, 100_000_000, "USD"))


def test_a_fit_counts_from_its_time_on_until_the_next_one() -> None:
    early, late = fit("e", 10, a=1), fit("l", 20, a=2)
    timeline = Timeline([late, early, early])

    assert timeline.fits == (early, late)
    assert [timeline.at(at) for at in (9, 10, 19, 20, 99)] == [None, early, early, late, late]


def test_of_two_fits_from_the_same_time_on_the_order_of_arrival_decides_nothing() -> None:
    fits = [fit("a", 10, x=1), fit("b", 10, x=2)]

    assert Timeline(fits).at(10) == Timeline(fits[::-1]).at(10) == fits[1]


def test_touches_share_by_the_effects_of_their_channels() -> None:
    found = credits_of(Timeline([fit("v1", T, email=1, paid_search=3, other=9)]))

    assert found.micros[1] == (25_000_000, 0, 75_000_000)
    assert found.weights[1] == (0.25, 0.0, 0.75)
    assert (found.fallbacks, found.model_version) == (("", "", ""), "v1")


@pytest.mark.parametrize(
    ("timeline", "version"),
    [
        (Timeline(), ""),
        (Timeline([fit("v1", T + 11, email=1)]), ""),
        (Timeline([fit("v1", T)]), "v1"),
        (Timeline([fit("v1", T, email=0, affiliate=5)]), "v1"),
    ],
)
def test_without_an_effect_linear_stands_in_and_is_named(timeline: Timeline, version: str) -> None:
    found = credits_of(timeline)

    assert found.micros[1] == found.micros[0] == (33_333_334, 33_333_333, 33_333_333)
    assert (found.fallbacks, found.model_version) == (("", "linear", ""), version)


def test_one_touch_takes_everything() -> None:
    timeline = Timeline([fit("v1", T, email=1)])

    assert credits_of(timeline, touches=TOUCHES[:1]).fallbacks[1] == ""
    assert credits_of(timeline, touches=TOUCHES[1:2]).fallbacks[1] == "linear"


def test_a_path_that_was_seen_under_one_fit_is_divided_anew_under_the_next() -> None:
    attributor = Attributor(AttributionConfig(models=("data_driven",)), timeline=Timeline([fit("a", T, email=1)]))
    conversion = Conversion("c1", "purchase", T + 10, 100, "USD")
    assert attributor.attribute(FixedJourney(TOUCHES), conversion).micros == ((100, 0, 0),)

    attributor.timeline = Timeline([*attributor.timeline.fits, fit("b", T + 5, display=1)])

    assert attributor.attribute(FixedJourney(TOUCHES), conversion).micros == ((0, 100, 0),)
