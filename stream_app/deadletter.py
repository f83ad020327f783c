"""Dead letters: what cannot be used, as it came, with the reason and the origin in its headers.

They are written and acknowledged before the source offset moves. A crash may write one twice; topic,
partition and offset in the headers identify it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import KafkaError, Message

from schemas.codec import Rejected
from stream_app.dead_letter_headers import of_dead_letter
from stream_app.producing import careful_producer

TIMEOUT_S: Final = 30.0

#: As large as the topic takes (``schemas/topics/dead_letter.yaml``): the client's own limit is below the inputs'.
MAX_BYTES: Final = 1_300_000


class DeadLetterError(RuntimeError):
    """A dead letter could not be written; its source offset must not be committed."""


class DeadLetters:
    """Producer of the dead-letter topic."""

    def __init__(self, servers: str, topic: str, clock_us: Callable[[], int]) -> None:
        self._topic, self._clock_us = topic, clock_us
        self._producer = careful_producer(servers, max_bytes=MAX_BYTES)

    def write(self, rejected: Sequence[Rejected]) -> None:
        """Send and await all that are not mere drops. Blocking.

        Raises:
            DeadLetterError: one was refused or not acknowledged in time.
        """
        failed_at = datetime.fromtimestamp(self._clock_us() / 1e6, UTC).isoformat()
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                errors.append(error)

        for item in rejected:
            if item.is_drop:
                continue
            record = item.record
            self._producer.produce(
                self._topic,
                key=record.key,
                value=record.value,
                headers=of_dead_letter(item, failed_at),
                on_delivery=delivered,
            )
            self._producer.poll(0)
        left = self._producer.flush(TIMEOUT_S)
        if left or errors:
            first = errors[0].str() if errors else f"no answer in {TIMEOUT_S:.0f} s"
            raise DeadLetterError(f"{self._topic}: {left + len(errors)} dead letters not written: {first}")
