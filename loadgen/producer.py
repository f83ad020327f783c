"""Sends records to Kafka at a given rate, and says how well that went.

The rate is open-loop: record i is due ``i / rate`` seconds after the start whatever happened before, so a slow broker
shows as ``max_behind_s`` and is caught up with, never as a quietly lower load. Durable settings (``acks=all``,
idempotent) and the Java-compatible ``murmur2_random`` partitioner, which every producer of this product must use.

Raises ``BrokerUnavailableError`` (no broker, or topics are missing) and ``DeliveryError`` (records were not stored).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import KafkaException
from confluent_kafka import Producer as KafkaProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loadgen.records import Record

_POLL_EVERY: Final = 1_000
_LONGEST_SLEEP_S: Final = 0.05
#: Records go out in steps of at least this; shorter sleeps cost more than the records.
_SHORTEST_SLEEP_S: Final = 0.002
_FLUSH_S: Final = 120.0


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

    ``max_behind_s``: how long the most delayed record was overdue; about 2 ms of it is the sender's own step.
    """

    sent: int
    seconds: float
    target_rate: float | None
    achieved_rate: float
    max_behind_s: float
    is_stopped: bool


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
        records: Iterable[Record],
        *,
        rate: float | None = None,
        on_sent: Callable[[Record], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> SendReport:
        """Send all records and wait until the broker has them.

        ``on_sent`` sees each record that was handed over. ``should_stop`` is asked at least every 50 ms at a given
        rate, else every 1,000 records.

        Raises:
            DeliveryError: the broker did not confirm all of them.
        """
        client = self._client
        start = clock()
        sent, allowed, behind, stopped = 0, 0, 0.0, False
        for record in records:
            if sent >= allowed:
                if rate is None:
                    allowed = sent + _POLL_EVERY
                else:
                    allowed, late, stopped = self._wait(sent, start, rate, should_stop, clock, sleep)
                    behind = max(behind, late)
                client.poll(0)
                if stopped or self._failed or should_stop():
                    stopped = not self._failed
                    break
            self._hand_over(record)
            sent += 1
            if on_sent is not None:
                on_sent(record)
        left = client.flush(_FLUSH_S)
        seconds = clock() - start
        if self._failed or left:
            lost = self._failed + left
            reason = self._first_failure or "no answer in time"
            raise DeliveryError(f"{lost} of {sent} records were not confirmed by {self._bootstrap}: {reason}")
        return SendReport(sent, seconds, rate, sent / seconds if seconds > 0 else 0.0, behind, stopped)

    @staticmethod
    def _wait(
        sent: int,
        start: float,
        rate: float,
        should_stop: Callable[[], bool],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> tuple[int, float, bool]:
        """Until record number ``sent`` is due: how many may be out by then, how late it is, whether to stop."""
        while (early := start + sent / rate - clock()) > 0:
            if should_stop():
                return sent, 0.0, True
            sleep(min(max(early, _SHORTEST_SLEEP_S), _LONGEST_SLEEP_S))
        due = int((clock() - start) * rate) + 1
        return min(max(due, sent + 1), sent + _POLL_EVERY), -early, False

    def _hand_over(self, record: Record) -> None:
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
