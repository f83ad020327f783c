"""Create topics from ``schemas/topics/*.yaml``, and check before a worker starts that they fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from schemas.topics import TopicSpec, load_topics, topic_in
from stream_app.changelog import MAX_JOURNEY_BYTES
from stream_app.settings import WorkerSettings

TIMEOUT_S: Final = 15.0

#: A worker may be away for a week before a compacted tombstone could be missed by its old directory.
CHANGELOG_CONFIG: Final = {
    "cleanup.policy": "compact",
    "delete.retention.ms": str(7 * 86_400_000),
    "min.cleanable.dirty.ratio": "0.3",
    "segment.bytes": str(256 << 20),
    "max.compaction.lag.ms": str(86_400_000),
    "max.message.bytes": str(MAX_JOURNEY_BYTES + (1 << 20)),
}

#: Notices between workers: they hold personal data, so a month at most; one that is not read by then is lost.
HANDOVERS_CONFIG: Final = {
    "cleanup.policy": "delete",
    "retention.ms": str(30 * 86_400_000),
    "max.message.bytes": str(8 << 20),
}


class TopicError(RuntimeError):
    """Topics are missing or do not fit together."""


def create_topics(
    servers: str, *, partitions: int | None = None, replication: int = 1, workspace: str = "default"
) -> Mapping[str, bool]:
    """Create every topic of a workspace that is missing; answers ``{name: created}``.

    Raises:
        TopicError: the broker does not answer or refuses.
    """
    return _create(
        servers,
        [_new_topic(spec, partitions, replication, workspace) for spec in load_topics().values()],
    )


def ensure_internal_topics(settings: WorkerSettings, *, replication: int = 1) -> int:
    """Check the source topics and create those of the group with as many partitions; returns that number.

    Raises:
        TopicError: a topic is missing, or their partition counts differ.
    """
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 3})
    counts = partition_counts(admin)
    internal = {settings.changelog_topic: CHANGELOG_CONFIG, settings.handovers_topic: HANDOVERS_CONFIG}
    sources = [topic for topic in settings.source_topics if topic not in internal]
    needed = (*sources, settings.dead_letter_topic)
    missing = [t for t in needed if t not in counts]
    if missing:
        raise TopicError(f"topics missing: {', '.join(missing)}; create them with `attribution topics create`")
    found = {t: counts[t] for t in sources}
    if len(set(found.values())) != 1:
        raise TopicError(
            "the source topics must have the same number of partitions, or the events of one customer reach "
            f"different workers: {found}; add partitions to the smaller ones before the first event"
        )
    partitions = found[settings.touchpoints_topic]
    for name in internal:
        if counts.get(name, partitions) != partitions:
            raise TopicError(
                f"{name} has {counts[name]} partitions, the source topics {partitions}: use a new group id"
            )
    new = [NewTopic(n, partitions, replication, config=c) for n, c in internal.items() if n not in counts]
    if new:
        _create(settings.bootstrap_servers, new)
    return partitions


def partition_counts(admin: AdminClient) -> dict[str, int]:
    """Partitions per topic of the cluster.

    Raises:
        TopicError: the broker does not answer.
    """
    try:
        topics = admin.list_topics(timeout=TIMEOUT_S).topics
    except KafkaException as exc:
        raise TopicError(f"no Kafka broker answers: {exc.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS") from exc
    return {name: len(topic.partitions) for name, topic in topics.items()}


def tombstone_retention_ms(servers: str, topic: str) -> int:
    """How long a compacted topic keeps its tombstones at least (``delete.retention.ms``).

    Raises:
        TopicError: the broker does not tell.
    """
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        config = admin.describe_configs([resource], request_timeout=TIMEOUT_S)[resource].result()
    except KafkaException as exc:
        raise TopicError(f"{topic}: its configuration cannot be read: {exc.args[0].str()}") from exc
    return int(config["delete.retention.ms"].value)


def _new_topic(spec: TopicSpec, partitions: int | None, replication: int, workspace: str) -> NewTopic:
    return NewTopic(
        topic_in(workspace, spec.topic), partitions or spec.partitions, replication, config=dict(spec.config)
    )


def _create(servers: str, topics: list[NewTopic]) -> dict[str, bool]:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    existing = partition_counts(admin)
    created = {t.topic: t.topic not in existing for t in topics}
    wanted = [t for t in topics if created[t.topic]]
    if wanted:
        for name, future in admin.create_topics(wanted, request_timeout=TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as exc:
                if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise TopicError(f"{name} was not created: {exc.args[0].str()}") from exc
                created[name] = False
    return created
