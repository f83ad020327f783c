"""Ports of a stack: two that start at the same moment do not choose the same ones."""

from __future__ import annotations

import subprocess
import sys

import pytest

from embedded.ports import PortTakenError, choose, free_port

ANOTHER = "import sys; from embedded.ports import choose; print(choose(int(sys.argv[1]), explicit=False, what='x')[0])"


def test_a_port_that_another_stack_has_chosen_is_passed_over_before_anybody_listens() -> None:
    wanted = free_port()
    assert choose(wanted, explicit=False, what="api") == (wanted, "")
    assert choose(wanted, explicit=False, what="api") == (wanted, "")  # it is ours
    other = subprocess.run(
        [sys.executable, "-c", ANOTHER, str(wanted)], capture_output=True, text=True, check=True
    ).stdout
    assert int(other) > wanted


def test_a_port_of_this_stack_is_passed_over_and_one_asked_for_by_name_is_refused() -> None:
    wanted = free_port()
    port, why = choose(wanted, explicit=False, what="api", taken=frozenset({wanted}))
    assert port != wanted
    assert why == f"api: port {wanted} is used by another part of this stack, using {port}"
    with pytest.raises(PortTakenError, match=f"api: port {wanted} is used by"):
        choose(wanted, explicit=True, what="api", taken=frozenset({wanted}))
