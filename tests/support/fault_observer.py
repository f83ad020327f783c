"""What can be seen of a stream from outside: offsets, changelog, local stores, rows. It never writes to the stream."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import rocksdict
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from attribution.journey import Journey
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from fault_oracle import DayKey, DaySum, Key, Row
from stream_app.tables import FORMAT_KEY, PartitionState
from stream_harness import KINDS, Stream

#: A source partition.
Source = tuple[str, int]

#: The rows as (model, conversion): ``n`` is the model's place in the lists.
_BY_MODEL = "ARRAY JOIN models AS model, arrayEnumerate(models) AS n"
_ROWS = f"""
SELECT model, conversion_id, customer_id, conversion_type, toUnixTimestamp64Micro(converted_at), value_micros, currency,
       `t.id`, arrayMap(x -> toUnixTimestamp64Micro(x), `t.at`), `t.channel`, `t.campaign`,
       arrayMap(touch -> touch[n], `t.weights`), arrayMap(touch -> touch[n], `t.value_micros`), fallbacks[n]
FROM (SELECT * FROM attributions FINAL WHERE run_id = {{run:UInt32}} AND is_deleted = 0) {_BY_MODEL}
"""  # noqa: S608 - our own text
_REVS = f"""
SELECT model, conversion_id, toString(toDate(converted_at)), rev
FROM (SELECT * FROM attributions FINAL WHERE run_id = {{run:UInt32}}) {_BY_MODEL}
"""  # noqa: S608 - our own text
_EVER = "SELECT DISTINCT conversion_id FROM attributions WHERE run_id = {run:UInt32}"
_TWO_CONTENTS = """
SELECT conversion_id, toString(toStartOfMinute(converted_at)) AS minute, rev,
       uniqExact(cityHash64(customer_id, conversion_type, converted_at, value_micros, currency, models, fallbacks,
       `t.id`, `t.at`, `t.channel`, `t.campaign`, `t.weights`, `t.value_micros`, truncated, is_deleted)) AS contents
