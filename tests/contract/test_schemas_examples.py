"""The published wire: every golden example of every version, topic files, frozen Avro files, evolution."""

import hashlib
import io
import json
import uuid
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import fastavro
import pytest
from fastavro.read import SchemaResolutionError

from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas, Rejected
from schemas.reasons import REASONS, Reason
from schemas.topics import CUSTOMER_KINDS, TopicFileError, load_topics, parse_topic, topic_of

EXAMPLES = Path(str(files("schemas"))) / "examples"
AVRO = Path(str(files("schemas"))) / "avro"
#: The broker's timestamp of every example, 2026-01-01T00:00:00Z.
RECEIVED_MS = 1_767_225_600_000
KINDS: tuple[EventKind, ...] = get_args(EventKind)

#: The golden hashes: a second copy on purpose, so that file and topic list cannot change together unnoticed.
PUBLISHED = {
    "conversion.v1.avsc": "e69ff41d2510285922bbff58a2d682f926b23745124bade96b1ca0ae79c86b22",
    "erasure.v1.avsc": "81c1a06d779ab509ff549382d634e1008a81368b1ac09becdea5ac31f0d7011b",
    "identity.v1.avsc": "fe1d79ebfae8334cc78bae1a7fde8073a41be59ad18c0e9db203e7f4e6405f16",
    "spend.v1.avsc": "b5fb641ec1b029d41f7a8f569799b37549b6a01853fcb1c9a9c5a8c40ed466ab",
    "touchpoint.v1.avsc": "29a8681242efb83570adddb85af70d74f86894579f57a087b42a7b497dcabb67",
}


@dataclass
class Record:
    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    offset: int = 3
    timestamp: int = RECEIVED_MS
    topic: str = "t"
    partition: int = 0


def examples(group: str) -> list[Any]:
    found = sorted(EXAMPLES.glob(f"*/*/{group}/*.expected.json"))
    return [
        pytest.param(path, id=path.relative_to(EXAMPLES).as_posix().removesuffix(".expected.json")) for path in found
    ]


def read(expected: Path) -> tuple[EventKind, Record, dict[str, Any]]:
    wanted = json.loads(expected.read_text())
    stem = expected.name.removesuffix(".expected.json")
    as_json, as_hex = expected.with_name(f"{stem}.json"), expected.with_name(f"{stem}.hex")
    value = as_json.read_bytes() if as_json.exists() else bytes.fromhex(as_hex.read_text())
    headers = [(name, bytes.fromhex(content)) for name, content in wanted.get("headers", {}).items()]
    key = wanted["key"].encode() if "key" in wanted else None
    kind = next(kind for kind in KINDS if kind == expected.relative_to(EXAMPLES).parts[0])
    return kind, Record(value, key, headers), wanted


def decode(kind: EventKind, record: Record) -> Any:
    return Codec(kind, channel_rules=load_channel_rules(), schemas=LocalSchemas()).decode(record)


@pytest.mark.parametrize("path", examples("valid"))
def test_a_valid_example_decodes_to_its_event(path: Path) -> None:
    kind, record, wanted = read(path)
    event = decode(kind, record)
    assert not isinstance(event, Rejected), event
    got = {name: value for name in event.__struct_fields__ if (value := getattr(event, name)) is not None}
    assert got == wanted["event"] | {"received_at_us": RECEIVED_MS * 1_000, "offset": 3}


@pytest.mark.parametrize("path", examples("invalid"))
def test_an_invalid_example_is_rejected_with_its_reason(path: Path) -> None:
    kind, record, wanted = read(path)
    rejected = decode(kind, record)
    assert isinstance(rejected, Rejected), rejected
    assert (rejected.reason, rejected.field) == (wanted["reason"], wanted["field"])


def test_every_reason_of_the_wire_and_every_kind_has_an_example() -> None:
    shown = {json.loads(path.read_text())["reason"] for path in EXAMPLES.glob("*/*/invalid/*.expected.json")}
    assert shown == set(get_args(Reason)) - {
        "too_late",
        "too_many_ids",
        "too_many_conversions",
        "erased",
    }  # by the journey
    for kind in KINDS:
        formats = {path.suffix for path in (EXAMPLES / kind / "v1" / "valid").iterdir()}
        assert formats == {".json", ".hex"}, kind


def test_no_example_lies_about_without_its_expectation() -> None:
    values = {p.with_suffix("") for p in EXAMPLES.rglob("*") if p.is_file() and not p.name.endswith(".expected.json")}
    expectations = {p.with_name(p.name.removesuffix(".expected.json")) for p in EXAMPLES.rglob("*.expected.json")}
    assert values == expectations


def test_a_published_avro_file_never_changes() -> None:
    files_there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in AVRO.glob("*.avsc")}
    assert files_there == PUBLISHED
    assert files_there == {v.file: v.sha256 for spec in load_topics().values() for v in spec.schemas}


