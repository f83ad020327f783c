"""The hand-computed tables of every model: one to five touches, milestones, decay, ties, windows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from attribution.attribute import Attributor, FixedJourney, attribute
from attribution.batch import attribute_all
from attribution.checks import check_model
from attribution.config import DAY_US, DEFAULT_MODELS, AttributionConfig
from attribution.errors import DuplicateConversionError, InvalidParameterError, UnknownModelError
from attribution.models import registry
from attribution.testing import START_US
from attribution.types import UNATTRIBUTED, Conversion, ConversionEvent, Touch

T = START_US
V = 100_000_000


def _touches(*days_before: float, channels: str = "") -> list[Touch]:
    names = {"d": "Direct", "p": "paid"}
    return [
        (T - int(d * DAY_US), f"t{i}", names[channels[i]] if channels else "email", "")
        for i, d in enumerate(days_before)
    ]


def _conversion(kind: str = "purchase", at_us: int = T, value: int = V, name: str = "") -> Conversion:
    return Conversion(name or f"{kind}:{at_us}", kind, at_us, value, "USD")


def _weights(
    model: str,
    touches: list[Touch],
    *others: Conversion,
    config: AttributionConfig | None = None,
    kind: str = "purchase",
) -> list[Fraction]:
    target = _conversion(kind)
    base = config or AttributionConfig()
    found = attribute(
        FixedJourney(touches, [*others, target]),
        target,
        AttributionConfig(models=(model,), custom_weights=base.custom_weights, half_life_us=base.half_life_us),
    )
    return [Fraction(w).limit_denominator(10_000) for w in found.weights[0]]


def _percent(*numbers: float) -> list[Fraction]:
    return [Fraction(str(n)) / 100 for n in numbers]


@pytest.mark.parametrize(
    ("model", "two", "three"),
    [
        ("first_touch", (100, 0), (100, 0, 0)),
        ("last_touch", (0, 100), (0, 0, 100)),
        ("last_non_direct", (0, 100), (0, 0, 100)),
        ("linear", (50, 50), None),
        ("u_shaped", (50, 50), (40, 20, 40)),
        ("position_based", (50, 50), (40, 20, 40)),
        ("j_shaped", (25, 75), (20, 20, 60)),
        ("inverse_j", (75, 25), (60, 20, 20)),
        ("custom", (50, 50), (40, 20, 40)),
    ],
)
def test_shares_by_position(model: str, two: tuple[int, ...], three: tuple[int, ...] | None) -> None:
    """One touch takes all; two and three as in the table."""
    assert _weights(model, _touches(3)) == [1]
    assert _weights(model, _touches(3, 2)) == _percent(*two)
    assert _weights(model, _touches(3, 2, 1)) == (_percent(*three) if three else [Fraction(1, 3)] * 3)


def test_the_middle_is_shared_by_all_between() -> None:
    """Five touches: 20 % over three, and for linear the same to all."""
    five = _touches(5, 4, 3, 2, 1)
    fifteenth = Fraction(1, 15)

    assert _weights("u_shaped", five) == [Fraction(2, 5), fifteenth, fifteenth, fifteenth, Fraction(2, 5)]
    assert _weights("j_shaped", five) == [Fraction(1, 5), fifteenth, fifteenth, fifteenth, Fraction(3, 5)]
    assert _weights("linear", five) == [Fraction(1, 5)] * 5


@pytest.mark.parametrize(
    ("channels", "expected"),
    [("pd", (100, 0)), ("dd", (0, 100)), ("dp", (0, 100)), ("pdd", (100, 0, 0)), ("ppd", (0, 100, 0))],
)
def test_last_non_direct_skips_direct_unless_all_are(channels: str, expected: tuple[int, ...]) -> None:
    """Direct in any letter case."""
    assert _weights("last_non_direct", _touches(*range(9, 9 - len(channels), -1), channels=channels)) == _percent(
        *expected
    )


@pytest.mark.parametrize(
    ("given", "two", "three"),
    [
        (("30", "40", "30"), (50, 50), (30, 40, 30)),
        (("60", "30", "10"), (Fraction(600, 7), Fraction(100, 7)), (60, 30, 10)),
        (("0", "100", "0"), (50, 50), (0, 100, 0)),
        (("0", "0", "1"), (0, 100), (0, 0, 100)),
        (("0.1", "0.1", "0.1"), (50, 50), (Fraction(100, 3),) * 3),
    ],
)
def test_custom_drops_a_role_without_a_touch(
    given: tuple[str, str, str], two: tuple[Fraction, ...], three: tuple[Fraction, ...]
) -> None:
    """The rest is rescaled; where nothing is left, equal shares."""
    first, middle, last = (Decimal(g) for g in given)
    config = AttributionConfig(custom_weights=(first, middle, last))

    assert _weights("custom", _touches(1), config=config) == [1]
    assert _weights("custom", _touches(2, 1), config=config) == [Fraction(x) / 100 for x in two]
    assert _weights("custom", _touches(3, 2, 1), config=config) == [Fraction(x) / 100 for x in three]


def test_decay_halves_per_half_life() -> None:
    """Ages of 28, 21, 14 and 7 days: 1/15 to 8/15; PostHog's window of four days: 1/7, 2/7, 4/7."""
    assert _weights("time_decay", _touches(28, 21, 14, 7)) == [Fraction(n, 15) for n in (1, 2, 4, 8)]
    assert _weights("time_decay", _touches(3, 2, 1), config=AttributionConfig(half_life_us=DAY_US)) == [
        Fraction(n, 7) for n in (1, 2, 4)
    ]


