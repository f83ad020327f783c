"""A stream of its own for one test: topics, group, state directories and a database; workers as real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import rocksdict
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from attribution.batch import attribute_all, survivors_of
from attribution.config import AttributionConfig
from attribution.conversions import own_key
from attribution.fitted import Fit
from attribution.identity import Link
from attribution.types import ConversionEvent, Touch
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from stream_app.tables import PartitionState

KINDS = ("touchpoint", "conversion", "spend", "identity", "erasure")


class Sent(NamedTuple):
    """One record to produce."""

    kind: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Credit(NamedTuple):
    """One row of the ``credits`` view, in exact types."""

    model: str
    conversion_id: str
    customer_id: str
    position: int
    touchpoint_id: str
    channel: str
    campaign: str
    weight: float
    value_micros: int


class Stream:
    """Everything of one test, and what to ask of it."""

    def __init__(
        self, bootstrap: str, clickhouse_url: str, database: str, folder: Path, *, partitions: int = 4
    ) -> None:
        self.bootstrap, self.clickhouse_url, self.database, self.folder = bootstrap, clickhouse_url, database, folder
        self.group = f"t{uuid.uuid4().hex[:10]}"
        self.partitions = partitions
        self.topics = {kind: f"{self.group}.{kind}" for kind in (*KINDS, "dead_letter", "model")}
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.exits: list[int] = []
        self._reader = Consumer({"bootstrap.servers": bootstrap, "group.id": self.group, "enable.auto.commit": False})
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        largest = {"max.message.bytes": "1300000"}
        wanted = [NewTopic(t, partitions, 1, config=largest) for t in self.topics.values()]
        for future in self._admin.create_topics(wanted).values():
            future.result()

    # -- input -----------------------------------------------------------------------------------
    def produce(self, records: Iterable[Sent]) -> int:
        """Send in order and await every acknowledgement; returns how many."""
        errors: list[Any] = []
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 10,
                "queue.buffering.max.messages": 1_000_000,
                "on_delivery": lambda error, _: errors.append(error) if error else None,
            }
        )
        count = 0
        for count, (kind, key, value, headers) in enumerate(records, 1):
            producer.produce(self.topics[kind], value, key, headers=list(headers) or None)
            if count % 5_000 == 0:
                producer.poll(0)
        assert producer.flush(60) == 0, "records were not acknowledged"
        assert not errors, errors[:3]
        return count

    # -- workers ---------------------------------------------------------------------------------
    def start(
        self, index: int = 0, env: Mapping[str, str] | None = None, program: Sequence[str] = ("-m", "cli", "worker")
    ) -> subprocess.Popen[bytes]:
        """Start a worker with a state directory of its own; ``program``: what Python runs."""
        with (self.folder / f"worker-{index}.log").open("ab") as log:
            self.workers[index] = subprocess.Popen(
                [sys.executable, "-P", *program],
                env={**os.environ, **self.environment(index), **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.workers[index]

    def environment(self, index: int) -> dict[str, str]:
        """Settings of a worker."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "CLICKHOUSE_URL": self.clickhouse_url,
            "CLICKHOUSE_DATABASE": self.database,
            "ATTRIBUTION_GROUP_ID": self.group,
            "ATTRIBUTION_DATA_DIR": str(self.data_dir(index)),
            "ATTRIBUTION_TOUCHPOINTS_TOPIC": self.topics["touchpoint"],
            "ATTRIBUTION_CONVERSIONS_TOPIC": self.topics["conversion"],
            "ATTRIBUTION_SPEND_TOPIC": self.topics["spend"],
            "ATTRIBUTION_IDENTITIES_TOPIC": self.topics["identity"],
            "ATTRIBUTION_ERASURES_TOPIC": self.topics["erasure"],
            "ATTRIBUTION_ERASURE_SECRET": "a secret of this test",
            "ATTRIBUTION_DEAD_LETTER_TOPIC": self.topics["dead_letter"],
            "ATTRIBUTION_MODELS_TOPIC": self.topics["model"],
            "ATTRIBUTION_SESSION_TIMEOUT_S": "6",
            "ATTRIBUTION_LOG_LEVEL": "info",
        }

    def data_dir(self, index: int) -> Path:
        """Where a worker keeps its state."""
        return self.folder / f"state-{index}"

    def send(self, index: int, number: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.workers[index].send_signal(number)

    def stop(self, index: int, number: signal.Signals = signal.SIGTERM, timeout: float = 60) -> int:
        """End a worker and return its exit code."""
        worker = self.workers.pop(index)
        if number == signal.SIGTERM:
            wait_until_it_handles(worker, number, timeout)
        worker.send_signal(number)
        try:
            code = worker.wait(timeout)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
            raise
        self.exits.append(code)
        return code

    def states(self, index: int) -> list[PartitionState]:
        """The partitions in the directory of a stopped worker; the caller's process keeps them open."""
        paths = sorted(self.data_dir(index).rglob("journeys-*.db"))
        return [PartitionState(path, rocksdict.Cache(8 << 20)) for path in paths]

    def wipe(self, index: int) -> None:
        """Lose the state directory of a worker."""
        shutil.rmtree(self.data_dir(index))

    def is_ready(self, index: int = 0) -> bool:
        """Whether a worker says that it owns partitions."""
        return (self.data_dir(index) / "ready.json").exists()

    # -- progress --------------------------------------------------------------------------------
    def sources(self) -> list[TopicPartition]:
        """Every partition that a worker reads."""
        names = [*(self.topics[k] for k in KINDS), f"{self.group}-handovers"]
        return [TopicPartition(name, p) for name in names for p in range(self.partitions)]

    def lag(self) -> int:
        """Records between the committed offsets and the ends; counts the internal topic once a worker made it."""
        there = self._admin.list_topics(timeout=10).topics
        parts = [tp for tp in self.sources() if tp.topic in there]
        ends = sum(map(self.end, parts))
        try:
            committed = self._reader.committed(parts, timeout=10)
        except KafkaException:
            return ends
        return ends - sum(max(0, tp.offset) for tp in committed)

    def end(self, place: TopicPartition) -> int:
        """Where a partition ends; one that was created a moment ago may have no leader yet."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return int(self._reader.get_watermark_offsets(place, timeout=10)[1])
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def wait(self, until: int = 0, timeout: float = 120) -> None:
        """Wait until the lag is at most ``until``.

        Raises:
            TimeoutError: with the end of the workers' logs.
        """
        deadline = time.monotonic() + timeout
        while (lag := self.lag()) > until:
            dead = [i for i, w in self.workers.items() if w.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise TimeoutError(f"lag {lag}, ended workers {dead}\n{self.log_tail()}")
            time.sleep(0.1)

    def log_tail(self) -> str:
        """The last lines of every worker's log."""
        tails = [f"== {p.name}\n" + "\n".join(p.read_text().splitlines()[-25:]) for p in self.folder.glob("*.log")]
        return "\n".join(tails)

    # -- output ----------------------------------------------------------------------------------
    def client(self) -> Any:
        """A ClickHouse client on the test's database."""
        return connect(ClickHouseSettings(url=self.clickhouse_url, database=self.database))

    def credits(self) -> dict[str, list[Credit]]:
        """The ``credits`` view by conversion id, rows in model and path order."""
        columns = ", ".join(Credit._fields)
        found = self.client().query(f"SELECT {columns} FROM credits ORDER BY model, conversion_id, position")  # noqa: S608  # constant names
        rows: dict[str, list[Credit]] = defaultdict(list)
        for row in found.result_rows:
            credit = Credit(*row)
            rows[credit.conversion_id].append(credit)
        return dict(rows)

    def dead_letters(self) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
        """Key, value and headers of every dead letter, redeliveries after a crash removed by their origin."""
        topic = self.topics["dead_letter"]
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"{self.group}-dlq"})
        parts = [TopicPartition(topic, p, 0) for p in range(self.partitions)]
        want = sum(reader.get_watermark_offsets(tp, timeout=10)[1] for tp in parts)
        reader.assign(parts)
        found: dict[tuple[str, ...], tuple[bytes | None, bytes | None, dict[str, str]]] = {}
        seen = 0
        while seen < want:
            for message in reader.consume(1_000, timeout=5):
                assert message.error() is None, message.error()
                headers = decoded(message.headers())
                if "dlq.retried" in headers:
                    seen += 1
                    continue
                origin = tuple(headers[f"dlq.{part}"] for part in ("topic", "partition", "offset"))
                found[origin] = (message.key(), message.value(), headers)
                seen += 1
        reader.close()
        return list(found.values())

    def close(self) -> None:
        """End all workers, delete topics."""
        for index in list(self.workers):
            self.workers[index].send_signal(signal.SIGCONT)
            self.stop(index, signal.SIGKILL)
        self._reader.close()
        mine = [t for t in self._admin.list_topics(timeout=10).topics if t.startswith(self.group)]
        for future in self._admin.delete_topics(mine).values():
            future.result()


