"""``/registry`` and Confluent's own client: what it asks is answered as it expects, and failures carry its codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import httpx
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from registry_client import record_schema, registry_client

from api.registry_errors import MEDIA_TYPE
from api.testing_registry import MemorySchemaLog

#: Confluent's client; its types allow None where its answers hold none.
Peer: TypeAlias = Any
X = {"name": "x", "type": "long"}
Y = {"name": "y", "type": ["null", "string"], "default": None}
Z = {"name": "z", "type": "int"}
ONE, TWO, BROKEN = record_schema(X), record_schema(X, Y), record_schema(X, Z)


@pytest.fixture(scope="module")
def topic() -> MemorySchemaLog:
    return MemorySchemaLog()


@pytest.fixture(scope="module")
def served(topic: MemorySchemaLog) -> Iterator[tuple[Peer, httpx.Client]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRIBUTION_API_INSECURE_DEV", "true")
        patch.setenv("ATTRIBUTION_API_ALLOWED_HOSTS", "test")
        with registry_client(topic) as both:
            yield both


@pytest.fixture
def log(topic: MemorySchemaLog) -> MemorySchemaLog:
    """Empty."""
    topic.clear()
    return topic


@pytest.fixture
def clients(
    served: tuple[Peer, httpx.Client],
    log: MemorySchemaLog,  # noqa: ARG001  # emptied first
) -> tuple[Peer, httpx.Client]:
    served[0].clear_caches()
    return served


@pytest.fixture
def client(clients: tuple[Peer, httpx.Client]) -> Peer:
    return clients[0]


@pytest.fixture
def plain(clients: tuple[Peer, httpx.Client]) -> httpx.Client:
    return clients[1]


def code_of(call: Callable[[], Any]) -> tuple[int, int]:
    with pytest.raises(SchemaRegistryError) as caught:
        call()
    assert caught.value.error_message
    return caught.value.http_status_code, caught.value.error_code


def fresh(client: Peer) -> Peer:
    """Without what it remembers."""
    client.clear_caches()
    return client


def test_versions_are_counted_and_ids_belong_to_schemas(client: Peer) -> None:
    assert [client.register_schema("a", s) for s in (ONE, TWO)] == [1, 2]
    assert fresh(client).register_schema("a", ONE) == 1
    assert client.register_schema("b", TWO) == 2
    assert client.get_subjects() == ["a", "b"]
    assert client.get_versions("a") == [1, 2]
    newest = client.get_latest_version("a")
    assert (newest.subject, newest.version, newest.schema_id) == ("a", 2, 2)
    assert json.loads(newest.schema.schema_str) == json.loads(str(TWO.schema_str))
    assert sorted(client.get_subjects_by_schema_id(2)) == ["a", "b"]
    assert [(v.subject, v.version) for v in client.get_schema_versions(2)] == [("a", 2), ("b", 1)]


def test_a_schema_is_found_by_id_by_guid_and_by_its_text(client: Peer) -> None:
    made = client.register_schema_full_response("a", ONE)
    assert made.guid
    for found in (fresh(client).get_schema(made.schema_id), fresh(client).get_schema_by_guid(made.guid)):
        assert json.loads(found.schema_str) == json.loads(str(ONE.schema_str))
    blanks = Schema(json.dumps(json.loads(str(ONE.schema_str)), indent=4, sort_keys=True), "AVRO")
    found = fresh(client).lookup_schema("a", blanks)
    assert (found.schema_id, found.version, found.guid) == (1, 1, made.guid)
    assert client.get_schema_types() == ["AVRO"]


def test_every_failure_has_confluents_code(client: Peer) -> None:
    client.register_schema("a", ONE)
    assert code_of(lambda: client.get_versions("no")) == (404, 40401)
    assert code_of(lambda: client.get_latest_version("no")) == (404, 40401)
    assert code_of(lambda: client.lookup_schema("no", ONE)) == (404, 40401)
    assert code_of(lambda: client.get_version("a", 7)) == (404, 40402)
    assert code_of(lambda: client.get_schema(77)) == (404, 40403)
    assert code_of(lambda: client.get_schema_by_guid("0" * 32)) == (404, 40403)
    assert code_of(lambda: client.lookup_schema("a", TWO)) == (404, 40403)
    assert code_of(lambda: client.register_schema("a", BROKEN)) == (409, 409)
    assert code_of(lambda: client.register_schema("a", Schema('{"type":"record"}', "AVRO"))) == (422, 42201)
    assert code_of(lambda: client.register_schema("a", Schema('syntax = "proto3";', "PROTOBUF"))) == (422, 42201)
    assert code_of(lambda: client.get_version("a", 0)) == (422, 42202)
    assert code_of(lambda: client.set_compatibility("a", "SOMETIMES")) == (422, 42203)
    assert code_of(lambda: client.get_config("a")) == (404, 40408)
    assert code_of(lambda: client.get_mode("a")) == (404, 40409)
    assert code_of(lambda: client.update_mode("a", "IMPORT")) == (422, 42204)
    assert code_of(lambda: client.get_versions(":.context:a")) == (422, 42208)


def test_nothing_of_a_refused_schema_is_kept(client: Peer, log: MemorySchemaLog) -> None:
    client.register_schema("a", ONE)
    before = list(log.records)
    code_of(lambda: client.register_schema("a", BROKEN))
    assert log.records == before


def test_levels_decide_what_may_follow(client: Peer) -> None:
    client.register_schema("a", ONE)
    assert client.get_compatibility() == "BACKWARD_TRANSITIVE"
    assert not client.test_compatibility("a", BROKEN)
    assert not client.test_compatibility_all_versions("a", BROKEN)
    assert client.test_compatibility("a", TWO)
    assert client.test_compatibility("nothing yet", BROKEN)
    assert client.set_compatibility("a", "forward") == {"compatibility": "FORWARD"}
    assert client.get_compatibility("a") == "FORWARD"
    assert client.test_compatibility("a", BROKEN)
    assert client.register_schema("a", BROKEN) == 2
    assert client.delete_config("a").compatibility_level == "FORWARD"
    assert code_of(lambda: client.get_config("a")) == (404, 40408)


def test_a_level_that_is_not_transitive_asks_the_newest_alone(client: Peer) -> None:
    """``y`` was a text, went away, and comes back as a number: the newest does not mind, the first one does."""
    number = {"name": "y", "type": "int", "default": 0}
    client.register_schema("a", TWO)
    client.register_schema("a", ONE)
    assert code_of(lambda: client.register_schema("a", record_schema(X, number))) == (409, 409)
    client.set_compatibility("a", "BACKWARD")
    assert client.register_schema("a", record_schema(X, number)) == 3


def test_what_was_deleted_is_still_readable_by_id_until_it_is_deleted_for_good(client: Peer) -> None:
    client.register_schema("a", ONE)
    client.register_schema("a", TWO)
    assert code_of(lambda: client.delete_version("a", 1, permanent=True)) == (404, 40407)
    assert client.delete_version("a", 1) == 1
    assert code_of(lambda: client.delete_version("a", 1)) == (404, 40406)
    assert (client.get_versions("a"), client.get_versions("a", deleted=True)) == ([2], [1, 2])
    assert fresh(client).get_schema(1)
    assert code_of(lambda: client.delete_subject("a", permanent=True)) == (404, 40405)
    assert client.delete_subject("a") == [2]
    assert code_of(lambda: client.delete_subject("a")) == (404, 40404)
    assert (client.get_subjects(), client.get_subjects(deleted=True)) == ([], ["a"])
    assert fresh(client).get_schema(2)
    assert fresh(client).register_schema("b", TWO) == 2
    assert client.delete_subject("a", permanent=True) == [1, 2]
    assert fresh(client).get_schema(2)
    assert code_of(lambda: fresh(client).get_schema(1)) == (404, 40403)
    assert client.register_schema("a", BROKEN) == 3


def test_read_only_refuses_what_is_new_and_answers_what_is_known(client: Peer) -> None:
    client.register_schema("a", ONE)
    client.update_mode("a", "READONLY")
    assert fresh(client).register_schema("a", ONE) == 1
    assert code_of(lambda: client.register_schema("a", TWO)) == (422, 42205)
    assert code_of(lambda: client.delete_subject("a")) == (422, 42205)
    client.update_mode("a", "READWRITE")
    assert client.register_schema("a", TWO) == 2


def test_answers_have_the_registrys_media_type_and_refusals_its_form(plain: httpx.Client) -> None:
    for path, status in (("/subjects", 200), ("/nothing/here", 404), ("/subjects/a/versions/x", 422)):
        answer = plain.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
        assert "Problem" not in answer.text
    assert set(plain.get("/nothing/here").json()) == {"error_code", "message"}
    for body in (b"", b"[]", b"{", b'{"schema": 7}'):
        assert plain.post("/subjects/a/versions", content=body).json()["error_code"] == 422
    verbose = plain.post(
        "/compatibility/subjects/a/versions/latest?verbose=true", json={"schema": ONE.schema_str}
    ).json()
    assert verbose == {"is_compatible": True, "messages": []}


def test_a_registry_that_reads_the_topic_afterwards_knows_the_same(client: Peer, log: MemorySchemaLog) -> None:
    """Every record is in the format of the topic, and the newest of each key is enough, as compaction leaves it."""
    client.register_schema("a", ONE)
    client.register_schema("a", TWO)
    client.register_schema("b", BROKEN)
    client.set_compatibility("a", "FULL")
    client.set_compatibility(level="NONE")
    client.delete_version("a", 1)
    first = fresh(client).get_schema(1).schema_str
    written = list(log.records)
    for records in (written, list(dict(written).items())):
        log.clear()
        log.take(records)
        peer = fresh(client)
        assert peer.get_versions("a", deleted=True) == [1, 2]
        assert peer.get_versions("a") == [2]
        assert peer.get_schema(1).schema_str == first
        assert (peer.get_compatibility("a"), peer.get_compatibility()) == ("FULL", "NONE")
        assert peer.register_schema("c", record_schema(Z)) == 4
    assert json.loads(written[0][0]) == {"keytype": "SCHEMA", "subject": "a", "version": 1, "magic": 1}
    assert written[0][0].startswith(b'{"keytype":"SCHEMA","subject":"a","version":1,')


def test_what_another_registry_wrote_is_handed_on_unchanged(
    clients: tuple[Peer, httpx.Client], log: MemorySchemaLog
) -> None:
    """Types and parts that are not kept here, and records of kinds that mean nothing here."""
    value = {"subject": "p", "version": 1, "id": 9, "schemaType": "PROTOBUF", "schema": 'syntax = "proto3";',
             "references": [{"name": "n", "subject": "s", "version": 1}], "deleted": False}  # fmt: skip
    log.take(
        [
            (b'{"keytype":"NOOP","magic":0}', None),
            (b'{"keytype":"CONTEXT","tenant":"t","magic":0}', b"{}"),
            (b'{"keytype":"SCHEMA","subject":"p","version":1,"magic":1}', json.dumps(value).encode()),
        ]
    )
    client, plain = clients
    found = plain.get("/subjects/p/versions/1").json()
    assert {name: found[name] for name in ("schemaType", "schema", "references", "id")} == {
        name: value[name] for name in ("schemaType", "schema", "references", "id")
    }
    assert code_of(lambda: client.register_schema("p", ONE)) == (422, 42201)
    client.delete_version("p", 1)
    kept = json.loads(log.records[-1][1] or b"")
    assert kept["references"] == value["references"]
    assert kept["deleted"] is True


def script(client: Peer) -> list[Any]:
    """What the in-memory registry of Confluent's package does, too; of failures the status."""

    def tried(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except SchemaRegistryError as error:
            return error.http_status_code

    return [
        client.register_schema("a", ONE),
        client.register_schema("a", ONE),
        client.register_schema("a", TWO),
        client.get_subjects(),
        sorted(client.get_versions("a")),
        client.get_latest_version("a").version,
        client.get_version("a", 1).schema_id,
        client.lookup_schema("a", TWO).version,
        client.get_schema(2).schema_str.replace(" ", ""),
        tried(lambda: client.get_schema(99)),
        tried(lambda: client.get_schema_by_guid("0" * 32)),
        tried(lambda: client.get_latest_version("no")),
        tried(lambda: client.get_version("a", 9)),
        tried(lambda: client.lookup_schema("a", BROKEN)),
        tried(lambda: client.lookup_schema("no", ONE)),
        tried(lambda: client.delete_version("a", 9)),
        sorted(client.delete_subject("a")),
        client.get_subjects(),
    ]


def test_it_does_what_confluents_in_memory_registry_does(client: Peer) -> None:
    mock = SchemaRegistryClient.new_client({"url": "mock://"})
    assert script(client) == script(mock)