def test_decay_with_a_tiny_half_life_leaves_the_newest_touch() -> None:
    """Ages beyond what a double can hold do not end in 0 / 0."""
    assert _weights("time_decay", _touches(90, 50, 1), config=AttributionConfig(half_life_us=1)) == [0, 0, 1]


def _milestones(lead_day: float | None, opportunity_day: float | None) -> list[Conversion]:
    days = {"lead_created": lead_day, "opportunity_created": opportunity_day}
    return [_conversion(kind, T - int(d * DAY_US), 0) for kind, d in days.items() if d is not None]


@pytest.mark.parametrize(
    ("days", "lead", "opportunity", "w", "full"),
    [
        ((5,), 4, 3, ["1"], ["1"]),
        ((5, 4), 4, 3, ["1/3", "2/3"], ["1/4", "3/4"]),
        ((5, 4, 3), 4, 3, ["1/3", "1/3", "1/3"], ["1/4", "1/4", "1/2"]),
        ((9, 8, 7, 6), 7, 6, ["3/10", "1/10", "3/10", "3/10"], ["9/40", "4/40", "9/40", "18/40"]),
        ((9, 8, 7, 6, 5), 7, 5, ["3/10", "1/20", "3/10", "1/20", "3/10"], ["9/40", "2/40", "9/40", "2/40", "18/40"]),
        # touches after the opportunity are intermediate; the last one closes the full path
        ((9, 7, 5, 3, 1), 7, 5, ["3/10", "3/10", "3/10", "1/20", "1/20"], ["9/40", "9/40", "9/40", "4/40", "9/40"]),
        # no opportunity: 30/30 and 10 rescaled to 70; full path without it: 22.5 x 3 and 10 rescaled
        ((9, 8, 7), 8, None, ["3/7", "3/7", "1/7"], ["1/3", "1/3", "1/3"]),
        ((9, 8, 7, 6), 8, None, ["6/14", "6/14", "1/14", "1/14"], ["9/31", "9/31", "4/31", "9/31"]),
        ((9, 8, 7), None, 8, ["3/7", "3/7", "1/7"], ["1/3", "1/3", "1/3"]),
        # the first touch is the lead as well: its shares add
        ((9, 6, 5), 8, 6, ["6/10", "3/10", "1/10"], ["1/2", "1/4", "1/4"]),
        # a lead before every touch has no anchor
        ((9, 8, 7), 10, 8, ["3/7", "3/7", "1/7"], ["1/3", "1/3", "1/3"]),
    ],
)
def test_milestone_shares(
    days: tuple[int, ...], lead: float | None, opportunity: float | None, w: list[str], full: list[str]
) -> None:
    """W and full path: coinciding, missing and late anchors."""
    milestones = _milestones(lead, opportunity)

    assert _weights("w_shaped", _touches(*days), *milestones) == [Fraction(x) for x in w]
    assert _weights("full_path", _touches(*days), *milestones) == [Fraction(x) for x in full]


