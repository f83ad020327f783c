"""Confluent's serializers, our registry, a broker and a worker: each reads what the other writes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.resources import files
from itertools import cycle
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from api.registry import Registry
from api.registry_errors import Code, RegistryError
from api.registry_log import USUAL_TOPIC, KafkaSchemaLog
from api.registry_records import NOOP_KEY
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from loadgen.records import Record
from schemas.codec import encode_avro, encode_json, local_schema_id
from schemas.events import ConversionWireEvent
from schemas.topics import topic_of
from schemas.wire import wire_fields
from served_api import Served, served_api
from simulated import Input, assert_converged, simulated
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

#: A shop's own record: other names, and fields that the product has no use for.
SHOP_SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "com.shop.PageSeen",
        "fields": [
            {"name": "messageId", "type": "string"},
            {"name": "userId", "type": "string"},
            {"name": "timestamp", "type": "long"},
            {"name": "channel", "type": ["null", "string"], "default": None},
            {"name": "campaign", "type": ["null", "string"], "default": None},
            {"name": "shelf", "type": "int", "default": 0},
        ],
    }
)


class World(NamedTuple):
    """A stream, and the API whose registry both sides use."""

    stream: Stream
    api: Served
    clients: ExitStack

    def client(self, role: str) -> SchemaRegistryClient:
        key = self.api.key if role == "admin" else self.api.new_key(role)
        made: Any = SchemaRegistryClient({"url": f"{self.api.url}/registry", "basic.auth.user.info": f"{key}:"})
        found: SchemaRegistryClient = self.clients.enter_context(made)
        return found

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli", *words], env=dict(self.api.environment), capture_output=True, check=True
        )
        return done.stdout.decode()


@pytest.fixture(scope="module")
def world(kafka_bootstrap: str, clickhouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("registry")
    engine = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(engine)
    stream = Stream(kafka_bootstrap, clickhouse_url, engine.database, folder)
    topic = f"{stream.group}.schemas"
    served = served_api(kafka_bootstrap, clickhouse_url, engine.database, folder, ATTRIBUTION_REGISTRY_TOPIC=topic)
    with served as api, ExitStack() as clients:
        made = World(stream, api, clients)
        made.command("schemas", "register")
        yield made
    stream.close()
    client = stream.client()
    client.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": engine.database})
    client.close()


def serializer(client: SchemaRegistryClient, schema: str, **conf: Any) -> AvroSerializer:
    made: Any = AvroSerializer(client, schema, conf=conf)
    return cast(AvroSerializer, made)


def ours(kind: Any) -> str:
    """The text of the newest schema of a kind, as somebody copied it into a project of their own."""
    spec = topic_of(kind)
    return (files("schemas") / "avro" / spec.schemas[-1].file).read_text(encoding="utf-8")


def spelled(world: World, client: SchemaRegistryClient, data: Input) -> list[Sent]:
    """The same events in every spelling: JSON, Confluent's frame, the GUID header, a schema of the shop's own."""
    writers = {
        kind: [
            serializer(client, ours(kind)),
            serializer(client, ours(kind), **{"schema.id.serializer": header_schema_id_serializer}),
        ]
        for kind in ("touchpoint", "conversion", "spend")
    }
    shop = AvroSerializer(client, SHOP_SCHEMA, conf={"subject.name.strategy": lambda *_: "com.shop.PageSeen"})
    turns, sent = cycle(range(4)), []
    for record in data.records:
        turn, event = next(turns), record.event
        if event is None or turn == 0:
            sent.append(Sent(record.kind, record.key, record.value))
            continue
        headers: list[tuple[str, Any]] = []
        context = SerializationContext(world.stream.topics[record.kind], MessageField.VALUE, headers)
        fields = wire_fields(event)
        if turn == 3 and record.kind == "touchpoint" and "channel" in fields:
            body = {
                "messageId": fields["event_id"],
                "userId": fields["customer_id"],
                "timestamp": fields["occurred_at"],
            }
            body |= {"channel": fields["channel"], "campaign": fields.get("campaign")}
            value = shop(body, context)
        else:
            value = writers[record.kind][turn % 2](fields, context)
        assert value is not None
        sent.append(Sent(record.kind, record.key, value, tuple(headers)))
    return sent


def test_what_confluents_serializers_write_is_attributed_like_json(world: World) -> None:
    """Every spelling on the same topics; an id that nobody registered is a dead letter with its reason."""
    data = simulated(3_000, seed=81, customers=300)
    strange = Record("touchpoint", "", b"c", b"\x00\x00\x00\x01\x4dbody", True, "unknown_schema", None)
    data = Input([*data.records, strange])
    admin = world.client("admin")
    sent = spelled(world, admin, data)
    assert sum(bool(s.headers) for s in sent) > 500
    assert len({s.value[:5] for s in sent if s.value[:1] == b"\x00"}) >= 5

    newest = admin.get_latest_version(f"{world.stream.topics['touchpoint']}-value")
    assert newest.schema_id == local_schema_id("touchpoint")

    world.stream.produce(sent)
    reader = world.api.new_key("ingestor")
    url = f"{world.api.url.replace('http://', f'http://{reader}:@')}/registry"
    world.stream.start(env={"SCHEMA_REGISTRY_URL": url})
    world.stream.wait()
    assert_converged(world.stream, data)


def test_what_we_write_their_deserializer_reads(world: World) -> None:
    """By the id in the frame and by the GUID in the header; times as times, money as the integers it is."""
    client = world.client("ingestor")
    data = [r.event for r in simulated(200, seed=82).records if isinstance(r.event, ConversionWireEvent)]
    read = AvroDeserializer(client)
    for event in data[:20]:
        framed = encode_avro(event, local_schema_id("conversion"))
        context = SerializationContext("any", MessageField.VALUE, [])
        found: Any = read(framed, context)
        assert (found["event_id"], found["value_micros"]) == (event.event_id, event.value_micros)
        assert int(found["occurred_at"].timestamp() * 1_000_000) == event.occurred_at_us
        guid = topic_of("conversion").schemas[-1].guid
        header = SerializationContext("any", MessageField.VALUE, [("__value_schema_id", b"\x01" + guid.bytes)])
        assert read(framed[5:], header) == found
    assert msgspec.json.decode(encode_json(data[0]))["event_id"] == data[0].event_id


def test_our_schemas_have_the_same_ids_in_the_registry_as_without_one(world: World) -> None:
    """Registered twice, by the command that also makes the topics: nothing changes."""
    client = world.client("ingestor")
    again = world.command("schemas", "register")
    for kind in ("touchpoint", "conversion", "identity", "spend", "erasure"):
        spec = topic_of(kind)
        version = client.get_version(spec.subject, spec.schemas[-1].version)
        assert version.schema_id == spec.schemas[-1].id
        assert version.guid == str(spec.schemas[-1].guid)
        assert client.get_compatibility(spec.subject) == spec.compatibility
        assert f"{spec.subject}: version 1, id {spec.schemas[-1].id}" in again


def records_of(bootstrap: str, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """What a registry would read that is pointed at this topic."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "peer", "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, 0)])
    found = []
    while (message := reader.poll(10)) is not None and message.error() is None:
        found.append((message.key(), message.value()))
    reader.close()
    return found


