"""Learns the hazard of a conversion after each touch: regularised, calibrated, and refused where it knows nothing.

A logistic regression over the stocks of channels and the products of the most frequent pairs (see
``datadriven.hazard`` for the formula), with an L2 penalty. Customers are divided by a hash into three folds: three
fifths train the coefficients, one calibrates (a line through the log-odds: Platt 1999), one judges. What is judged is
what is published: the calibrated coefficients, rounded to integers.

Trials are judged, not whole journeys: a journey that converts is cut there, so how long it was when it ended tells
about its end, and no forecast may know it.

The model is refused where the data are too few (``datadriven.fit``), where its log-loss on the judging fold is not
below that of the base rate by more than ``SIGNIFICANCE`` standard errors, and where calibration finds no positive
slope.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit

from attribution.config import DAY_US
from attribution.errors import InvalidParameterError
from datadriven.bootstrap import Unsigned, uniform
from datadriven.parameters import EFFECT_SCALE, HazardCurve, quantised
from datadriven.paths import Floats, Integers, PathCounts

#: Standard errors by which the model must be better than the base rate (one-sided 5 %).
SIGNIFICANCE: Final = 1.645
_BINS: Final = 10
_FOLDS: Final = 5


class FoldTooSmallError(InvalidParameterError):
    """A fold has no conversion or no null: nothing can be learned or judged."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to learn. ``penalty`` is the inverse of scikit-learn's C; ``max_pairs`` interactions at most are learned.

    ``max_journeys`` are sampled of more, by the hash of their customer and ``seed``, which also decides the folds.
    """

    half_life_us: int = 7 * DAY_US
    penalty: float = 1.0
    max_pairs: int = 20
    max_touches: int = 50
    max_journeys: int = 200_000
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Journeys:
    """Journeys with their times: one row of ``paths`` each, ``times_us`` for each of its steps, ``keys`` its customer.

    ``paths.converted`` is 0 or 1.
    """

    paths: PathCounts
    times_us: Integers
    keys: Unsigned

    def __post_init__(self) -> None:
        if len(self.times_us) != len(self.paths.steps) or len(self.keys) != len(self.paths):
            raise InvalidParameterError(
                "times_us", len(self.times_us), "give a time for each touch, a key for each row"
            )
        if len(self.paths) and not bool(((self.paths.converted | 1) == 1).all()):
            raise InvalidParameterError("converted", int(self.paths.converted.max()), "give one journey a row, 0 or 1")


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured on journeys that neither trained nor calibrated. ``calibration_*``: 0 and 1 are perfect.

    Log-losses are per touch. ``gain`` is that of the base rate minus that of the model, ``gain_error`` its standard
    error with whole journeys as units; ``expected_calibration_error`` is over ten bins of equal size. ``slope`` is what
    the calibration multiplied the log-odds with.
    """

    journeys: int
    touches: int
    slope: float
    log_loss: float
    base_log_loss: float
    gain: float
    gain_error: float
    expected_calibration_error: float
    calibration_intercept: float
    calibration_slope: float

    @property
    def is_better_than_base_rate(self) -> bool:
        """Whether the gain is more than chance."""
        return self.gain > SIGNIFICANCE * self.gain_error


def learn(journeys: Journeys, options: Options | None = None) -> tuple[HazardCurve, Quality]:
    """The curve and what it is worth; the caller refuses (``datadriven.fit.fit_learned``).

    Raises:
        FoldTooSmallError: a fold without both a conversion and a null.
    """
    chosen = options or Options()
    table = _Table.of(_sampled(journeys, chosen), chosen)
    fold = (uniform(table.keys, chosen.seed) % np.uint64(_FOLDS)).astype(np.int64)
    parts = {"train": fold < _FOLDS - 2, "calibration": fold == _FOLDS - 2, "judging": fold == _FOLDS - 1}
    for name, rows in parts.items():
        if len(np.unique(table.converted[rows])) < 2:
            raise FoldTooSmallError("journeys", int(rows.sum()), f"the {name} fold needs conversions and nulls")
    train, calibration, judged = (rows[table.trial_journeys] for rows in parts.values())
    intercept, coefficients = _logistic(table.features[train], table.trial_won[train], 1.0 / chosen.penalty)
    shift, slope = _platt(intercept + table.features[calibration] @ coefficients, table.trial_won[calibration])
    integers = [quantised(slope * float(c)) for c in coefficients]
    known = len(journeys.paths.channels)
    curve = HazardCurve(
        half_life_us=chosen.half_life_us,
        intercept=quantised(shift + slope * intercept),
        coefficients=tuple(integers[:known]),
        pairs=tuple([(a, b, w) for (a, b), w in zip(table.pairs, integers[known:], strict=True)]),
        max_touches=chosen.max_touches,
    )
    base = float(table.trial_won[~judged].mean())
    odds = table.log_odds(curve)[judged]
    return curve, _quality(odds, table.trial_won[judged], table.trial_journeys[judged], base, slope)