def test_an_anchor_is_the_latest_touch_at_or_before_the_milestone() -> None:
    """Inclusive to the microsecond; of touches at one instant the last in order."""
    touches: list[Touch] = [(T - 9, "a", "x", ""), (T - 5, "b", "x", ""), (T - 5, "c", "x", ""), (T - 4, "d", "x", "")]

    at = _weights("w_shaped", touches, _conversion("lead_created", T - 5, 0))
    before = _weights("w_shaped", touches, _conversion("lead_created", T - 6, 0))

    assert at == [Fraction(x) for x in ("6/14", "1/14", "6/14", "1/14")]
    assert before == [Fraction(x) for x in ("9/10", "1/30", "1/30", "1/30")] or before[0] == Fraction(18, 21)


def test_without_an_anchored_milestone_the_u_shape_stands_in_and_is_named() -> None:
    """Neither lead nor opportunity, or both before every touch, or later than the conversion, or cancelled."""
    target = _conversion()
    config = AttributionConfig(models=("w_shaped", "full_path", "u_shaped"))
    gone = Conversion("l", "lead_created", T - 2 * DAY_US, 0, "USD", is_live=False)
    for others in ([], _milestones(20, 10), [_conversion("lead_created", T + 1, 0)], [gone]):
        found = attribute(FixedJourney(_touches(3, 2, 1), [*others, target]), target, config)

        assert found.fallbacks == ("u_shaped", "u_shaped", "")
        assert set(found.weights) == {(0.4, 0.2, 0.4)}


def test_with_a_milestone_there_is_no_fallback() -> None:
    target = _conversion()

    found = attribute(FixedJourney(_touches(3, 2), [*_milestones(2, None), target]), target, AttributionConfig())

    assert set(found.fallbacks) == {""}


def test_the_latest_deal_counts() -> None:
    """The latest opportunity, and the latest lead that is not after it."""
    touches = _touches(9, 8, 7, 6, 5)
    earlier = [
        _conversion("lead_created", T - 9 * DAY_US, 0),
        _conversion("opportunity_created", T - 9 * DAY_US + 1, 0),
    ]
    current = _milestones(8, 7)
    next_deal = _conversion("lead_created", T - 5 * DAY_US, 0)

    assert _weights("w_shaped", touches, *earlier, *current, next_deal) == _weights("w_shaped", touches, *current)


def test_lead_and_opportunity_of_one_instant_count_both_whatever_their_ids() -> None:
    """CRM exports carry days, not times; ids must not decide."""
    touches = _touches(9, 8, 7)
    at_us = T - 8 * DAY_US
    found = {
        tuple(
            _weights(
                "w_shaped",
                touches,
                _conversion("lead_created", at_us, 0, lead),
                _conversion("opportunity_created", at_us, 0, opportunity),
            )
        )
        for lead, opportunity in (("a", "b"), ("b", "a"))
    }

    assert found == {(Fraction(6, 20), Fraction(12, 20), Fraction(2, 20))}


def test_a_milestone_conversion_anchors_itself() -> None:
    """The lead's own credits: the latest touch is the lead touch."""
    assert _weights("w_shaped", _touches(3, 2, 1), kind="lead_created") == [Fraction(x) for x in ("3/7", "1/7", "3/7")]