def test_ids_and_guids_are_unique_and_every_version_has_examples() -> None:
    versions = [(spec, version) for spec in load_topics().values() for version in spec.schemas]
    assert len({v.id for _, v in versions}) == len({v.guid for _, v in versions}) == len(versions) == 5
    for spec, version in versions:
        assert version.guid == uuid.uuid5(uuid.NAMESPACE_URL, f"attribution.v1/{version.sha256}")
        assert list((EXAMPLES / spec.kind / f"v{version.version}" / "valid").glob("avro-*.hex"))


def test_topics_are_those_of_the_design() -> None:
    topics = load_topics()
    assert {spec.kind: name for name, spec in topics.items()} == {
        "touchpoint": "attribution.touchpoints",
        "conversion": "attribution.conversions",
        "identity": "attribution.identities",
        "spend": "attribution.spend",
        "erasure": "attribution.erasures",
        "dead_letter": "attribution.dead_letter",
        "model": "attribution.models",
    }
    assert {topics[topic_of(kind).topic].partitions for kind in CUSTOMER_KINDS} == {4}
    assert topic_of("spend").config["message.timestamp.type"] == "LogAppendTime"
    assert topic_of("dead_letter").config["retention.ms"] == str(7 * 86_400_000)
    assert all(topic_of(kind).compatibility == "BACKWARD_TRANSITIVE" for kind in KINDS)
    assert topic_of("touchpoint").subject == "attribution.touchpoints-value"


def test_a_copy_of_the_topics_is_handed_out() -> None:
    load_topics().clear()
    assert len(load_topics()) == 7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("partitions: 4", "partitions: many", "a.yaml: Expected `int`"),
        ("partitions: 4", "partitions: 0", "a.yaml: partitions must be at least 1"),
        ("partitions: 4", "partitons: 4", "a.yaml: unknown field partitons"),
        ("kind: spend", "kind: spent", "a.yaml: Invalid enum value"),
        ("kind: spend", "kind: [", "a.yaml: is no YAML"),
        ("compatibility: BACKWARD_TRANSITIVE", "compatibility: FORWARD", "a.yaml: "),
    ],
)
def test_a_wrong_topic_file_is_named_with_its_mistake(old: str, new: str, message: str) -> None:
    text = (Path(str(files("schemas"))) / "topics" / "spend.yaml").read_text()
    assert old in text
    with pytest.raises(TopicFileError, match=message):
        parse_topic(text.replace(old, new), "a.yaml")


def versions_of(kind: EventKind) -> list[dict[str, Any]]:
    return [json.loads((AVRO / v.file).read_text()) for v in sorted(topic_of(kind).schemas, key=lambda v: v.version)]


def reads(newer: dict[str, Any], older: dict[str, Any], body: bytes) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(body), older, newer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_schema_reads_every_example_of_every_version(kind: EventKind) -> None:
    versions = versions_of(kind)
    count = 0
    for number, older in enumerate(versions, start=1):
        for path in (EXAMPLES / kind / f"v{number}" / "valid").glob("avro-id.hex"):
            assert reads(versions[-1], older, bytes.fromhex(path.read_text())[5:])
            count += 1
    assert count >= len(versions)


@pytest.mark.parametrize("kind", KINDS)
def test_the_evolution_check_accepts_a_default_and_refuses_its_absence(kind: EventKind) -> None:
    older = versions_of(kind)[-1]
    body = bytes.fromhex((EXAMPLES / kind / "v1" / "valid" / "avro-id.hex").read_text())[5:]
    added = {"name": "added_later", "type": ["null", "string"], "default": None}
    assert reads(older | {"fields": [*older["fields"], added]}, older, body)["added_later"] is None
    with pytest.raises(SchemaResolutionError):
        reads(older | {"fields": [*older["fields"], {"name": "added_later", "type": "string"}]}, older, body)


@pytest.mark.parametrize("kind", KINDS)
def test_avro_money_is_long_and_times_are_micros(kind: EventKind) -> None:
    for schema in versions_of(kind):
        types = {f["name"]: f["type"] for f in schema["fields"]}
        assert schema["namespace"] == "attribution.v1"
        for name, kind_of_field in types.items():
            if name.endswith("_micros"):
                assert kind_of_field in ("long", ["null", "long"])
            if name.endswith("_at"):
                assert "timestamp-micros" in json.dumps(kind_of_field)
            assert "double" not in json.dumps(kind_of_field)
            assert "float" not in json.dumps(kind_of_field)


def test_the_documentation_lists_every_reason_as_the_code_does() -> None:
    page = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    for reason, line in REASONS.items():
        assert f"| `{reason}` | {line} |" in page
