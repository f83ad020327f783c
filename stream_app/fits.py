"""The fits of the data-driven model: all that are published before the first epoch, later ones as they come.

A worker that began without one of the fits would divide conversions by an older one. So the topic is read to its end
before anything is processed, and a worker that cannot read it, or reads something else there, does not start. After
that a thread reads on. A fit counts from an event time on; one that comes when that time is past says so in the log,
because conversions since then were divided by the fit before it and keep that until they change or are replayed. A
record without a value takes back the fit, or whatever it was, under its key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from mode import get_logger

from attribution.errors import InvalidParameterError
from attribution.fitted import NO_FITS, Fit, Timeline
from datadriven.credits import CreditRule
from datadriven.parameters import decode
from stream_app.topics import TopicError

logger = get_logger(__name__)

TIMEOUT_S: Final = 30.0


class FitReader:
    """Reads a topic of fits; ``timeline`` is what is known.

    Args:
        servers: of the broker.
        topic: the fits.
        clock_us: wall clock, microseconds.
    """

    def __init__(self, servers: str, topic: str, *, clock_us: Callable[[], int]) -> None:
        self.timeline: Timeline = NO_FITS
        self._topic, self._clock_us = topic, clock_us
        self._published: dict[bytes, Fit | InvalidParameterError] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "unused",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 200,
                "log_level": 0,
            }
        )

    def catch_up(self, timeout_s: float = TIMEOUT_S) -> None:
        """Read all there is.

        Raises:
            TopicError: the topic is missing, does not answer in time, or holds something else than fits.
        """
        try:
            partitions = self._partitions()
            self._consumer.assign([TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in partitions])
            self._read_to_end(len(partitions), time.monotonic() + timeout_s)
        except KafkaException as error:
            raise TopicError(f"{self._topic} cannot be read: {error.args[0].str()}") from error
        for key, found in self._published.items():
            if isinstance(found, InvalidParameterError):
                raise TopicError(
                    f"{self._topic}, key {key!r}: {found}; a record with this key and no value takes it back"
                )
        self._show()

    def follow(self) -> None:
        """Read on in a thread, until ``close``."""
        self._thread = threading.Thread(target=self._follow, name="fits", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S)
        self._consumer.close()

    def _partitions(self) -> list[int]:
        found = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise TopicError(f"topic missing: {self._topic}; create it with `attribution topics create`")
        return sorted(found.partitions)

    def _read_to_end(self, count: int, until: float) -> None:
        ended: set[int | None] = set()
        while len(ended) < count:
            if time.monotonic() > until:
                raise TopicError(f"{self._topic}: not read to its end in time; is the broker overloaded?")
            message = self._consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
                ended.add(message.partition())

    def _follow(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.5)
            if message is None or message.error() is not None:
                continue
            found = self._take(message)
            self._show()
            if isinstance(found, Fit):
                self._tell(found)
            elif found is not None:
                logger.error("%s, offset %s: %s", self._topic, message.offset(), found)

    def _take(self, message: Message) -> Fit | InvalidParameterError | None:
        key, value = message.key() or b"", message.value()
        found: Fit | InvalidParameterError | None = None
        if value is None:
            self._published.pop(key, None)
        else:
            try:
                parameters = decode(value)
                lean = msgspec.structs.replace(parameters, uncertainty=None)
                found = Fit(parameters.version, parameters.effective_from_us, CreditRule(lean))
            except InvalidParameterError as error:
                found = error
            self._published[key] = found
        return found

    def _show(self) -> None:
        self.timeline = Timeline(known for known in self._published.values() if isinstance(known, Fit))

    def _tell(self, fit: Fit) -> None:
        late_s = (self._clock_us() - fit.effective_from_us) / 1_000_000
        if late_s > 0:
            logger.warning(
                "Fit %s counts from %.0f s before now: conversions since then keep the fit before it until they "
                "change; `attribution replay` divides all of them by it",
                fit.version,
                late_s,
            )
        else:
            logger.info("Fit %s counts in %.0f s", fit.version, -late_s)