@pytest.mark.parametrize(
    ("at_us", "is_in"),
    [(T - 5 * DAY_US - 1, False), (T - 5 * DAY_US, True), (T, True), (T + 1, False)],
)
def test_the_window_is_closed_at_both_ends(at_us: int, is_in: bool) -> None:
    """To the microsecond, in UTC durations."""
    target = _conversion()
    config = AttributionConfig(lookback_us=5 * DAY_US)

    found = attribute(FixedJourney([(at_us, "t", "email", "c")], [target]), target, config)

    assert found.touches == (((at_us, "t", "email", "c"),) if is_in else ((T, "", UNATTRIBUTED, ""),))
    assert set(found.weights) == {(1.0,)}
    assert set(found.micros) == {(V,)}
    assert set(found.fallbacks) == ({"", "u_shaped"} if is_in else {""})


def test_ties_have_one_first_and_one_last_by_id() -> None:
    """Equal times never make two firsts."""
    touches: list[Touch] = [(T, name, "email", "") for name in ("c", "a", "b")]
    target = _conversion()

    found = attribute(FixedJourney(touches, [target]), target, AttributionConfig(models=("u_shaped",)))

    assert [t[1] for t in found.touches] == ["a", "b", "c"]
    assert found.weights == ((0.4, 0.2, 0.4),)


def test_exclusion_redistributes_in_any_letter_case() -> None:
    """What the excluded channel would have got goes to the others."""
    target = _conversion()
    config = AttributionConfig(models=("u_shaped",), exclude_channels=frozenset({"DIRECT"}))

    found = attribute(FixedJourney(_touches(4, 3, 2, 1, channels="dppp"), [target]), target, config)

    assert [t[1] for t in found.touches] == ["t1", "t2", "t3"]
    assert found.weights == ((0.4, 0.2, 0.4),)


def test_reset_starts_a_new_journey_after_a_live_conversion_of_the_type() -> None:
    """A touch at the very time of a conversion belongs to it; other types and cancelled ones cut nothing."""
    touches = _touches(6, 5, 4, 3)
    first = _conversion("purchase", T - 5 * DAY_US)
    signup = _conversion("signup", T - 4 * DAY_US)
    cancelled = Conversion("x", "purchase", T - 3 * DAY_US, 0, "USD", is_live=False)
    target = _conversion()
    journey = FixedJourney(touches, [first, signup, cancelled, target])
    attributor = Attributor(AttributionConfig(reset_on_conversion=frozenset({"purchase"})))

    assert [t[1] for t in attributor.attribute(journey, first).touches] == ["t0", "t1"]
    assert [t[1] for t in attributor.attribute(journey, target).touches] == ["t2", "t3"]


def test_zero_value_keeps_the_weights() -> None:
    """Count credit does not depend on money."""
    target = _conversion(value=0)

    found = attribute(FixedJourney(_touches(4, 3, 2, 1), [target]), target, AttributionConfig())

    assert all(abs(sum(w) - 1) < 1e-12 for w in found.weights)
    assert set(found.micros) == {(0, 0, 0, 0)}


def test_a_conversion_that_is_not_live_has_no_credits_but_names_its_models() -> None:
    """The writer needs the models to delete their rows."""
    gone = Conversion("x", "purchase", T, 0, "USD", is_live=False)

    found = attribute(FixedJourney(_touches(1), [gone], rev=9, truncated=True), gone, AttributionConfig())

    assert (found.touches, found.weights, found.micros) == ((), (), ())
    assert found.models == DEFAULT_MODELS
    assert (found.rev, found.truncated, len(found.fallbacks)) == (9, False, len(DEFAULT_MODELS))


def test_a_long_path_equals_the_batch() -> None:
    """Beyond the cached lengths, at the end of int64."""
    touches = [(T - i * 3_600_000_000, f"t{i:03}", "email", "") for i in range(120)]
    event = ConversionEvent(T, "e", "purchase", "", 2**63 - 1, "USD", "completed", "")
    lead = ConversionEvent(T - DAY_US, "l", "lead_created", "", 0, "USD", "completed", "")
    config = AttributionConfig(models=registry.model_ids())
    expected = attribute_all([("c", t) for t in touches], [("c", event), ("c", lead)], config)["e"]
    target = Conversion("e", "purchase", T, 2**63 - 1, "USD")
    milestone = Conversion("l", "lead_created", T - DAY_US, 0, "USD")
    attributor = Attributor(config)
    journey = FixedJourney(touches, [target, milestone], rev=122)

    assert attributor.attribute(journey, target) == attributor.attribute(journey, target) == expected