def test_processes_that_register_at_once_never_share_an_id(kafka_bootstrap: str) -> None:
    """Three at the same instant, each through its own connection; and a copy of the topic is the registry."""
    topic = f"many-{uuid.uuid4().hex[:8]}"
    schemas = [json.dumps({"type": "enum", "name": f"E{i}", "symbols": ["A"]}) for i in range(3)]

    def register(at: int) -> int:
        registry = Registry(KafkaSchemaLog(kafka_bootstrap, topic, timeout_s=30))
        made = registry.register(f"s{at}", schemas[at]).id
        registry.close()
        return made

    with ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(register, range(3)))
    assert sorted(ids) == [1, 2, 3]
    records = records_of(kafka_bootstrap, topic)
    assert [key for key, _ in records].count(NOOP_KEY) == 3
    assert records[-1] == (NOOP_KEY, None)

    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(f"{topic}-copy", 1, 1)])[f"{topic}-copy"].result()
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for key, value in records:
        producer.produce(f"{topic}-copy", value, key, partition=0)
    assert producer.flush(30) == 0
    copy = Registry(KafkaSchemaLog(kafka_bootstrap, f"{topic}-copy"))
    for at, found in enumerate(ids):
        version = copy.find(partial(lambda state, i: state.by_id(i), i=found))
        assert version is not None
        assert (version.subject, version.text) == (f"s{at}", schemas[at].replace(" ", ""))
    assert copy.register("new", '"long"').id == 4
    copy.close()


def register_until_refused(registry: Registry, peer: Consumer) -> None:
    """A busy broker tells others of a member later than the member itself."""
    for number in range(60):
        registry.register(f"peers{number}", '"bytes"')
        peer.poll(0.5)


def test_nothing_is_written_beside_another_registry(kafka_bootstrap: str) -> None:
    """A member of the group by which registries choose their leader stands for one; reading goes on."""
    registry = Registry(KafkaSchemaLog(kafka_bootstrap, USUAL_TOPIC))
    made = registry.register("peers", '"string"')
    peer = Consumer({"bootstrap.servers": kafka_bootstrap, "group.id": "schema-registry", "session.timeout.ms": 6_000})
    peer.subscribe([USUAL_TOPIC])  # there by now: a member joins for topics that exist
    deadline = time.monotonic() + 120
    while not peer.memberid() and time.monotonic() < deadline:
        peer.poll(0.2)
    assert peer.memberid()
    with pytest.raises(RegistryError, match="ATTRIBUTION_REGISTRY_TOPIC") as caught:
        register_until_refused(registry, peer)
    assert caught.value.code == Code.NOT_PERMITTED
    assert registry.register("peers", '"string"') == made
    peer.close()
    registry.close()
