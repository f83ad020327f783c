"""Failpoints: off without their environment variable, exact about the passage, clear about a wrong specification."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import pytest

from stream_app import failpoints
from stream_app.failpoints import Failpoint, FailpointError, InjectedError, arm, passed


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm("")


def test_every_failpoint_says_where_it_is() -> None:
    """The one list is complete."""
    assert set(failpoints.PLACES) == set(get_args(Failpoint))


def test_nothing_happens_while_nothing_is_armed() -> None:
    """Importing and passing is free of effects."""
    assert not any(passed(name) for name in failpoints.PLACES)


def test_an_action_happens_at_its_passage_and_only_then() -> None:
    """Counted per entry; others are not disturbed."""
    arm("after_store=error@3, hand_over=lose, hand_over=lose@3")

    assert [passed("hand_over") for _ in range(4)] == [True, False, True, False]
    assert not passed("after_store")
    assert not passed("after_store")
    with pytest.raises(InjectedError, match="after_store, passed 3 times"):
        passed("after_store")
    assert not passed("after_store")


def test_kill_is_sigkill_to_oneself() -> None:
    """Nothing of an orderly end runs."""
    code = (
        "import atexit; from stream_app.failpoints import arm, passed; atexit.register(print, 'bye');"
        "arm('after_insert=kill@2'); passed('after_insert'); print('first', flush=True); passed('after_insert')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (-9, "first\n")


@pytest.mark.parametrize("wrong", ["nowhere=kill", "after_store", "after_store=explode", "after_store=kill@0", "=kill"])
def test_a_wrong_specification_is_told_with_the_way_out(wrong: str) -> None:
    """Field, value, what is possible; what was armed stays."""
    arm("hand_over=lose")
    with pytest.raises(FailpointError) as caught:
        arm(wrong)
    text = str(caught.value)

    assert "ATTRIBUTION_FAILPOINTS" in text
    assert repr(wrong) in text
    assert "after_changelog=kill@17" in text
    assert passed("hand_over")