def test_plans_are_bounded() -> None:
    """Credits stay the same when the plans of earlier paths were dropped."""
    attributor = Attributor(AttributionConfig(), kept_plans=2)
    target = _conversion()
    journeys = [FixedJourney(_touches(*range(n, 0, -1)), [target]) for n in range(1, 8)]
    first = [attributor.attribute(j, target) for j in journeys]

    assert [attributor.attribute(j, target) for j in journeys] == first
    assert len(attributor._plans) <= 2


def test_aliases_are_resolved_and_repetitions_dropped() -> None:
    assert Attributor(AttributionConfig(models=("position_based", "linear", "u_shaped"))).models == (
        "u_shaped",
        "linear",
    )


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (AttributionConfig(models=()), "models"),
        (AttributionConfig(half_life_us=0), "half_life_us"),
        (AttributionConfig(lookback_us=-1), "lookback_us"),
        (AttributionConfig(custom_weights=(Decimal(0), Decimal(0), Decimal(0))), "custom_weights"),
        (AttributionConfig(custom_weights=(Decimal(-1), Decimal(1), Decimal(1))), "custom_weights"),
        (AttributionConfig(custom_weights=(Decimal("NaN"), Decimal(1), Decimal(1))), "custom_weights"),
        (AttributionConfig(custom_weights=(Decimal("1e-10"), Decimal(1), Decimal(1))), "custom_weights"),
        (AttributionConfig(custom_weights=(Decimal("1e99"), Decimal(1), Decimal(1))), "custom_weights"),
        (AttributionConfig(models=("last_click",)), "model"),
    ],
)
def test_a_wrong_parameter_fails_at_once_with_its_field(config: AttributionConfig, field: str) -> None:
    """Before any conversion is read."""
    with pytest.raises(InvalidParameterError) as caught:
        Attributor(config)

    assert caught.value.field == field
    assert caught.value.way_out in str(caught.value)


def test_the_default_models_are_the_registered_ones_that_need_no_parameters() -> None:
    """``config`` and ``registry`` agree, and so does the batch reference."""
    assert (*DEFAULT_MODELS, "custom", "data_driven") == registry.model_ids()
    assert attribute_all([], [], AttributionConfig(models=registry.model_ids())) == {}


def test_names_and_aliases_are_unique_and_fallbacks_exist() -> None:
    names = [n for m in registry.MODELS for n in (m.model_id, *m.aliases)]

    assert len(names) == len(set(names))
    assert {registry.resolve(m.fallback).needs_milestone for m in registry.MODELS if m.needs_milestone} == {False}
    assert all(m.description and m.formula for m in registry.MODELS)


@pytest.mark.parametrize("name", ["shao", "", "LINEAR", 7, None])
def test_an_unknown_model_lists_the_valid_ones(name: object) -> None:
    with pytest.raises(UnknownModelError, match=r"valid models: first_touch, .*position_based.* custom"):
        registry.resolve(name)  # type: ignore[arg-type]  # wrong types are part of the case


def test_the_batch_refuses_models_it_has_no_rule_for() -> None:
    with pytest.raises(UnknownModelError, match="valid models: first_touch"):
        attribute_all([], [], AttributionConfig(models=("position_based_2",)))


def test_the_batch_refuses_one_conversion_of_two_customers() -> None:
    """The id is the key of the rows: silently keeping one would lose money."""
    event = ConversionEvent(T, "e", "purchase", "o1", V, "USD", "completed", "")

    with pytest.raises(DuplicateConversionError, match="'purchase:o1' belongs to more than one customer"):
        attribute_all([], [("a", event), ("b", event._replace(event_id="f"))], AttributionConfig())


def test_check_model_is_usable_by_itself() -> None:
    """The laws are public: a user's own case."""
    from attribution.checks import Case  # noqa: PLC0415 - shown as a user would write it

    check_model("u_shaped", Case(tuple(_touches(3, 2, 1)), _conversion()))
