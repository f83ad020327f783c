"""Epochs are small when idle and large when behind: counted over a pipeline that is simulated here."""

from __future__ import annotations

from collections import deque

import pytest

from stream_app.cutting import FIRST_RECORDS, SETTLE_S, Cuts

LINGER_S = 0.2
BOUND = 1_000
#: What an epoch costs the simulated pipeline: something by itself and something per record.
EPOCH_S, RECORD_S = 0.05, 0.0001
STEP_S = 0.005


class Time:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def epochs(arrivals: list[int], *, first: int = 0) -> list[int]:
    """Sizes of the epochs cut while ``arrivals[i]`` records come in step ``i`` and ``first`` wait at the beginning."""
    clock = Time()
    cuts = Cuts(BOUND, LINGER_S, clock)
    waiting, ends, sizes = 0, deque[float](), []
    backlog = first
    for come in [*arrivals, *[0] * 4_000]:
        while ends and ends[0] <= clock.now:
            ends.popleft()
        backlog += come
        taken = min(backlog, BOUND - waiting)  # nothing is fetched beyond a full epoch
        if taken and not waiting:
            cuts.begin()
        waiting, backlog = waiting + taken, backlog - taken
        if cuts.is_due(waiting, len(ends)):
            cuts.cut(waiting)
            begins = ends[-1] if ends else clock.now
            ends.append(begins + EPOCH_S + waiting * RECORD_S)
            sizes.append(waiting)
            waiting = 0
        clock.now += STEP_S
    assert sum(sizes) == first + sum(arrivals), "records were left"
    return sizes


def test_idle_every_record_is_an_epoch_of_its_own() -> None:
    """One record each second: nobody waits for company that does not come."""
    assert epochs([1, *[0] * 199] * 20) == [1] * 20


def test_what_comes_together_goes_together() -> None:
    """A touchpoint and, two steps later, its conversion: one epoch."""
    assert epochs([1, 0, 1, *[0] * 197] * 5) == [2] * 5


def test_behind_every_epoch_is_full() -> None:
    """A backlog is read in epochs as large as the bound allows."""
    assert epochs([0], first=20 * BOUND) == [BOUND] * 20


@pytest.mark.parametrize(("per_step", "most_epochs"), [(1, 105), (10, 105), (20, 105)])
def test_under_load_an_epoch_for_each_linger_time_at_most(per_step: int, most_epochs: int) -> None:
    """Twenty seconds; the size follows the load, the number of epochs does not rise with it."""
    sizes = epochs([per_step] * 4_000)

    assert len(sizes) <= most_epochs
    assert sorted(sizes)[len(sizes) // 2] >= per_step * LINGER_S / STEP_S


def test_a_pipeline_that_cannot_keep_up_gets_larger_epochs_and_catches_up_again() -> None:
    """A burst above what the pipeline takes: epochs grow with the backlog, and shrink when it is gone."""
    sizes = epochs([*[4] * 400, *[60] * 400, *[4] * 2_000])

    calm, burst = sizes[1], max(sizes)
    assert burst == BOUND
    assert calm < BOUND / 4
    assert sizes[-2] <= calm * 2


def test_a_worker_that_meets_a_backlog_begins_with_small_epochs() -> None:
    """Each at most twice the one before, up to the bound."""
    cuts = Cuts(50_000, LINGER_S, Time())
    limits = []
    for _ in range(6):
        limits.append(cuts.limit)
        cuts.cut(cuts.limit)
    assert limits == [FIRST_RECORDS, 10_000, 20_000, 40_000, 50_000, 50_000]


def test_no_linger_cuts_at_once_and_three_under_way_hold_everything() -> None:
    """The bounds of the rule."""
    clock = Time()
    cuts = Cuts(BOUND, 0.0, clock)
    cuts.begin()
    assert cuts.is_due(1, 0)
    assert not cuts.is_due(0, 0)
    assert not cuts.is_due(1, 2)
    assert cuts.is_due(BOUND, 2)
    assert not cuts.is_due(BOUND, 3)

    slow = Cuts(BOUND, LINGER_S, clock)
    slow.begin()
    assert not slow.is_due(1, 0)
    clock.now += SETTLE_S + 1e-9
    assert slow.is_due(1, 0)
