"""The sender: its rate, its patience and its honesty about failures, with a clock and a broker made here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.producer import DeliveryError, Sender
from loadgen.records import Record


class Desk:
    """A clock, and a broker that takes what it is told to take."""

    def __init__(self, *, stall_at: int = -1, full_at: int = -1, refuse_at: int = -1, keep: int = 0) -> None:
        self.now = 100.0
        self.taken: list[tuple[float, bytes]] = []
        self.config: dict[str, Any] = {}
        self._stall_at, self._full_at, self._refuse_at, self._keep = stall_at, full_at, refuse_at, keep

    def __call__(self, config: dict[str, Any]) -> Desk:
        self.config = config
        return self

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def produce(self, topic: str, value: bytes, key: bytes) -> None:  # noqa: ARG002  # the client's names
        number = len(self.taken)
        if number == self._full_at:
            self._full_at = -1
            raise BufferError
        if number == self._stall_at:
            self._stall_at = -1
            self.now += 0.5
        if number == self._refuse_at:
            self.config["on_delivery"](SimpleNamespace(__str__=lambda: "refused"), None)
        self.taken.append((self.now, value))

    def poll(self, timeout: float) -> int:
        self.now += timeout
        return 0

    def flush(self, timeout: float) -> int:  # noqa: ARG002  # the client's name
        return self._keep


def records(size: int) -> list[Record]:
    return [Record("touchpoint", "t", b"k", str(i).encode(), False, None, None) for i in range(size)]


def send(desk: Desk, size: int, rate: float | None = None, stop_after: int = 10**9) -> Any:
    return Sender("broker:1", desk).send(
        records(size), rate=rate, clock=desk.clock, sleep=desk.sleep, should_stop=lambda: len(desk.taken) >= stop_after
    )


@pytest.mark.parametrize("rate", [3.0, 700.0, 40_000.0])
def test_no_record_leaves_before_it_is_due_nor_more_than_a_step_late(rate: float) -> None:
    """Record ``i`` leaves at ``i / rate``, at most one sleeping step later."""
    desk = Desk()

    report = send(desk, 2_000, rate)

    lateness = [at - 100.0 - i / rate for i, (at, _) in enumerate(desk.taken)]
    assert min(lateness) > -1e-9
    assert max(lateness) < 0.0021
    assert report.achieved_rate == pytest.approx(rate, rel=0.01)
    assert report.late == 0


def test_a_stall_is_reported_and_caught_up_with() -> None:
    """The schedule does not move with a slow broker: it shows as lateness, and the rate is made good."""
    desk = Desk(stall_at=500)

    report = send(desk, 5_000, 1_000.0)

    assert report.max_behind_s == pytest.approx(0.5, abs=0.01)
    assert report.late == pytest.approx(400, abs=5)
    assert report.seconds == pytest.approx(5.0, abs=0.05)


def test_records_keep_their_order_and_none_is_lost_when_the_queue_is_full() -> None:
    """A full queue is waited for, and the record is tried again."""
    desk = Desk(full_at=7)

    report = send(desk, 20)

    assert [value for _, value in desk.taken] == [str(i).encode() for i in range(20)]
    assert report.sent == 20


def test_stopping_is_clean_and_told() -> None:
    """A stop ends the run between two records, and the report says so."""
    desk = Desk()

    report = send(desk, 10_000, 1_000.0, stop_after=300)

    assert report.is_stopped
    assert report.sent == len(desk.taken) < 320


def test_a_refused_record_ends_the_run_with_an_error() -> None:
    """A record that the broker refuses is never passed over."""
    desk = Desk(refuse_at=1_500)

    with pytest.raises(DeliveryError, match="1 of 2000 records were not confirmed by broker:1"):
        send(desk, 10_000)


def test_records_without_an_answer_are_an_error() -> None:
    """What is left in the queue after the last wait was not delivered."""
    with pytest.raises(DeliveryError, match="3 of 10 records"):
        send(Desk(keep=3), 10)


def test_the_client_has_the_settings_that_the_product_needs() -> None:
    """The Java partitioner, durable and idempotent writes."""
    desk = Desk()
    Sender("broker:1", desk)

    assert desk.config["partitioner"] == "murmur2_random"
    assert desk.config["acks"] == "all"
    assert desk.config["enable.idempotence"] is True
    assert desk.config["compression.type"] == "lz4"
