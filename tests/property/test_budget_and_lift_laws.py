"""Laws of response curves, budgets and calibration."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from datadriven.budget import ASSUMED, Curve, curve, reallocate
from datadriven.lift import LiftTest, calibrate

MICRO = 1_000_000
curves = st.lists(
    st.tuples(st.floats(0.1, 50), st.floats(0.05, 0.95), st.integers(10 * MICRO, 10_000 * MICRO)),
    min_size=1,
    max_size=6,
).map(lambda rows: [(Curve(f"c{i}", s * 1e3, e, False, 9, 1.0), spend) for i, (s, e, spend) in enumerate(rows)])


@given(curves, st.floats(0, 1), st.floats(0.5, 2))
@settings(max_examples=200)
def test_a_plan_spends_the_budget_to_the_micro_within_bounds(
    given_: list[tuple[Curve, int]], most: float, growth: float
) -> None:
    spend = {c.channel: s for c, s in given_}
    total = round(sum(spend.values()) * growth)
    moves = reallocate([c for c, _ in given_], spend, total_micros=total, most_change=most)

    assert sum(m.planned_micros for m in moves) == total
    for move in moves:
        base = move.spend_micros * total / sum(spend.values())
        assert base * (1 - most) - 2 <= move.planned_micros <= base * (1 + most) + 2


@given(curves, st.floats(0.05, 0.9), st.data())
@settings(max_examples=150)
def test_no_other_plan_within_the_bounds_brings_more(
    given_: list[tuple[Curve, int]], most: float, data: st.DataObject
) -> None:
    spend = {c.channel: s for c, s in given_}
    by_name = {c.channel: c for c, _ in given_}
    moves = reallocate(list(by_name.values()), spend, most_change=most)
    best = sum(by_name[m.channel].value(m.planned_micros) for m in moves)
    if len(moves) < 2:
        return
    give, take = data.draw(st.permutations(moves))[:2]
    room = min(
        give.planned_micros - give.spend_micros * (1 - most), take.spend_micros * (1 + most) - take.planned_micros
    )
    moved = max(0.0, room) * data.draw(st.floats(0, 1))
    other = best - by_name[give.channel].value(give.planned_micros) - by_name[take.channel].value(take.planned_micros)
    other += by_name[give.channel].value(give.planned_micros - moved)
    other += by_name[take.channel].value(take.planned_micros + moved)
    assert other <= best * (1 + 1e-7) + 1_000  # plans are whole micros


@given(st.floats(0.1, 0.9), st.floats(1e3, 1e6))
def test_a_curve_without_noise_is_found_again(elasticity: float, scale: float) -> None:
    spend = [s * 50 * MICRO for s in range(1, 13)]
    found = curve("email", spend, [round(scale * s**elasticity) for s in spend])

    assert found.elasticity == pytest.approx(elasticity, abs=2e-3)
    assert not found.is_assumed
    assert found.r2 is not None
    assert found.r2 > 0.999


@pytest.mark.parametrize("spend", [[MICRO] * 20, [MICRO, 2 * MICRO, 3 * MICRO], [0, 0, MICRO]])
def test_what_cannot_be_seen_is_assumed_and_said(spend: list[int]) -> None:
    found = curve("email", spend, [5 * s for s in spend])

    assert (found.elasticity, found.is_assumed, found.r2) == (ASSUMED, True, None)


def test_wrong_input_is_refused_by_field() -> None:
    one = Curve("a", 1.0, 0.5, is_assumed=True, periods=1, r2=None)
    for wrong in (
        lambda: curve("a", [1], [1, 2]),
        lambda: curve("a", [-1], [1]),
        lambda: curve("a", [0], [1]),
        lambda: reallocate([one], {"a": 0}),
        lambda: reallocate([one], {"a": 5}, most_change=2),
        lambda: reallocate([one], {"a": 5}, total_micros=0),
        lambda: calibrate([LiftTest("a", 1.0, 0.0, 1.0)], {"a": 1.0}),
        lambda: calibrate([LiftTest("a", float("nan"), 1.0, 1.0)], {"a": 1.0}),
        lambda: calibrate([LiftTest("a", 1.0, 1.0, -1.0)], {"a": 1.0}),
    ):
        with pytest.raises(InvalidParameterError):
            wrong()


raws = st.dictionaries(st.sampled_from(("a", "b", "c")), st.floats(1, 1e5), min_size=1)


@given(raws, st.lists(st.tuples(st.sampled_from(("a", "b", "z")), st.floats(-50, 500), st.floats(1, 50)), max_size=6))
def test_calibrated_and_raw_and_residual_add_up(raw: dict[str, float], rows: list[tuple[str, float, float]]) -> None:
    found = calibrate([LiftTest(name, lift, error, 100.0) for name, lift, error in rows], raw)

    assert {row.channel: row.raw for row in found.channels} == raw
    parts = sum(row.raw if row.calibrated is None else row.calibrated for row in found.channels)
    assert parts + found.residual == pytest.approx(sum(raw.values()), abs=1e-6 * sum(raw.values()) + 1e-6)
    tested = {name for name, *_ in rows} & raw.keys()
    assert {row.channel for row in found.channels if row.factor is not None} == tested
    assert found.coverage == pytest.approx(sum(raw[name] for name in tested) / sum(raw.values()))


def test_tests_are_pooled_by_precision_and_widened_when_they_disagree() -> None:
    agree = calibrate([LiftTest("a", 50, 5, 100), LiftTest("a", 52, 5, 100)], {"a": 1_000.0}).channels[0]
    differ = calibrate([LiftTest("a", 20, 5, 100), LiftTest("a", 90, 5, 100)], {"a": 1_000.0}).channels[0]
    sharp = calibrate([LiftTest("a", 50, 1, 100), LiftTest("a", 100, 100, 100)], {"a": 1_000.0}).channels[0]

    assert agree.factor == pytest.approx(0.51)
    assert agree.disagreement == 1
    assert differ.factor == pytest.approx(0.55)
    assert differ.disagreement == pytest.approx(98)
    assert agree.high is not None
    assert agree.low is not None
    assert agree.high - agree.low == pytest.approx(2 * 1.959964 * 0.05 / 2**0.5, rel=1e-5)
    assert sharp.factor == pytest.approx(0.50005, abs=1e-5)
    assert agree.calibrated == pytest.approx(510)
