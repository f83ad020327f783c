"""Lift tests beside model credit: what an experiment says a channel caused, over what the model gave it.

A lift test (holdout, geo test, conversion lift of an ad platform) estimates the incremental conversions of one channel
in one period. Its *factor* is that number over the model's credit of the same channel and period. A channel's factor is
the mean of its tests weighted by inverse variance; where tests disagree by more than their errors say, the variance is
widened by Birge's ratio ``Q / (n - 1)``. Calibrated credit is raw credit times the factor. It stands **beside** the raw
credit, which conserves every conversion; calibrated credit does not, and the *residual* says by how much: what is left
of the conversions is not explained by marketing, or not tested.

Sources: Gordon, Zettelmeyer, Bhargava and Chapsky 2019 (doi 10.1287/mksc.2018.1135) for how far models are from
experiments; Birge 1932 (doi 10.1103/PhysRev.40.207); Cochran 1954 for Q.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from math import fsum, isfinite, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

from attribution.errors import InvalidParameterError
from attribution.types import UNATTRIBUTED

LEVEL: Final = 0.95
_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)


class LiftTest(NamedTuple):
    """One test. ``credited``: what the model gave the channel in the test's period and place, in conversions."""

    channel: str
    incremental: float
    standard_error: float
    credited: float


class Experiment(NamedTuple):
    """One test as it was reported; days are inclusive."""

    channel: str
    start: date
    end: date
    incremental: float
    standard_error: float


class Calibrated(NamedTuple):
    """One channel. Without a usable test ``factor`` and what follows from it are None: nothing is known."""

    channel: str
    raw: float
    tests: int
    factor: float | None
    low: float | None
    high: float | None
    calibrated: float | None
    calibrated_low: float | None
    calibrated_high: float | None
    disagreement: float


class Calibration(NamedTuple):
    """All channels, by falling raw credit.

    ``coverage``: share of the raw credit that stands in tested channels. ``residual``: conversions minus calibrated
    credit of tested channels minus raw credit of the others; negative when the tests found more than there was.
    """

    channels: tuple[Calibrated, ...]
    coverage: float
    residual: float


def calibrate(tests: Sequence[LiftTest], raw: Mapping[str, float]) -> Calibration:
    """Raw credit by channel, in conversions, with what the tests say of it.

    Raises:
        InvalidParameterError: a test whose numbers cannot be.
    """
    by_channel: dict[str, list[LiftTest]] = defaultdict(list)
    for test in tests:
        _check(test)
        if test.credited > 0:  # the model gave nothing there, so there is no factor
            by_channel[test.channel].append(test)
    rows = tuple(
        sorted(
            (_calibrated(name, raw[name], by_channel[name]) for name in raw), key=lambda row: (-row.raw, row.channel)
        )
    )
    total = fsum(row.raw for row in rows)
    tested = fsum(row.raw for row in rows if row.factor is not None)
    explained = fsum(row.raw if row.calibrated is None else row.calibrated for row in rows)
    return Calibration(rows, tested / total if total else 0.0, total - explained)


def calibrate_period(
    tests: Sequence[Experiment], credit: Callable[[date, date], Mapping[str, float]], start: date, end: date
) -> Calibration:
    """Each test beside the credit of its own days; its factor applied to the days from ``start`` to ``end``.

    Args:
        tests: what experiments found.
        credit: conversions that the model gives each channel on these days, inclusive.
        start: first day of the credit to calibrate.
        end: last day.

    Raises:
        InvalidParameterError: a test whose numbers cannot be.
    """
    raw = {name: value for name, value in credit(start, end).items() if name != UNATTRIBUTED}
    periods = {days: credit(*days) for days in {(test.start, test.end) for test in tests}}
    matched = [
        LiftTest(t.channel, t.incremental, t.standard_error, periods[t.start, t.end].get(t.channel, 0.0)) for t in tests
    ]
    return calibrate(matched, raw)


def _check(test: LiftTest) -> None:
    if not (isfinite(test.standard_error) and test.standard_error > 0):
        raise InvalidParameterError("standard_error", test.standard_error, "give the error of the estimate, above 0")
    if not isfinite(test.incremental):
        raise InvalidParameterError("incremental", test.incremental, "give a number of conversions; it may be negative")
    if not (isfinite(test.credited) and test.credited >= 0):
        raise InvalidParameterError("credited", test.credited, "give the model's credit in the test, 0 or more")


def _calibrated(channel: str, raw: float, tests: Sequence[LiftTest]) -> Calibrated:
    if not tests:
        return Calibrated(channel, raw, 0, None, None, None, None, None, None, 1.0)
    factors = [test.incremental / test.credited for test in tests]
    precision = [(test.credited / test.standard_error) ** 2 for test in tests]
    weight = fsum(precision)
    factor = fsum(p * f for p, f in zip(precision, factors, strict=True)) / weight
    q = fsum(p * (f - factor) ** 2 for p, f in zip(precision, factors, strict=True))
    disagreement = max(1.0, q / (len(tests) - 1)) if len(tests) > 1 else 1.0
    half = _Z * sqrt(disagreement / weight)
    low, high = factor - half, factor + half
    return Calibrated(channel, raw, len(tests), factor, low, high, raw * factor, raw * low, raw * high, disagreement)
