"""Sends records to Kafka at a given rate, and says how well that went.

The rate is open-loop: record i is due ``i / rate`` seconds after the start whatever happened before, so a slow broker
shows as ``max_behind_s`` and ``late`` records and is caught up with, never as a quietly lower load. Durable settings
(``acks=all``, idempotent) and the Java-compatible ``murmur2_random`` partitioner, which every producer of this product
must use.

Raises ``BrokerUnavailableError`` (no broker, or topics are missing) and ``DeliveryError`` (records were not stored).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka import Producer as KafkaProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_POLL_EVERY: Final = 1_000
_LONGEST_SLEEP_S: Final = 0.05
#: Records go out in steps of at least this; shorter sleeps cost more than the records.
_SHORTEST_SLEEP_S: Final = 0.002
_FLUSH_S: Final = 120.0
#: A record handed over later than this after it was due counts as late.
LATE_S: Final = 0.1


class Sendable(Protocol):
    """What is read of a record."""

    @property
    def topic(self) -> str:
        """Where to."""
        ...

    @property
    def key(self) -> bytes:
        """Decides the partition."""
        ...

    @property
    def value(self) -> bytes:
        """The bytes of the event."""
        ...


AnyRecord = TypeVar("AnyRecord", bound=Sendable)


class BrokerUnavailableError(RuntimeError):
    """Nobody answers at the address, or the topics do not exist."""


class DeliveryError(RuntimeError):
    """Records that the broker did not confirm."""


class Client(Protocol):
    """What is used of ``confluent_kafka.Producer``."""

    def produce(self, topic: str, value: bytes, key: bytes) -> None:
        """Queue a record; ``BufferError`` if the queue is full."""
        ...

    def poll(self, timeout: float) -> int:
        """Serve delivery reports for at most ``timeout`` seconds."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait for what is queued; how many records are left."""
        ...


@dataclass(frozen=True, slots=True)
class SendReport:
    """How a run went. ``target_rate`` is ``None`` when it ran as fast as it could.

    ``max_behind_s``: how long the most delayed record was overdue; about 2 ms of it is the sender's own step. ``late``:
    records that were overdue by more than ``LATE_S``.
    """

    sent: int
    seconds: float
    target_rate: float | None
    achieved_rate: float
    max_behind_s: float
    is_stopped: bool
    late: int = 0


class _Schedule:
    """When records are due, and how late they are handed over. Without a rate every record is due at once."""

    def __init__(
        self,
        rate: float | None,
        should_stop: Callable[[], bool],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._rate, self._should_stop, self._clock, self._sleep = rate, should_stop, clock, sleep
        self.start = clock()
        self.behind_s = self.max_behind_s = 0.0
        self.late = 0
        self._late_from = self._late_to = 0

    def allowed(self, sent: int) -> int:
        """Wait until record number ``sent`` is due; how many may be out by then, ``sent`` if it is time to stop."""
        rate = self._rate
        if rate is None:
            return sent + _POLL_EVERY
        while (early := self.start + sent / rate - self._clock()) > 0:
            if self._should_stop():
                return sent
            self._sleep(min(max(early, _SHORTEST_SLEEP_S), _LONGEST_SLEEP_S))
        self.close(sent)
        self.behind_s = -early
        self.max_behind_s = max(self.max_behind_s, self.behind_s)
        self._late_from, self._late_to = sent, sent + max(0, math.ceil((self.behind_s - LATE_S) * rate))
        due = int((self._clock() - self.start) * rate) + 1
        return min(max(due, sent + 1), sent + _POLL_EVERY)

    def close(self, sent: int) -> None:
        """Count the late ones of the step that ended with ``sent`` records out."""
        self.late += max(0, min(self._late_to, sent) - self._late_from)
        self._late_to = self._late_from


class Sender:
    """A Kafka producer with the product's settings; counts deliveries that failed."""

    def __init__(self, bootstrap: str, client: Callable[[dict[str, Any]], Client] = KafkaProducer) -> None:
        self._bootstrap = bootstrap
        self._failed = 0
        self._first_failure = ""
        self._client = client(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 10,
                "batch.size": 524_288,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 262_144,
                "delivery.timeout.ms": 60_000,
                "delivery.report.only.error": True,
                "on_delivery": self._on_failure,
                "log_level": 0,
            }
        )

    def _on_failure(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed += 1
            self._first_failure = self._first_failure or str(error)

    def send(
        self,
        records: Iterable[AnyRecord],
        *,
        rate: float | None = None,
        on_sent: Callable[[AnyRecord], None] | None = None,
        on_step: Callable[[int, float], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> SendReport:
        """Send all records and wait until the broker has them.

        ``on_sent`` sees each record that was handed over; ``on_step`` is told every 1,000 records or sooner how many
        were, and how many seconds behind the schedule the next one is. ``should_stop`` is asked at least every 50 ms at
        a given rate, else every 1,000 records.

        Raises:
            DeliveryError: the broker did not confirm all of them.
        """
        client = self._client
        schedule = _Schedule(rate, should_stop, clock, sleep)
        sent, allowed, stopped = 0, 0, False
        for record in records:
            if sent >= allowed:
                allowed = schedule.allowed(sent)
                if on_step is not None:
                    on_step(sent, schedule.behind_s)
                client.poll(0)
                if self._failed or allowed <= sent or should_stop():
                    stopped = not self._failed
                    break
            self._hand_over(record)
            sent += 1
            if on_sent is not None:
                on_sent(record)
        schedule.close(sent)
        left = client.flush(_FLUSH_S)
        seconds = clock() - schedule.start
        if self._failed or left:
            lost = self._failed + left
            reason = self._first_failure or "no answer in time"
            raise DeliveryError(f"{lost} of {sent} records were not confirmed by {self._bootstrap}: {reason}")
        achieved = sent / seconds if seconds > 0 else 0.0
        return SendReport(sent, seconds, rate, achieved, schedule.max_behind_s, stopped, schedule.late)

    def _hand_over(self, record: Sendable) -> None:
        while True:
            try:
                self._client.produce(record.topic, value=record.value, key=record.key)
            except BufferError:
                self._client.poll(0.1)
            except KafkaException as error:
                raise DeliveryError(f"{self._bootstrap}: {error.args[0]}") from None
            else:
                return


def check_broker(bootstrap: str, topics: Iterable[str], timeout: float = 5.0) -> None:
    """Fail early if the broker does not answer or a topic is missing.

    Raises:
        BrokerUnavailableError: with the address or the topics, and the way out.
    """
    client = KafkaProducer({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        known = set(client.list_topics(timeout=timeout).topics)
    except KafkaException as error:
        raise BrokerUnavailableError(
            f"no Kafka broker at {bootstrap} ({error.args[0].str()}): "
            "start one with `attribution up` or set KAFKA_BOOTSTRAP_SERVERS"
        ) from None
    missing = sorted(set(topics) - known)
    if missing:
        raise BrokerUnavailableError(
            f"{bootstrap} has no topic {', '.join(missing)}: create them with `attribution topics create`"
        )