def wait_until_it_handles(process: subprocess.Popen[bytes], number: signal.Signals, timeout: float) -> None:
    """Until a process that has just been started handles this signal, or has ended, or the time is over."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
        if caught is not None and int(caught[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.02)


def decoded(headers: Any) -> dict[str, str]:
    """Kafka headers as text."""
    return {name: (value or b"").decode() for name, value in headers or ()}


def batch_credits(
    touches: Sequence[tuple[str, Touch]],
    conversions: Sequence[tuple[str, ConversionEvent]],
    config: AttributionConfig | None = None,
    links: Sequence[Link] = (),
    fits: Sequence[Fit] = (),
) -> dict[str, list[Credit]]:
    """What the batch reference says of the same events, in the form of ``Stream.credits``."""
    survivors = survivors_of(links)
    owners = {own_key(event): survivors.get(who, who) for who, event in conversions if not event.adjusts}
    rows: dict[str, list[Credit]] = {}
    for conversion_id, found in attribute_all(touches, conversions, config or AttributionConfig(), links, fits).items():
        if not found.conversion.is_live:
            continue
        rows[conversion_id] = sorted(
            Credit(model, conversion_id, owners[conversion_id], i + 1, t[1], t[2], t[3], weight, micros)
            for model, weights, parts in zip(found.models, found.weights, found.micros, strict=True)
            for i, (t, weight, micros) in enumerate(zip(found.touches, weights, parts, strict=True))
        )
    return rows


def differences(got: Mapping[str, Sequence[Credit]], want: Mapping[str, Sequence[Credit]]) -> str:
    """Empty when both are equal row for row; else what differs, shortened."""
    missing, extra = want.keys() - got.keys(), got.keys() - want.keys()
    wrong = [c for c in want.keys() & got.keys() if list(got[c]) != list(want[c])]
    if not (missing or extra or wrong):
        return ""
    lines = [f"{len(want)} conversions wanted, {len(missing)} missing, {len(extra)} extra, {len(wrong)} wrong"]
    for conversion_id in sorted(wrong)[:2]:
        lines += [f"got  {c}" for c in got[conversion_id] if c not in want[conversion_id]][:4]
        lines += [f"want {c}" for c in want[conversion_id] if c not in got[conversion_id]][:4]
    return "\n".join(lines + sorted(missing)[:3] + sorted(extra)[:3])
