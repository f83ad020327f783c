"""Reads the dead-letter topic: the letters, and the marks of those that were sent again.

The topic is all there is: nothing is kept elsewhere. Raises ``DeadLetterTopicError`` when the broker does not answer
or the topic is not there, ``NoSuchLetterError`` when a letter is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_app.dead_letter_headers import ATTEMPTS, RETRIED, RETRY_OF, Origin, as_text

TIMEOUT_S: Final = 15.0
_LOOK_S: Final = 0.2


class DeadLetterTopicError(RuntimeError):
    """The topic or a letter cannot be read."""


class NoSuchLetterError(DeadLetterTopicError):
    """No letter is at this place."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. Key and value are personal data; ``partition`` and ``offset`` are those of the dead letter."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    origin: Origin

    @property
    def place(self) -> str:
        """What the command line takes."""
        return f"{self.partition}@{self.offset}"

    def summary(self) -> dict[str, Any]:
        """What may be shown to anybody."""
        text = as_text(self.headers)
        return {
            "letter": self.place,
            "topic": self.origin.topic,
            "partition": self.origin.partition,
            "offset": self.origin.offset,
            "reason": text.get("dlq.reason", ""),
            "field": text.get("dlq.field", ""),
            "failed_at": text.get("dlq.failed_at", ""),
            "attempts": int(text.get(ATTEMPTS, "1")),
            "retry_of": text.get(RETRY_OF, ""),
        }


class Tail(NamedTuple):
    """Letters and marks; ``is_whole``: older ones are not in the topic any more."""

    items: list[Letter | Origin]
    is_whole: bool


class DeadLetterReader:
    """Reads without a group's offsets: every reader sees everything that retention has left.

    Args:
        servers: ``host:port``, separated by commas.
        topic: of the dead letters.
        timeout_s: how long to wait for the broker.
    """

    def __init__(self, servers: str, topic: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._topic, self._timeout_s = topic, timeout_s
        self._settings = {
            "bootstrap.servers": servers,
            "group.id": f"{topic}-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "log_level": 0,
        }

    def read(self) -> Iterator[Letter | Origin]:
        """Every letter that is there now, and for every mark the origin whose letters were sent again.

        Records that no worker wrote are passed over.
        """
        return self._read(lambda starts, _ends: starts)

    def tail(self, count: int) -> Tail:
        """What is among the newest records, about ``count`` of them, the same number of each partition."""
        is_whole = True

        def near_the_end(starts: dict[int, int], ends: dict[int, int]) -> dict[int, int]:
            nonlocal is_whole
            each = -(-count // max(len(starts), 1))
            found = {p: max(start, ends[p] - each) for p, start in starts.items()}
            is_whole = found == starts
            return found

        items = list(self._read(near_the_end))
        return Tail(items, is_whole)

    def _read(self, begin: Callable[[dict[int, int], dict[int, int]], dict[int, int]]) -> Iterator[Letter | Origin]:
        consumer = Consumer(self._settings)
        try:
            starts, ends = self._bounds(consumer)
            starts = begin(starts, ends)
            consumer.assign([TopicPartition(self._topic, p, at) for p, at in starts.items() if at < ends[p]])
            left = {p for p in starts if starts[p] < ends[p]}
            while left:
                for message in self._consume(consumer):
                    last = ends[message.partition()] - 1
                    if message.error() is not None or message.offset() >= last:
                        left.discard(message.partition())
                    is_there = message.error() is None and message.offset() <= last
                    if is_there and (found := _parsed(message)) is not None:
                        yield found
        finally:
            consumer.close()

    def letter(self, partition: int, offset: int) -> Letter:
        """One letter."""
        consumer = Consumer(self._settings)
        place = f"{partition}@{offset}"
        try:
            starts, ends = self._bounds(consumer)
            if partition not in starts or not starts[partition] <= offset < ends[partition]:
                there = ", ".join(f"{p}@{starts[p]} to {p}@{ends[p] - 1}" for p in starts if starts[p] < ends[p])
                raise NoSuchLetterError(f"{place}: no such letter in {self._topic}; there are {there or 'none'}")
            consumer.assign([TopicPartition(self._topic, partition, offset)])
            found = _parsed(self._consume(consumer, 1)[0])
            if not isinstance(found, Letter) or found.offset != offset:
                raise NoSuchLetterError(f"{place}: a mark or a foreign record, no dead letter")
            return found
        finally:
            consumer.close()

    def _bounds(self, consumer: Consumer) -> tuple[dict[int, int], dict[int, int]]:
        try:
            found = consumer.list_topics(self._topic, timeout=self._timeout_s).topics[self._topic]
            if found.error is not None:
                raise DeadLetterTopicError(f"{self._topic}: {found.error.str()}; see ATTRIBUTION_DEAD_LETTER_TOPIC")
            bounds = {
                p: consumer.get_watermark_offsets(TopicPartition(self._topic, p), timeout=self._timeout_s)
                for p in sorted(found.partitions)
            }
        except KafkaException as error:
            raise DeadLetterTopicError(
                f"no Kafka broker answers: {error.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS"
            ) from error
        return {p: low for p, (low, _) in bounds.items()}, {p: high for p, (_, high) in bounds.items()}

    def _consume(self, consumer: Consumer, count: int = 500) -> list[Any]:
        for _ in range(round(self._timeout_s / _LOOK_S)):
            messages = consumer.consume(count, timeout=_LOOK_S)  # returns when full or when the time is over
            if messages:
                break
        else:
            raise DeadLetterTopicError(f"{self._topic}: nothing received for {self._timeout_s:.0f} s")
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
                raise DeadLetterTopicError(f"{self._topic}: {error.str()}")
        return list(messages)


def _parsed(message: Any) -> Letter | Origin | None:
    headers = message.headers() or []
    text = as_text(headers)
    if RETRIED in text:
        return Origin.parse(text[RETRIED])
    origin = Origin.parse("/".join(text.get(f"dlq.{part}", "") for part in ("topic", "partition", "offset")))
    if origin is None or not text.get(ATTEMPTS, "1").isdecimal():
        return None
    return Letter(message.partition(), message.offset(), message.key(), message.value(), headers, origin)
