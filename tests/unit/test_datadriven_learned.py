"""The learned model finds what is there, is calibrated, and refuses what it cannot know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.config import DAY_US, AttributionConfig
from attribution.errors import InvalidParameterError
from attribution.models.base import Path
from attribution.types import Conversion
from datadriven import fit, hazard, learned
from datadriven.credits import CreditRule
from datadriven.fit import Terms
from datadriven.learned import FoldTooSmallError, Journeys, Options, _sampled, _Table, learn
from datadriven.parameters import EFFECT_SCALE, HazardCurve, Parameters, encode
from datadriven.paths import PathCounts

CHANNELS = ("ads", "blog", "mail")
TERMS = Terms(0, 10, 20)


def _simulated(size: int, strengths: tuple[float, ...], base: float, seed: int) -> Journeys:
    """Touches come one to two days apart until one converts; its log-odds are ``base`` + what the channel adds."""
    drawn = np.random.default_rng(seed)
    most = drawn.integers(1, 7, size)
    channels = drawn.integers(0, 3, (size, 6))
    chances = 1 / (1 + np.exp(-(base + np.array(strengths)[channels])))
    succeeds = (drawn.random((size, 6)) < chances) & (np.arange(6) < most[:, None])
    converted = succeeds.any(axis=1)
    lengths = np.where(converted, succeeds.argmax(axis=1) + 1, most)
    times = np.cumsum(drawn.integers(DAY_US, 2 * DAY_US, (size, 6)), axis=1)
    used = np.arange(6) < lengths[:, None]
    paths = PathCounts.from_columns(
        CHANNELS, np.concatenate(([0], lengths.cumsum())), channels[used], converted.astype(np.int64)
    )
    return Journeys(paths, times[used], drawn.integers(0, 2**64, size, dtype=np.uint64))


@pytest.fixture(scope="module")
def journeys() -> Journeys:
    return _simulated(20_000, (1.5, -1.0, 0.0), -3.0, seed=4)


@pytest.fixture(scope="module")
def fitted(journeys: Journeys) -> Parameters:
    return fit.fit_learned(journeys, TERMS)


def test_it_finds_the_strong_channel_and_is_calibrated(fitted: Parameters) -> None:
    effects = dict(zip(fitted.channels, fitted.effects, strict=True))
    quality = fitted.quality

    assert (fitted.status, fitted.reason) == ("ok", "")
    assert effects["ads"] > effects["mail"] > effects["blog"]
    assert quality["log_loss"] < quality["base_log_loss"]
    assert quality["gain"] > 1.645 * quality["gain_error"] > 0
    assert quality["expected_calibration_error"] < 0.03
    assert 0.7 < quality["calibration_slope"] < 1.4
    assert abs(quality["calibration_intercept"]) < 0.4


def test_the_same_seed_gives_the_same_bytes() -> None:
    few = _simulated(4_000, (2.0, -1.0, 0.0), -3.0, seed=4)
    one, same, other = (fit.fit_learned(few, TERMS, Options(seed=s)) for s in (0, 0, 1))

    assert one.status == "ok"
    assert encode(one) == encode(same)
    assert one.version != other.version


def test_noise_is_refused_in_favour_of_the_fallback() -> None:
    """Every touch converts with the same chance: nothing can be told apart."""
    found = fit.fit_learned(_simulated(8_000, (0.0, 0.0, 0.0), -2.0, seed=9), TERMS)

    assert (found.status, found.reason, found.fallback) == ("insufficient_data", fit.NO_PATTERN, "linear")
    assert found.curve is None
    assert found.quality["gain"] <= 1.645 * found.quality["gain_error"]


def test_a_model_whose_odds_point_the_wrong_way_is_refused(journeys: Journeys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration turned the model around: what it learned does not hold for other customers."""
    curve, quality = learn(journeys, Options(max_journeys=5_000))
    monkeypatch.setattr(learned, "learn", lambda *_: (curve, replace(quality, slope=-0.1)))
    assert fit.fit_learned(journeys, TERMS).reason == fit.NOT_CALIBRATED


