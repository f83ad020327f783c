"""Sends dead letters again: key, value, timestamp and the producer's headers unchanged, to the topic they came from.

Idempotent twice over. Events have ids, so a record that is applied twice counts once. And a letter that was sent again
is marked in the dead-letter topic, by an empty record with the header ``dlq.retried`` that names the letter's origin,
written after the broker has acknowledged the record; marked letters are passed over. The mark lives as long as its
letter or longer, since it is younger under the same retention. A crash between record and mark sends the record once
more at the next retry, which changes nothing.

The original timestamp stays because it orders the versions of an event: an old version must not become the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message

from stream_app.dead_letter_headers import PREFIX, RETRIED, Origin, as_text, of_retry
from stream_app.dead_letter_topic import TIMEOUT_S, DeadLetterReader, Letter
from stream_app.producing import careful_producer

#: Records between two rounds of acknowledgements and marks.
_ROUND: Final = 1_000


class RetryError(RuntimeError):
    """A record could not be sent again. What was acknowledged before is marked; the next retry passes it over."""


@dataclass(slots=True)
class Outcome:
    """Letters by what became of them; ``sent`` counts by topic."""

    sent: dict[str, int] = field(default_factory=dict)
    already_sent: int = 0

    @property
    def total(self) -> int:
        """Letters sent."""
        return sum(self.sent.values())


class Redrive:
    """Retries of one dead-letter topic."""

    def __init__(self, servers: str, dead_letter_topic: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._topic, self._timeout_s = dead_letter_topic, timeout_s
        self._reader = DeadLetterReader(servers, dead_letter_topic, timeout_s=timeout_s)
        self._errors: list[KafkaError] = []
        self._producer = careful_producer(servers, max_bytes=8 << 20, log_level=0)

    def retry(self, wanted: Callable[[Letter], bool], *, again: bool = False, dry_run: bool = False) -> Outcome:
        """Send every wanted letter that was not sent again before, one per origin.

        Args:
            wanted: which letters.
            again: also those that were sent before.
            dry_run: only count.

        Raises:
            RetryError: a topic does not exist, or a record was refused or not acknowledged in time.
            DeadLetterTopicError: the dead letters cannot be read.
        """
        outcome, topics = Outcome(), self._topics()
        done = set() if again else self._marked()
        seen: set[Origin] = set()
        waiting: list[Letter] = []
        for letter in self._letters(wanted):
            if letter.origin in seen:
                continue
            seen.add(letter.origin)
            if letter.origin in done:
                outcome.already_sent += 1
                continue
            if letter.origin.topic not in topics:
                self._send(waiting)
                raise RetryError(f"{letter.place}: its topic {letter.origin.topic} does not exist in this cluster")
            outcome.sent[letter.origin.topic] = outcome.sent.get(letter.origin.topic, 0) + 1
            if dry_run:
                continue
            waiting.append(letter)
            if len(waiting) >= _ROUND:
                self._send(waiting)
        self._send(waiting)
        return outcome

    def retry_as(self, letter: Letter, key: bytes | None, value: bytes, *, again: bool = False) -> Outcome:
        """Send one letter with another key and value, and without the producer's headers, which were about the old.

        Args:
            letter: which one; it is marked, and its origin stays.
            key: of the new record.
            value: of the new record.
            again: also if it was sent before.

        Raises:
            RetryError, DeadLetterTopicError: as ``retry``.
        """
        if not again and letter.origin in self._marked():
            return Outcome(already_sent=1)
        if letter.origin.topic not in self._topics():
            raise RetryError(f"{letter.place}: its topic {letter.origin.topic} does not exist in this cluster")
        headers = [(name, content) for name, content in letter.headers if name.startswith(PREFIX)]
        self._send([replace(letter, key=key, value=value, headers=headers)])
        return Outcome({letter.origin.topic: 1})

    def _marked(self) -> set[Origin]:
        return {item for item in self._reader.read() if isinstance(item, Origin)}

    def _letters(self, wanted: Callable[[Letter], bool]) -> Iterator[Letter]:
        return (item for item in self._reader.read() if isinstance(item, Letter) and wanted(item))

    def _topics(self) -> set[str]:
        try:
            return set(self._producer.list_topics(timeout=self._timeout_s).topics)
        except KafkaException as error:
            raise RetryError(
                f"no Kafka broker answers: {error.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS"
            ) from error

    def _send(self, letters: list[Letter]) -> None:
        """Send and await, then mark and await; empties the list."""
        acknowledged: list[Origin] = []
        for letter in letters:
            self._produce(letter, acknowledged)
        self._flush(len(letters))
        for origin in acknowledged:
            self._producer.produce(self._topic, headers=[(RETRIED, str(origin).encode())], on_delivery=self._delivered)
        self._flush(len(acknowledged))
        letters.clear()
        if self._errors:
            raise RetryError(f"{len(self._errors)} records were not sent again: {self._errors[0].str()}")

    def _produce(self, letter: Letter, acknowledged: list[Origin]) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            self._delivered(error, message)
            if error is None:
                acknowledged.append(letter.origin)

        written_at = as_text(letter.headers).get("dlq.timestamp", "")
        more: dict[str, Any] = {"timestamp": int(written_at)} if written_at.isdecimal() else {}
        self._producer.produce(
            letter.origin.topic,
            key=letter.key,
            value=letter.value,
            headers=of_retry(letter.headers),
            on_delivery=delivered,
            **more,
        )
        self._producer.poll(0)

    def _flush(self, count: int) -> None:
        left = self._producer.flush(2 * self._timeout_s)
        if left:
            raise RetryError(f"{left} of {count} records were not acknowledged in {2 * self._timeout_s:.0f} s")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._errors.append(error)
