"""Negative controls: one protection taken away each, and the harness must see it.

The real worker runs the whole script without a violation; each control runs the part of it that its protection is for
and must break an invariant. A control that passes is a failure: it would mean that the invariants see nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fault_run import FaultRun, MakeRun, population
from loadgen.records import Record

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(300)]

FOLDER = Path(__file__).parent / "controls"
RECORDS = 3_600
HALF = 2_400  # enough for all lives; the rest is sent behind the loss
SEED = 61

#: Lives of the worker, in order: where each of them is killed. The last life loses an epoch on its way and goes on.
KILLS = ("after_store=kill@6", "after_commit=kill@3", "after_insert=kill@3")
LOSS = "hand_over=lose@3"
#: A row that is owed may be written for another reason, a later touch of its customer; not all of three epochs.
TWICE_MORE = ("after_store=kill@5", "after_store=kill@4")

#: Control to its program, the lives it needs, and the invariants of which at least one must break.
CONTROLS = {
    "a": ("no_reemit.py", (*KILLS[:1], *TWICE_MORE), {"I2", "I7"}),
    "b": ("commit_first.py", KILLS[1:2], {"I1", "I2", "I7"}),
    "c": ("no_chain.py", (), {"I1", "I2", "I7"}),
    "d": ("two_at_once.py", (), {"I2", "I6", "I7"}),
    "e": ("", KILLS[2:], {"I3"}),
    "f": ("", (), {"I2"}),
}

PLAIN_TABLE = "CREATE TABLE plain AS attributions ENGINE = MergeTree ORDER BY (run_id, conversion_id)"


def play(run: FaultRun, kills: tuple[str, ...], send_rest: Callable[[], None]) -> None:
    """All lives; then the rest of the input, so that every partition goes on behind the lost epoch."""
    for failpoint in kills:
        run.start(failpoints=failpoint)
        assert run.wait_dead() == -signal.SIGKILL, run.stream.log_tail()
        run.count("kills")
        run.count("records replayed", run.watch.sample())
    run.start(failpoints=LOSS)
    run.wait_for_epochs(3)
    run.count("epochs lost on the way")
    send_rest()
    run.finish()


def test_the_real_worker_passes_what_the_controls_fail(make_run: MakeRun) -> None:
    """The whole script, and a second replay."""
    run = make_run(1, "script of the controls", SEED)
    records = population(RECORDS, SEED)
    run.send(records[:HALF])
    play(run, KILLS, lambda: run.send(records[HALF:]))

    assert run.judge(replay=True).broken == [], run.result.violations
    assert "it will be read again" in (run.stream.folder / "worker-0.log").read_text(), "no epoch was lost"


def send_crc32(run: FaultRun, records: Sequence[Record]) -> None:
    """Touchpoints as everybody, conversions with librdkafka's own partitioner."""
    run.send([r for r in records if r.kind != "conversion"])
    run.send([r for r in records if r.kind == "conversion"], partitioner="consistent_random")


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_is_detected(make_run: MakeRun, control: str) -> None:
    """At least one of the invariants that speak of the protection is violated."""
    program, kills, speaks_of_it = CONTROLS[control]
    run = make_run(1, "control", SEED, control=control, program=(str(FOLDER / program), "worker") if program else ())
    records = population(RECORDS, SEED)
    send = send_crc32 if control == "f" else FaultRun.send
    if control == "e":
        run.observer.client.command(PLAIN_TABLE)
        run.observer.client.command("EXCHANGE TABLES plain AND attributions")
    send(run, records[:HALF])
    play(run, kills, lambda: send(run, records[HALF:]))

    assert speaks_of_it & set(run.judge().broken), f"control {control} passed: {run.result.violations}"
