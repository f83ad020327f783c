"""What the demo shows: read from Kafka's committed offsets and from the views, never asked of the worker.

The consumer here never subscribes, so looking moves nobody's partitions. Event age is measured from outside: from the
time at which a record was published to the first look at which its row can be read, so it contains up to one interval
between two looks. Times are seconds, ages milliseconds, money micros.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Models in the table, of those that every worker computes by default.
MODELS: Final = ("first_touch", "last_touch", "linear", "time_decay", "u_shaped")
CURRENCY: Final = "USD"
_WINDOW_S: Final = 10.0
_LOOK_BACK_S: Final = 120.0
_BUCKET_MS: Final = 20
_KAFKA_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Records that are committed, and those that wait."""

    done: int
    lag: int


@dataclass(slots=True)
class Credits:
    """Attributed value in micros by channel and model."""

    by_channel: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def channels(self) -> list[str]:
        """Most value first; by name among equals."""
        return sorted(self.by_channel, key=lambda name: (-max(self.by_channel[name].values()), name))

    def total(self, model: str) -> int:
        """Value of all conversions, the same for every model."""
        return sum(values.get(model, 0) for values in self.by_channel.values())


@dataclass(frozen=True, slots=True)
class Conservation:
    """Conversions times models, their credits, and how many of them do not add up."""

    conversions: int
    credits: int
    broken: int


class KafkaProgress:
    """How far the group is, over all its topics."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str]) -> None:
        from confluent_kafka import Consumer, TopicPartition

        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
        known = self._consumer.list_topics(timeout=_KAFKA_S).topics
        self._partitions = [TopicPartition(name, number) for name in topics for number in known[name].partitions]

    def read(self) -> Progress:
        """Sums over the partitions. One without a committed offset waits as a whole."""
        done = lag = 0
        for place in self._consumer.committed(self._partitions, timeout=_KAFKA_S):
            low, high = self._consumer.get_watermark_offsets(place, timeout=_KAFKA_S)
            position = place.offset if place.offset >= 0 else low
            done += position - low
            lag += high - position
        return Progress(done, lag)

    def close(self) -> None:
        """Give back the connection."""
        self._consumer.close()


class Rate:
    """Events a second over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """Note how many there are by now."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    def per_second(self) -> float:
        """0 until there are two looks."""
        if len(self._seen) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


class EventAge:
    """Publish to readable, over the touchpoints that became readable in the last ten seconds."""

    def __init__(self) -> None:
        self._known: dict[int, int] | None = None
        self._samples: deque[tuple[float, int, int]] = deque()

    def add(self, now: float, visible: dict[int, int]) -> None:
        """Note how many rows of each 20 ms of publishing can be read at ``now`` (epoch seconds)."""
        if self._known is not None:
            for bucket, count in visible.items():
                fresh = count - self._known.get(bucket, 0)
                if fresh > 0:  # a merge of duplicates may take rows away
                    age_ms = round(now * 1000) - bucket * _BUCKET_MS
                    self._samples.append((now, max(age_ms, 0), fresh))
        self._known = visible
        while self._samples and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def quantile(self, share: float) -> int | None:
        """Milliseconds; ``None`` without a fresh row."""
        ages = sorted((age, count) for _, age, count in self._samples)
        wanted = share * sum(count for _, count in ages)
        for age, count in ages:
            wanted -= count
            if wanted <= 0:
                return age
        return None


class Store:
    """Reads of the demo."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def visible(self, now: float) -> dict[int, int]:
        """Readable touchpoints of the last two minutes by 20 ms of publishing."""
        rows = self._run("demo_visible", since_ms=round((now - _LOOK_BACK_S) * 1000))
        return {row["bucket"]: row["touchpoints"] for row in rows}

    def credits(self) -> Credits:
        """Attributed value by channel and model."""
        found = Credits()
        for row in self._run("demo_credits", models=list(MODELS), currency=CURRENCY):
            found.by_channel.setdefault(row["channel"], {})[row["model"]] = row["value_micros"]
        return found

    def conservation(self) -> Conservation:
        """Whether every conversion's credits add up to it."""
        row = self._run("demo_conservation")[0]
        return Conservation(row["conversions"], row["credits"], row["broken"])

    def dead_letters(self) -> dict[str, int]:
        """Rejected records by reason."""
        counts: dict[str, int] = {}
        for row in self._run("dead_letters_by_reason"):
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["records"]
        return counts

    def _run(self, name: str, **bound: Any) -> list[dict[str, Any]]:
        from clickhouse.queries import run

        return run(self._client, name, **bound)
