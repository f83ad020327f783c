"""The closed loop of ``attribution bench read``: latencies, wrong answers, and questions without an answer in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from cli.bench_loop import TimedOutError, measure


def clients_that(ask: Callable[[], None]) -> Callable[[], AbstractContextManager[Callable[[], None]]]:
    @contextmanager
    def make() -> Iterator[Callable[[], None]]:
        yield ask

    return make


def failing_after(answers: int, error: Exception) -> Callable[[], None]:
    left, lock = [answers], threading.Lock()

    def ask() -> None:
        with lock:
            left[0] -= 1
            if left[0] < 0:
                raise error

    return ask


def test_answers_are_counted_and_timed() -> None:
    found = measure("q", clients_that(lambda: None), clients=2, seconds=0.05)
    assert (found.name, found.timed_out) == ("q", False)
    assert found.requests > 0
    assert 0 < found.p50 <= found.p95 <= found.p99


@pytest.mark.parametrize("answers", [0, 1, 20])
def test_a_question_without_an_answer_in_time_is_recorded_and_nothing_is_raised(answers: int) -> None:
    """At the first answer of each client, while others wait for it, and later."""
    found = measure("q", clients_that(failing_after(answers, TimedOutError("late"))), clients=3, seconds=0.3)
    assert found.timed_out
    assert (found.requests, found.p95) == (0, 0.0)


@pytest.mark.parametrize("answers", [0, 20])
def test_a_wrong_answer_is_raised(answers: int) -> None:
    ask = failing_after(answers, ValueError("wrong"))
    with pytest.raises(RuntimeError, match="q: wrong"):
        measure("q", clients_that(ask), clients=3, seconds=0.3)