FROM attributions WHERE run_id = {run:UInt32}
GROUP BY conversion_id, minute, rev HAVING contents > 1
"""
_SUMS = """
SELECT day, model, channel, campaign, currency, conversion_type, value_micros, touchpoints, conversions
FROM rollup_day WHERE run_id = {run:UInt32}
"""
_FACTS = "SELECT event_id FROM touchpoints FINAL UNION ALL SELECT event_id FROM conversions FINAL"
_SPEND = "SELECT toInt32(spend_date), channel, campaign, source FROM spend FINAL"
_ENGINE = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'attributions'"


class Observer:
    """Eyes on one group and run of a stream; ``url`` goes around whatever the workers go through."""

    def __init__(self, stream: Stream, *, url: str | None = None, group: str | None = None, run_id: int = 1) -> None:
        self.stream, self.run_id, self.group = stream, run_id, group or stream.group
        self._client = connect(ClickHouseSettings(url=url or stream.clickhouse_url, database=stream.database))
        self.changelog: dict[bytes, bytes] = {}
        self._changed: set[bytes] = set()
        self._read_to: dict[int, int] = {}
        self._applied: dict[str, set[str]] = {}

    @property
    def client(self) -> Any:
        """A ClickHouse client, for the roller."""
        return self._client

    def close(self) -> None:
        """Let go."""
        self._client.close()

    # -- Kafka -----------------------------------------------------------------------------------
    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.stream.bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )

    def _sources(self) -> list[TopicPartition]:
        partitions = range(self.stream.partitions)
        return [TopicPartition(self.stream.topics[kind], p) for kind in KINDS for p in partitions]

    def committed(self) -> dict[Source, int]:
        """Committed offset of every source partition, 0 without one."""
        reader = self._consumer(self.group)
        try:
            return {(tp.topic, tp.partition): max(0, tp.offset) for tp in reader.committed(self._sources(), timeout=30)}
        except KafkaException:  # a group that nobody has joined yet
            return {(tp.topic, tp.partition): 0 for tp in self._sources()}
        finally:
            reader.close()

    def ends(self) -> dict[Source, int]:
        """End of every source partition."""
        reader = self._consumer(self.group)
        try:
            return {(tp.topic, tp.partition): reader.get_watermark_offsets(tp, timeout=30)[1] for tp in self._sources()}
        finally:
            reader.close()

    def rewind(self) -> None:
        """Commit offset 0 everywhere; the group must be empty."""
        reader = self._consumer(self.group)
        begin = [TopicPartition(tp.topic, tp.partition, 0) for tp in self._sources()]
        for tp in reader.commit(offsets=begin, asynchronous=False) or ():
            assert tp.error is None, tp.error
        reader.close()

    def read_changelog(self) -> None:
        """Follow the changelog to what is committed now: ``changelog`` is then a fresh rebuild of it."""
        topic = f"{self.group}-journeys-changelog"
        reader = self._consumer(f"{self.group}-observer")
        partitions = range(self.stream.partitions)
        reader.assign([TopicPartition(topic, p, self._read_to.get(p, 0)) for p in partitions])
        at_end: set[int] = set()
        deadline = time.monotonic() + 120
        while len(at_end) < len(partitions):
            assert time.monotonic() < deadline, f"{topic} was not read to its end in a minute"
            for message in reader.consume(5_000, timeout=0.05):
                error = message.error()
                if error is None:
                    self._keep(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    partition, offset = cast(int, message.partition()), cast(int, message.offset())
                    at_end.add(partition)
                    self._read_to[partition] = offset
                else:
                    raise KafkaException(error)
        reader.close()

    def _keep(self, message: Any) -> None:
        key, value = message.key(), message.value()
        if key == FORMAT_KEY:
            return
        self._changed.add(key)
        if value is None:
            self.changelog.pop(key, None)
        else:
            self.changelog[key] = value

    # -- journeys --------------------------------------------------------------------------------
    def durable(self) -> dict[str, set[str]]:
        """Event ids by customer in the changelog, as it is now."""
        self.read_changelog()
        for key in self._changed:
            self._applied.pop(key.decode(), None)
            if key in self.changelog:
                self._applied[key.decode()] = event_ids(self.changelog[key])
        self._changed.clear()
        return self._applied

    def stored(self, indexes: Iterable[int]) -> dict[bytes, bytes]:
        """Journeys in the directories of stopped workers, of each partition the copy that is complete furthest."""
        found: dict[int, tuple[int, dict[bytes, bytes]]] = {}
        for index in indexes:
            for path in self.stream.data_dir(index).rglob("journeys-*.db"):
                partition = int(path.stem.removeprefix("journeys-"))
                state = PartitionState(path, rocksdict.Cache(8 << 20))
                offset = state.changelog_offset()
                offset = -1 if offset is None else offset
                if partition not in found or offset > found[partition][0]:
                    found[partition] = (offset, dict(state.items()))
                state.close()
        return {key: value for _, journeys in found.values() for key, value in journeys.items()}

    # -- ClickHouse ------------------------------------------------------------------------------
    def _query(self, text: str) -> list[tuple[Any, ...]]:
        if " attributions FINAL" in text and not self.is_replacing():
            text = text.replace(" FINAL", "")
        return [tuple(row) for row in self._client.query(text, parameters={"run": self.run_id}).result_rows]

    def is_replacing(self) -> bool:
        """Whether ``attributions`` has the engine of the migrations (one control takes it away)."""
        return bool(self._client.query(_ENGINE).result_rows == [("ReplacingMergeTree",)])

    def rows(self) -> list[tuple[Key, Row]]:
        """Every visible row; a key that comes twice is there twice."""
        found = []
        for model, conversion, customer, kind, at, value, currency, *lists, fallback in self._query(_ROWS):
            ids, times, channels, campaigns, weights, micros = map(tuple, lists)
            touches = tuple(zip(ids, times, channels, campaigns, strict=True))
            row = Row(customer, kind, at, value, currency, touches, weights, micros, fallback)
            found.append(((model, conversion), row))
        return found

    def revs(self) -> dict[tuple[str, str, str], int]:
        """``rev`` of every visible row by model, conversion and day."""
        return {(model, conversion, day): rev for model, conversion, day, rev in self._query(_REVS)}

    def ever_written(self) -> set[str]:
        """Conversions of which some row was inserted."""
        return {row[0] for row in self._query(_EVER)}

    def keys_with_two_contents(self) -> list[tuple[Any, ...]]:
        """Rows with equal key and ``rev`` and unequal contents."""
        return self._query(_TWO_CONTENTS)

    def sums(self) -> dict[DayKey, DaySum]:
        """The rollups."""
        return {DayKey(*row[:6]): DaySum(*row[6:]) for row in self._query(_SUMS)}

    def facts(self) -> Counter[str]:
        """How often each event id is a fact."""
        return Counter(row[0] for row in self._client.query(_FACTS).result_rows)

    def spend_keys(self) -> list[tuple[int, str, str, str]]:
        """Keys of the spend rows."""
        return [(row[0], row[1], row[2], row[3]) for row in self._client.query(_SPEND).result_rows]


def event_ids(raw: bytes) -> set[str]:
    """Ids of everything a stored journey consists of."""
    journey = Journey.from_bytes(raw)
    return {t[1] for t in journey.touches} | {e.event_id for e in journey.events}
