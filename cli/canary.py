"""``attribution canary``: sends a conversion to every partition now and then, and measures when its row can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.observed import MetricsPort, fail, observed, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.canary_book import CanaryBook
    from stream_app.settings import WorkerSettings
    from telemetry.metrics import Metrics
    from telemetry.program_metrics import CanaryMetric

#: Between two looks at ClickHouse while a canary is on its way: no age is known more exactly.
LOOK_S: Final = 0.25


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(canary)


def canary(
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two canaries of a partition.")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="One canary per partition; end when all are seen.")] = False,
    deadline: Annotated[float, typer.Option(min=1, help="With --once: seconds until that must be.")] = 60.0,
    metrics_port: MetricsPort = None,
) -> None:
    """Measure end to end: conversions of type `canary`, worth 0, from Kafka to their row in ClickHouse.

    A partition has one conversion a day, which is sent again and again. With --once it is a check: exit code 1 says
    that a canary was not seen in time.
    """
    import signal
    import threading

    from pydantic import ValidationError

    from clickhouse.errors import StoreError
    from stream_app.settings import WorkerSettings
    from stream_app.settings_errors import explain
    from stream_app.topics import TopicError

    telemetry = observed("canary", metrics_port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        flight = Flight(WorkerSettings())
    except ValidationError as error:
        fail(explain(error, WorkerSettings), 2)
    except (TopicError, StoreError) as error:
        fail(str(error), 1)
    with serving(telemetry, flight.metrics):
        if once:
            _check(flight, deadline, stop.wait)
        else:
            flight.run(every, stop.wait)


def _check(flight: Flight, deadline_s: float, wait: Callable[[float], bool]) -> None:
    from telemetry.logs import announce

    ages = flight.once(deadline_s, wait)
    if flight.book.waiting:
        fail(f"{flight.book.waiting} of {flight.partitions} canaries were not seen within {deadline_s:g} s", 1)
    announce(f"{len(ages)} canaries seen, the slowest after {max(ages):.2f} s")


class Flight:
    """A producer, a connection to ClickHouse, and the book.

    Raises:
        TopicError: the topic is missing, or the broker does not answer.
        StoreError: ClickHouse does not answer.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        import time
        import uuid

        from aiokafka.partitioner import murmur2
        from confluent_kafka.admin import AdminClient

        from cli.canary_book import CanaryBook
        from clickhouse.client import connect
        from clickhouse.settings import ClickHouseSettings
        from stream_app.producing import careful_producer
        from stream_app.topics import TopicError, partition_counts
        from telemetry.metrics import Metrics
        from telemetry.program_metrics import CANARY

        self._topic = settings.conversions_topic
        counts = partition_counts(AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0}))
        if self._topic not in counts:
            raise TopicError(f"topic {self._topic} is missing; create it with `attribution topics create`")
        self.partitions = partitions = counts[self._topic]
        self._client: Any = connect(ClickHouseSettings.of_environment())
        self._producer = careful_producer(settings.bootstrap_servers, max_bytes=1_000_000)
        self._clock = time.monotonic
        self.metrics: Metrics[CanaryMetric] = Metrics(CANARY, "canary")
        self.metrics.watch(self._show_ages)
        self.book: CanaryBook = CanaryBook(
            uuid.uuid4().hex[:8],
            partitions,
            lambda key: (murmur2(key) & 0x7FFFFFFF) % partitions,
            now_us=_wall_us(),
            now_s=self._clock(),
        )

    def run(self, every_s: float, wait: Callable[[float], bool]) -> None:
        """Send and look until ``wait`` says so."""
        due = self._clock()
        while True:
            if self._clock() >= due:
                self._send_all()
                due = max(due + every_s, self._clock())
            self._look()
            is_near = due - self._clock() < LOOK_S or self.book.waiting
            if wait(LOOK_S if is_near else min(1.0, due - self._clock())):
                return

    def once(self, deadline_s: float, wait: Callable[[float], bool]) -> list[float]:
        """One canary per partition; the ages of those that were seen in time."""
        end = self._clock() + deadline_s
        self._send_all()
        ages: list[float] = []
        while self.book.waiting and self._clock() < end and not wait(LOOK_S):
            ages += self._look()
        return ages

    def _send_all(self) -> None:
        self.book.begin_day(_wall_us())
        for partition in range(self.partitions):
            key, value = self.book.send(partition, now_us=_wall_us(), now_s=self._clock())
            self._producer.produce(self._topic, value, key, on_delivery=self._delivered)

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.metrics.add("attribution_canary_sent_total")
        else:
            self.metrics.add("attribution_canary_unconfirmed_total")
            self.book.lost(message.key().decode())

    def _look(self) -> list[float]:
        from clickhouse import queries
        from clickhouse.errors import StoreError

        self._producer.poll(0)
        if not self.book.waiting:
            return []
        try:
            rows = queries.run(self._client, "canary_seen", at_us=self.book.day_us, conversions=self.book.conversions)
        except StoreError:
            self.metrics.add("attribution_canary_failed_looks_total")
            return []
        ages = list(self.book.look({row["conversion_id"]: row["rev"] for row in rows}, self._clock()))
        self.metrics.add("attribution_canary_seen_total", by=len(ages))
        for age in ages:
            self.metrics.observe("attribution_canary_visible_seconds", age)
        return ages

    def _show_ages(self) -> None:
        for partition, age in enumerate(self.book.ages(self._clock())):
            self.metrics.put("attribution_canary_age_seconds", age, str(partition))


def _wall_us() -> int:
    import time

    return time.time_ns() // 1_000
