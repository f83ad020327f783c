"""Data-driven credits conserve every micro, name who stood in, and follow from the bytes of the parameters alone."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.config import AttributionConfig
from attribution.errors import InvalidParameterError, UnknownModelError
from attribution.models.base import Path
from attribution.money import MAX_MICROS, MIN_MICROS
from attribution.types import Conversion
from datadriven import fit
from datadriven.coalitions import SetCounts, ordered_paths
from datadriven.counts import TransitionCounts
from datadriven.credits import CreditRule, channel_credits
from datadriven.fit import Terms
from datadriven.parameters import EFFECT_SCALE, Parameters, decode, encode, sealed
from datadriven.paths import PathCount, PathCounts
from path_truth import CHANNELS, populations

CONFIG = AttributionConfig()
TERMS = Terms(0, 10, 20, minimum_conversions=1)
_int64 = st.integers(MIN_MICROS, MAX_MICROS)
_effects = st.lists(st.integers(-EFFECT_SCALE, EFFECT_SCALE), min_size=len(CHANNELS), max_size=len(CHANNELS))
_paths = st.lists(st.sampled_from((*CHANNELS, "unseen")), min_size=1, max_size=9)


def _path(channels: list[str]) -> Path:
    touches = tuple((i * 1_000, f"t{i}", c, "") for i, c in enumerate(channels))
    return Path(touches, Conversion("c", "purchase", 10**9, 0, "USD"))


def _parameters(effects: list[int], **changes: object) -> Parameters:
    draft = Parameters(
        method="markov", status="ok", reason="", fallback="linear", order=1, channels=CHANNELS, effects=tuple(effects),
        conversions=300, nulls=1, settings={}, quality={}, trained_from_us=0, trained_to_us=1, effective_from_us=1,
    )  # fmt: skip
    return sealed(msgspec.structs.replace(draft, **changes))


@given(effects=_effects, channels=_paths, value=_int64)
def test_credits_conserve_the_value_and_follow_the_effects(effects: list[int], channels: list[str], value: int) -> None:
    shares = CreditRule(_parameters(effects)).shares(_path(channels), CONFIG)
    parts, total = shares.split(value), sum(shares.numerators)
    known = dict(zip(CHANNELS, effects, strict=True))
    positive = [max(0, known.get(c, 0)) for c in channels]

    assert sum(parts) == value
    assert all(abs(p - Fraction(value * n, total)) < 1 for p, n in zip(parts, shares.numerators, strict=True))
    assert shares.fallback == ("linear" if not any(positive) and len(channels) > 1 else "")
    if any(positive):
        assert [Fraction(n, total) for n in shares.numerators] == [Fraction(p, sum(positive)) for p in positive]
    else:
        assert set(shares.numerators) == {1}


@given(effects=_effects, conversions=st.integers(0, 10**9), value=_int64, untouched=st.integers(0, 9))
def test_the_channel_table_conserves_conversions_and_value(
    effects: list[int], conversions: int, value: int, untouched: int
) -> None:
    table = channel_credits(_parameters(effects), conversions, value, untouched=untouched, untouched_micros=5)

    assert sum(table.micros) + table.unattributed_micros == value + 5
    assert sum(table.conversions) + table.unattributed_conversions == pytest.approx(conversions + untouched)
    assert all(c >= 0 for c in table.conversions)


@given(rows=populations(min_length=1), order=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_fits_survive_their_bytes_and_are_the_same_again(rows: list[PathCount], order: int) -> None:
    """Order of the rows does not matter: same counts, same bytes, same version."""
    rows = [*rows, PathCount(("mail",), 1, 1)]
    paths, turned = PathCounts.from_rows(rows), PathCounts.from_rows(rows[::-1])
    for one, two in (
        [fit.fit_markov(TransitionCounts.from_paths(p, order), TERMS) for p in (paths, turned)],
        [fit.fit_shapley(SetCounts.from_paths(p), TERMS) for p in (paths, turned)],
        [fit.fit_shapley(SetCounts.from_paths(ordered_paths(p)), TERMS, positions=4) for p in (paths, turned)],
    ):
        assert encode(one) == encode(two)
        assert decode(encode(one)) == one
        assert one.version == sealed(one).version
        assert one.status == "ok"
        assert one.trained_from_us < one.effective_from_us


def test_ordered_credit_goes_by_the_first_occurrence_of_a_channel() -> None:
    players = ("1:ads", "1:mail", "2:ads", "2:mail")
    parameters = _parameters([1, 2, 4, 8], method="ordered_shapley", channels=players, settings={"positions": 2.0})
    rule = CreditRule(parameters)

    assert rule.effects(_path(["mail", "ads", "mail"])) == [2, 4, 2]
    assert rule.effects(_path(["call", "dm", "ads"])) == [0, 0, 4]
    table = channel_credits(parameters, 15, 1_500)
    assert dict(zip(table.channels, table.micros, strict=True)) == {"ads": 500, "mail": 1_000}


@pytest.mark.parametrize(
    ("rows", "minimum", "reason"),
    [
        ([PathCount(("a", "b"), 299, 10)], 300, fit.FEW_CONVERSIONS),
        ([PathCount(("a", "b"), 299, 10), PathCount((), 50)], 300, fit.FEW_CONVERSIONS),
        ([PathCount(("a", "b"), 300, 0)], 300, fit.NO_NULLS),
        ([], 0, fit.FEW_CONVERSIONS),
    ],
)
def test_too_little_is_said_and_the_fallback_gives_the_credit(rows: list[PathCount], minimum: int, reason: str) -> None:
    paths, terms = PathCounts.from_rows(rows), Terms(0, 1, 2, minimum, fallback="position_based")
    for found in (
        fit.fit_markov(TransitionCounts.from_paths(paths), terms),
        fit.fit_shapley(SetCounts.from_paths(paths), terms),
    ):
        assert (found.status, found.reason, found.fallback) == ("insufficient_data", reason, "u_shaped")
        shares = CreditRule(found).shares(_path(["a", "b", "c"]), CONFIG)
        assert (shares.fallback, [Fraction(n, sum(shares.numerators)) for n in shares.numerators]) == (
            "u_shaped",
            [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)],
        )
        assert channel_credits(found, 7, 70).unattributed_micros == 70


def test_300_conversions_and_a_null_suffice() -> None:
    paths = PathCounts.from_rows([PathCount(("a", "b"), 300, 1)])
    assert fit.fit_markov(TransitionCounts.from_paths(paths), Terms(0, 1, 2)).status == "ok"


def test_an_unknown_fallback_is_refused() -> None:
    with pytest.raises(UnknownModelError):
        fit.fit_markov(TransitionCounts.zero(1), Terms(0, 1, 2, fallback="best"))


def test_changed_content_does_not_pass_as_its_version() -> None:
    data = encode(_parameters([1, 2, 3, 4, 5]))
    for wrong in (
        data.replace(b'"conversions":300', b'"conversions":301'),
        data[:-1],
        data.replace(b"markov", b"magic"),
    ):
        with pytest.raises(InvalidParameterError, match="publish what"):
            decode(wrong)
    with pytest.raises(InvalidParameterError, match="upgrade"):
        decode(data.replace(b'"format":1', b'"format":2'))
    with pytest.raises(InvalidParameterError, match="one for each channel"):
        _parameters([1])
    with pytest.raises(InvalidParameterError, match="sorted"):
        _parameters([1, 2], channels=("b", "a"))
