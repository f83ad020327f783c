"""Watchdog, readiness and the bounded stop, with a clock that the test holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickhouse.errors import SinkUnavailable
from stream_app import exits
from stream_app.readiness import Readiness
from stream_app.supervision import Supervision
from stream_app.waiting import SinkWait
from stream_app.watchdog import Pulse, Watchdog

LIMIT = 120.0
#: Seconds that pass, whether a sign of life comes then, whether partitions are served, what the broker says of work.
steps = st.lists(
    st.tuples(st.integers(1, 20), st.booleans(), st.booleans(), st.sampled_from([True, False, None])), max_size=80
)


@given(steps=steps)
def test_it_bites_only_after_the_limit_without_a_sign_and_with_work(steps: Any) -> None:
    """Never while something happened, or nothing was there to read, within the limit."""
    work: list[bool | None] = [None]
    watchdog = Watchdog(LIMIT, lambda: work[0])
    now, last = 0.0, (0.0, "start")
    for seconds, beats, is_serving, has_work in steps:
        now += seconds
        work[0] = has_work
        if beats:
            last = (now, "epoch")
        stuck = watchdog.look(now, last, is_serving=is_serving)
        if stuck:
            assert now - last[0] > LIMIT
            assert has_work or not is_serving
            assert "epoch" in stuck or "start" in stuck


@given(waits=st.lists(st.integers(1, 20), min_size=60, max_size=60), is_serving=st.booleans())
def test_it_does_bite_and_soon_after_the_limit(waits: list[int], is_serving: bool) -> None:
    """At the latest a quarter of the limit and one look later."""
    watchdog, now = Watchdog(LIMIT, lambda: True), 0.0
    for seconds in waits:
        now += seconds
        if watchdog.look(now, (0.0, "start"), is_serving=is_serving):
            break
    else:
        assert now <= LIMIT * 1.25 + 20
    assert now <= LIMIT * 1.25 + 2 * 20


def test_zero_switches_it_off_and_the_broker_is_left_alone_while_epochs_are_finished() -> None:
    asked: list[int] = []

    def has_work() -> bool:
        asked.append(1)
        return True

    assert Watchdog(0, has_work).look(1e9, (0.0, "start"), is_serving=True) == ""
    watchdog = Watchdog(LIMIT, has_work)
    for now in range(1_000):
        assert watchdog.look(float(now), (now - 5.0, "epoch"), is_serving=True) == ""
    assert not asked


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def status(folder: Path) -> Any:
    found = json.loads((folder / "status.json").read_text())
    assert (folder / "ready.json").exists() is found["ready"]
    return found["state"], found["partitions"]


def test_ready_is_assigned_and_recovered_and_sink_reachable(tmp_path: Path, clock: list[float]) -> None:
    """A short silence of ClickHouse is none; a longer one is told and taken back."""
    readiness = Readiness(tmp_path, lambda: clock[0])
    assert status(tmp_path) == ("starting", [])
    readiness.clear()
    assert status(tmp_path) == ("recovering", [])
    readiness.set({1, 0})
    assert status(tmp_path) == ("ready", [0, 1])
    clock[0] = 4.0
    readiness.sink(answers=False)
    assert status(tmp_path) == ("ready", [0, 1])
    clock[0] = 6.0
    readiness.sink(answers=False)
    assert status(tmp_path) == ("sink_unreachable", [0, 1])
    readiness.sink(answers=True)
    assert status(tmp_path) == ("ready", [0, 1])
    readiness.stop()
    readiness.set({2})
    assert status(tmp_path)[0] == "stopping"


def supervision(folder: Path, clock: list[float], ended: list[Any]) -> Supervision:
    def now() -> float:
        return clock[0]

    pulse = Pulse(now)
    end: Callable[[int, str], None] = lambda code, why: ended.append((code, why))  # noqa: E731
    watchdog = Watchdog(100, lambda: True)
    return Supervision(Readiness(folder, now), pulse, watchdog, lambda: True, now, 30.0, end)


def test_a_stop_that_takes_too_long_is_cut_short_and_the_watchdog_holds_still_meanwhile(
    tmp_path: Path, clock: list[float]
) -> None:
    ended: list[Any] = []
    found = supervision(tmp_path, clock, ended)
    clock[0] = 99.0
    found.begin_stop()
    assert found.stopping.is_set()
    clock[0] = 128.0
    found.begin_stop()
    found.look()
    assert not ended
    clock[0] = 130.0
    found.look()
    assert [code for code, _ in ended] == [exits.STOP_TIMED_OUT]


def test_a_worker_that_does_not_take_its_partitions_over_is_ended(tmp_path: Path, clock: list[float]) -> None:
    ended: list[Any] = []
    found = supervision(tmp_path, clock, ended)
    clock[0] = 90.0
    found.look()
    found.pulse.beat("partition 3 restored up to 17")
    clock[0] = 189.0
    found.look()
    assert not ended
    clock[0] = 191.0
    found.look()
    assert [code for code, _ in ended] == [exits.NO_PROGRESS]
    assert "not taken over" in ended[0][1]
    assert "partition 3 restored up to 17" in ended[0][1]


def test_a_wait_for_clickhouse_is_told_first_then_each_minute_and_when_it_is_over(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """And every renewal is a sign of life."""
    pulse = Pulse(lambda: clock[0])
    wait = SinkWait(pulse, lambda: clock[0])
    wait.over()
    for second in range(0, 130, 5):
        clock[0] = float(second)
        wait.renewed(SinkUnavailable("refused"), 5.0)
    assert pulse.last == (125.0, "wait for ClickHouse")
    wait.over()
    wait.over()

    told = [r.getMessage() for r in caplog.records]
    assert [t.split(" ClickHouse")[0] for t in told[:3]] == ["Waiting for", "Still waiting for", "Still waiting for"]
    assert told[3:] == ["ClickHouse is back after 125 s"]


def test_every_exit_code_has_a_meaning_of_its_own() -> None:
    codes = [code for name, code in vars(exits).items() if name.isupper() and isinstance(code, int)]

    assert sorted(codes) == sorted(exits.MEANING)