def _sampled(journeys: Journeys, options: Options) -> Journeys:
    """Touched journeys, at most so many, each with its newest touches only."""
    lengths = journeys.paths.lengths
    chosen = np.flatnonzero(lengths)
    if len(chosen) > options.max_journeys:
        order = np.argsort(uniform(journeys.keys[chosen], options.seed + 1), kind="stable")
        chosen = np.sort(chosen[order[: options.max_journeys]])
    kept = np.minimum(lengths[chosen], options.max_touches)
    ends = journeys.paths.offsets[1:][chosen]
    offsets = np.concatenate(([0], np.cumsum(kept)))
    touches = np.arange(offsets[-1]) - np.repeat(offsets[1:], kept) + np.repeat(ends, kept)
    paths = PathCounts.from_columns(
        journeys.paths.channels, offsets, journeys.paths.steps[touches], journeys.paths.converted[chosen]
    )
    return Journeys(paths, journeys.times_us[touches], journeys.keys[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """One row of ``features`` for each touch: stocks of the channels, then the products of the pairs."""

    features: sparse.csr_array
    pairs: tuple[tuple[int, int], ...]
    trial_journeys: Integers
    trial_won: Integers
    converted: Integers
    keys: Unsigned

    @classmethod
    def of(cls, journeys: Journeys, options: Options) -> _Table:
        paths = journeys.paths
        stocks = _stocks(journeys, options)
        pairs = _frequent_pairs(paths, options.max_pairs)
        columns = stocks.tocsc()
        products = [columns[:, [a]].multiply(columns[:, [b]]) for a, b in pairs]
        won = np.zeros(len(paths.steps), dtype=np.int64)
        won[paths.offsets[1:] - 1] = paths.converted
        return cls(
            sparse.csr_array(sparse.hstack([columns, *products], format="csr")),
            pairs,
            np.repeat(np.arange(len(paths)), paths.lengths),
            won,
            paths.converted,
            journeys.keys,
        )

    def log_odds(self, curve: HazardCurve) -> Floats:
        """Log-odds of each trial under a published curve."""
        coefficients = np.array([*curve.coefficients, *(weight for _, _, weight in curve.pairs)]) / EFFECT_SCALE
        return np.asarray(curve.intercept / EFFECT_SCALE + self.features @ coefficients)


def _stocks(journeys: Journeys, options: Options) -> sparse.csr_array:
    """(touches, channels): what is left at each touch of the touches up to it, by channel."""
    paths, times = journeys.paths, journeys.times_us
    place = np.arange(len(paths.steps)) - np.repeat(paths.offsets[:-1], paths.lengths)
    rows, columns, values = [], [], []
    for lag in range(int(paths.lengths.max(initial=0))):
        later = np.flatnonzero(place >= lag)
        rows.append(later)
        columns.append(paths.steps[later - lag])
        values.append(np.exp2(-(times[later] - times[later - lag]) / options.half_life_us))
    shape = (len(paths.steps), len(paths.channels))
    if not rows:
        return sparse.csr_array(shape)
    triplets = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_array(sparse.coo_array(triplets, shape=shape))


def _frequent_pairs(paths: PathCounts, most: int) -> tuple[tuple[int, int], ...]:
    """Pairs of different channels that most converted journeys hold, ties by position."""
    row = np.repeat(np.arange(len(paths)), paths.lengths)
    won = paths.converted[row] > 0
    shape = (len(paths), len(paths.channels))
    held = sparse.csr_array((np.ones(int(won.sum())), (row[won], paths.steps[won])), shape=shape)
    held.data[:] = 1.0
    together = (held.T @ held).toarray()
    found = [(-int(together[a, b]), a, b) for a in range(shape[1]) for b in range(a + 1, shape[1]) if together[a, b]]
    return tuple([(a, b) for _, a, b in sorted(found)[:most]])


def _logistic(features: Any, won: Integers, inverse_penalty: float) -> tuple[float, Floats]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - the extra `learn`, only where it is used

    model = LogisticRegression(C=inverse_penalty, max_iter=1_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an early end costs fit, which the judging fold shows
        model.fit(features, won)
    return float(model.intercept_[0]), np.asarray(model.coef_[0], dtype=np.float64)


def _platt(odds: Floats, converted: Integers) -> tuple[float, float]:
    """Intercept and slope of the log-odds that fit the outcomes best."""
    shift, slope = _logistic(odds[:, None], converted, np.inf)
    return shift, float(slope[0])


def _losses(odds: Floats, converted: npt.NDArray[Any]) -> Floats:
    """Negative log-likelihood of each outcome."""
    return np.asarray(np.logaddexp(0.0, np.where(converted == 1, -odds, odds)))


def _quality(odds: Floats, won: Integers, journeys: Integers, base_rate: float, slope: float) -> Quality:
    base_odds = np.full(len(odds), np.log(base_rate) - np.log1p(-base_rate))
    losses, base = _losses(odds, won), _losses(base_odds, won)
    _, unit = np.unique(journeys, return_inverse=True)
    gains, sizes = np.bincount(unit, base - losses), np.bincount(unit)
    gain = float(gains.sum() / sizes.sum())
    # A ratio of sums over journeys: its error by linearisation (Cochran 1977).
    error = float(np.sqrt(((gains - gain * sizes) ** 2).sum()) / sizes.sum())
    chances, order = expit(odds), np.argsort(odds, kind="stable")
    off = sum(abs(float((chances[b] - won[b]).sum())) for b in np.array_split(order, _BINS))
    calibration_intercept, calibration_slope = _platt(odds, won)
    return Quality(
        journeys=len(sizes),
        touches=len(odds),
        slope=slope,
        log_loss=float(losses.mean()),
        base_log_loss=float(base.mean()),
        gain=gain,
        gain_error=error,
        expected_calibration_error=off / len(odds),
        calibration_intercept=calibration_intercept,
        calibration_slope=calibration_slope,
    )
