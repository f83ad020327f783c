"""The registry's topic: one compacted partition that every process reads from the start and writes by turns.

A write is a transaction of one ``transactional.id``: ``init_transactions`` ends whoever else was writing, then the
topic is read to its end, the change is decided on what it says, and committed. Whoever was ended decides again. So two
processes never give one id to two schemas, without an election (docs/adr/0001 fences the changelog in the same way).

Behind each transaction goes a plain NOOP record: registries that wait for the last offset do not count the marker
that ends a transaction.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from api.registry_errors import Code, RegistryError
from api.registry_records import NOOP_KEY, Change, change_of, record_of
from api.registry_state import State
from api.store import Unavailable

_log: Final = logging.getLogger("api.registry")
#: Of Kafka's client: whatever it says comes back as an exception, and being ended by another writer is no trouble.
_SILENT: Final = logging.Logger("registry", logging.CRITICAL + 1)  # noqa: LOG001  # of no use to anybody else
T = TypeVar("T")
#: Decides on what is known; pure, since it may be asked again.
Decide = Callable[[State], tuple[T, Sequence[Change]]]

#: Confluent's own name for the topic; a registry of theirs is its owner where one runs.
USUAL_TOPIC: Final = "_schemas"
_PEERS_GROUP: Final = "schema-registry"
_FRESH_S: Final = 1.0
_TOPIC_CONFIG: Final = {"cleanup.policy": "compact", "max.message.bytes": "1000000"}


class SchemaLog(Protocol):
    """What the registry needs of its topic. Calls block and may come from several threads."""

    def known(self, question: Callable[[State], T]) -> T:
        """Ask what this process has read so far; the broker is not asked."""
        ...

    def ask(self, question: Callable[[State], T], *, is_fresh: bool = False) -> T:
        """Ask what the topic says; ``is_fresh``: up to its end now, else as of a second ago at most.

        Raises:
            Unavailable: the broker does not answer.
        """
        ...

    def write(self, decide: Decide[T]) -> T:
        """Decide on the newest state and make the changes durable, all of them or none.

        Raises:
            Unavailable: the broker does not answer, or others write all the time.
        """
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


class KafkaSchemaLog:
    """The topic on a broker."""

    def __init__(self, servers: str, topic: str, *, timeout_s: float = 8.0) -> None:
        self._servers, self._topic, self._timeout_s = servers, topic, timeout_s
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._state, self._next, self._read_at = State(), 0, float("-inf")
        self._reader: Any = None

    def known(self, question: Callable[[State], T]) -> T:
        """See the protocol."""
        with self._reading:
            return question(self._state)

    def ask(self, question: Callable[[State], T], *, is_fresh: bool = False) -> T:
        """See the protocol."""
        with self._reading:
            if is_fresh or time.monotonic() - self._read_at > _FRESH_S:
                self._catch_up()
            return question(self._state)

    def write(self, decide: Decide[T]) -> T:
        """See the protocol."""
        from confluent_kafka import KafkaException  # noqa: PLC0415 - 30 ms, only where it is used

        with self._writing:
            answer, changes = self.ask(decide, is_fresh=True)
            if not changes:
                return answer
            self._prepare()
            deadline = time.monotonic() + self._timeout_s
            while True:
                try:
                    return self._turn(decide)
                except KafkaException as error:
                    # ended by another writer; a commit whose end is not known is decided again like any other
                    if time.monotonic() > deadline:
                        raise Unavailable("kafka", f"{self._topic} was not written: {error.args[0].str()}") from error
                time.sleep(random.uniform(0.1, 1.0))  # noqa: S311  # so that two do not keep ending each other

    def close(self) -> None:
        """Give back the connection."""
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _turn(self, decide: Decide[T]) -> T:
        from confluent_kafka import Producer  # noqa: PLC0415 - see write

        common = {"bootstrap.servers": self._servers, "acks": "all", "enable.idempotence": True, "log_level": 2}
        writer = Producer({**common, "transactional.id": f"{self._topic}-registry"}, logger=_SILENT)
        writer.init_transactions(self._timeout_s)
        answer, changes = self.ask(decide, is_fresh=True)
        if changes:
            writer.begin_transaction()
            for change in changes:
                key, value = record_of(change)
                writer.produce(self._topic, value, key, partition=0)
            writer.commit_transaction(self._timeout_s)
            last = Producer(common, logger=_SILENT)
            last.produce(self._topic, None, NOOP_KEY, partition=0)
            last.flush(self._timeout_s)
            self.ask(lambda _: None, is_fresh=True)
        return answer

    def _catch_up(self) -> None:
        """Read to the end of what is committed."""
        from confluent_kafka import KafkaError, KafkaException, TopicPartition  # noqa: PLC0415 - see write

        try:
            reader = self._connected()
            _, end = reader.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=self._timeout_s)
            deadline = time.monotonic() + self._timeout_s
            while self._next < end:
                for message in reader.consume(1_000, timeout=0.2):
                    self._take(message)
                if time.monotonic() > deadline:
                    raise Unavailable("kafka", f"{self._topic} was not read to its end in {self._timeout_s:g} s")
        except KafkaException as error:
            unknown = (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)  # noqa: SLF001  # the constants' names
            if error.args[0].code() not in unknown:
                raise Unavailable("kafka", error.args[0].str()) from error
        self._read_at = time.monotonic()

    def _take(self, message: Any) -> None:
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - see write

        if (error := message.error()) is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # the constant's name
                raise KafkaException(error)
            self._next = max(self._next, message.offset())
            return
        self._next = message.offset() + 1
        try:
            change = change_of(message.key(), message.value())
        except ValueError as problem:
            _log.warning("%s-0, offset %d is left out: %s", self._topic, message.offset(), problem)
            return
        if change is not None:
            self._state.apply(change)

    def _connected(self) -> Any:
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - see write

        if self._reader is None:
            self._reader = Consumer(
                {
                    "bootstrap.servers": self._servers,
                    "group.id": f"{self._topic}-reader",  # never joined
                    "enable.auto.commit": False,
                    "isolation.level": "read_committed",
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 20,
                    "log_level": 2,
                },
                logger=_SILENT,
            )
            self._reader.assign([TopicPartition(self._topic, 0, self._next)])
        return self._reader

    def _prepare(self) -> None:
        """Make the topic if it is not there; refuse one that another registry serves.

        Raises:
            RegistryError: it does.
            Unavailable: the broker does not answer or refuses.
        """
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415 - see write
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415 - see write
        from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415 - see write

        admin = AdminClient({"bootstrap.servers": self._servers, "log_level": 2}, logger=_SILENT)
        try:
            if self._topic not in admin.list_topics(timeout=self._timeout_s).topics:
                made = admin.create_topics(
                    [NewTopic(self._topic, 1, -1, config=_TOPIC_CONFIG)], request_timeout=self._timeout_s
                )
                made[self._topic].result()
            if self._topic == USUAL_TOPIC and self._has_peer(admin):
                raise RegistryError(
                    Code.NOT_PERMITTED,
                    f"another registry writes to {self._topic} (group {_PEERS_GROUP}): register schemas there, or set "
                    "ATTRIBUTION_REGISTRY_TOPIC to a topic of its own",
                )
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Unavailable("kafka", error.args[0].str()) from error

    def _has_peer(self, admin: Any) -> bool:
        """Whether a registry of another make is at work; its members are no consumers, which newer calls leave out."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return any(group.members for group in admin.list_groups(_PEERS_GROUP, timeout=self._timeout_s))