def test_what_is_published_is_what_was_judged(journeys: Journeys, fitted: Parameters) -> None:
    """The plain evaluation of one path and the columns of the training give the same chance."""
    curve = fitted.curve
    assert curve is not None
    options = Options()
    table = _Table.of(_sampled(journeys, options), options)
    survival = np.bincount(table.trial_journeys, -np.logaddexp(0, table.log_odds(curve)))
    for row in range(200):
        at = slice(journeys.paths.offsets[row], journeys.paths.offsets[row + 1])
        chance = hazard.conversion_probability(curve, journeys.paths.steps[at].tolist(), journeys.times_us[at].tolist())
        assert chance == pytest.approx(-np.expm1(survival[row]), rel=1e-9)


def test_credit_of_a_path_is_counterfactual_and_decays(fitted: Parameters) -> None:
    rule, config = CreditRule(fitted), AttributionConfig()
    curve = fitted.curve
    assert curve is not None
    touches = ((0, "t0", "ads", ""), (DAY_US, "t1", "blog", ""), (2 * DAY_US, "t2", "unseen", ""))
    shares = rule.shares(Path(touches, Conversion("c", "purchase", 3 * DAY_US, 999, "USD")), config)
    whole = hazard.conversion_probability(curve, [0, 1, -1], [0, DAY_US, 2 * DAY_US])
    without = hazard.conversion_probability(curve, [1, -1], [DAY_US, 2 * DAY_US])

    assert sum(shares.split(-999)) == -999
    assert shares.fallback == ""
    assert rule.effects(Path(touches, Conversion("c", "purchase", 9, 0, "USD")))[0] == round(
        (1 - without / whole) * EFFECT_SCALE
    )
    assert shares.numerators[0] > shares.numerators[1]


@given(
    channels=st.lists(st.integers(-1, 2), max_size=8),
    gaps=st.lists(st.integers(0, 40 * DAY_US), min_size=8, max_size=8),
    parts=st.lists(st.integers(-40 * EFFECT_SCALE, 40 * EFFECT_SCALE), min_size=5, max_size=5),
)
def test_effects_are_finite_for_any_curve(channels: list[int], gaps: list[int], parts: list[int]) -> None:
    """Saturated and vanishing hazards included; older touches than the curve looks at get 0."""
    curve = HazardCurve(DAY_US, parts[0], tuple(parts[1:4]), ((0, 2, parts[4]),), 5)
    times = np.cumsum(gaps[: len(channels)]).tolist()
    effects = hazard.removal_effects(curve, channels, times)

    assert len(effects) == len(channels)
    assert all(e <= EFFECT_SCALE for e in effects)
    assert not any(effects[:-5])
    assert 0 <= hazard.conversion_probability(curve, channels, times) <= 1
    assert hazard.conversion_probability(curve, [], []) == 0


def test_long_and_many_journeys_are_cut_by_rule(journeys: Journeys) -> None:
    cut = _sampled(journeys, Options(max_touches=2, max_journeys=500))

    assert len(cut.paths) == 500
    assert cut.paths.lengths.max() == 2
    curve, _ = learn(journeys, Options(max_touches=2, max_journeys=15_000))
    assert curve.max_touches == 2


def test_columns_that_do_not_fit_are_refused(journeys: Journeys) -> None:
    with pytest.raises(InvalidParameterError, match="a time for each touch"):
        Journeys(journeys.paths, journeys.times_us[1:], journeys.keys)
    twice = journeys.paths.weighted(journeys.paths.converted * 2, journeys.paths.nulls)
    with pytest.raises(InvalidParameterError, match="one journey a row"):
        Journeys(twice, journeys.times_us, journeys.keys)
    few = _simulated(4, (0.0, 0.0, 0.0), -1.0, seed=1)
    assert fit.fit_learned(few, TERMS).reason == fit.FEW_CONVERSIONS
    with pytest.raises(FoldTooSmallError, match="fold needs"):
        learn(few)
    assert fit.fit_learned(few, Terms(0, 10, 20, minimum_conversions=1)).reason == fit.FEW_CONVERSIONS
