"""Faults 8 and 9: records that are no events, times that cannot be, and a worker whose clock is a year off.

Each poison record must be a dead letter once, with its own bytes and the expected reason; its neighbours on the same
partition must not notice (I1 and I2).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fault_run import FaultRun, MakeRun, population
from loadgen.records import Record
from schemas.events import TouchpointEvent
from schemas.reasons import Reason

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.faults, pytest.mark.timeout(300)]

SKEWED = str(Path(__file__).parent / "controls" / "skewed_clock.py")
YEAR_S = 365 * 86_400
AT = "2026-09-02T10:00:00Z"
AT_S = 1_788_343_200


def body(number: int, **more: Any) -> dict[str, Any]:
    return {"event_id": f"poison-{number}", "customer_id": "mallory", "occurred_at": AT, "channel": "Email", **more}


def poison(kind: Any, value: bytes | None, reason: Reason) -> Record:
    return Record(kind, "", b"mallory", value, True, reason, None)  # type: ignore[arg-type]  # a null value is poison too


def poisons() -> list[Record]:
    """The list of the handbook, each in two places."""
    found = []
    for number in (1, 2):
        tail = str(number).encode()
        order = body(number, value="1", currency="USD")
        found += [
            poison("touchpoint", b"\x05magic" + tail, "undecodable"),
            poison("touchpoint", b"\x00\x7f\xff\xff\xff" + tail, "unknown_schema"),
            poison("conversion", b"\x00\x00" + tail, "undecodable"),
            poison("touchpoint", json.dumps(body(number)).encode()[:-9], "undecodable"),
            poison("touchpoint", None, "empty"),
            poison("conversion", b"", "empty"),
            poison("touchpoint", json.dumps(body(number, page_url="x" * 1_100_000)).encode(), "too_long"),
            poison("conversion", json.dumps(order).replace('"1"', "NaN").encode(), "bad_amount"),
            poison("conversion", json.dumps({**order, "value": "-3"}).encode(), "negative_value"),
            poison("conversion", json.dumps({**order, "value": [1]}).encode(), "wrong_type"),
            poison("touchpoint", json.dumps(body(number, event_id={"a": 1})).encode(), "wrong_type"),
        ]
    return found


def timed(number: int, occurred_at: Any, at_s: int, customer: str = "mallory") -> Record:
    """A valid touchpoint whose time has another form."""
    event = TouchpointEvent(f"timed-{number}", customer, at_s * 1_000_000, "Email")
    wire = {"event_id": event.event_id, "customer_id": customer, "occurred_at": occurred_at, "channel": "Email"}
    return Record("touchpoint", "", customer.encode(), json.dumps(wire).encode(), False, None, event)


def skewed_times() -> list[Record]:
    """Seconds, milliseconds and microseconds mean the same; a year ahead is implausible, a year ago is fine.

    The old one is of a customer of its own: behind newer events it would be too late, or leave the journey again.
    """
    ahead = json.dumps(body(9, occurred_at=f"{2027 + 1}-01-01T00:00:00Z")).encode()
    return [
        timed(1, AT_S - YEAR_S, AT_S - YEAR_S, "trent"),
        timed(2, AT_S, AT_S),
        timed(3, (AT_S + 1) * 1_000, AT_S + 1),
        timed(4, (AT_S + 2) * 1_000_000, AT_S + 2),
        timed(5, AT, AT_S),
        poison("touchpoint", ahead, "implausible_time"),
        poison("touchpoint", json.dumps(body(10, occurred_at=0)).encode(), "implausible_time"),
    ]


def among(some: list[Record], count: int, seed: int) -> list[Record]:
    """Records spread among ordinary ones, in their own order."""
    mixed = list(population(count, seed))
    for number, record in enumerate(some):
        mixed.insert((number + 1) * count // (len(some) + 1), record)
    return mixed


def test_poison_is_a_dead_letter_and_its_neighbours_do_not_notice(make_run: MakeRun) -> None:
    """Magic, schema id, truncated, null, over 1 MiB, NaN and negative amounts, wrong types."""
    run: FaultRun = make_run(8, "poison records", 85)
    some = poisons()
    run.send(among(some, 4_000, 85))
    run.finish()
    run.count("poison records", len(run.ledger.malformed()))

    assert run.judge(replay=True).broken == [], run.result.violations
    assert len(run.ledger.malformed()) >= len(some)


@pytest.mark.parametrize("skew_s", [-YEAR_S, YEAR_S])
def test_skewed_clocks_move_no_row(make_run: MakeRun, skew_s: int) -> None:
    """The worker's clock stamps when a row was written, and nothing else."""
    run: FaultRun = make_run(9, f"clock {skew_s:+d} s", 86, program=(SKEWED, "worker"))
    run.send(among(skewed_times(), 3_000, 86))
    run.start(env={"ATTRIBUTION_TEST_CLOCK_SKEW_S": str(skew_s)})
    run.drain()
    run.finish()
    run.count("skewed clocks")

    assert run.judge().broken == [], run.result.violations
