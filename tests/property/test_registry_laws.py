"""Laws of the registry: what it lets through is readable, what the topic says is what it knows, ids mean one schema."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from api.registry import Registry
from api.registry_errors import RegistryError
from api.registry_log import Decide
from api.registry_records import change_of, record_of
from api.registry_state import State
from api.testing_registry import MemorySchemaLog
from schemas.compatibility import InvalidSchemaError, Level, incompatibilities, parse_avro

#: Types with a value of each, so that whatever is written can be written.
TYPES: list[tuple[Any, Any]] = [
    ("int", 7),
    ("long", 1 << 40),
    ("double", 0.5),
    ("string", "text"),
    ("bytes", b"b"),
    ("boolean", True),
    (["null", "string"], None),
    (["null", "long", "string"], "u"),
    ({"type": "array", "items": "int"}, [1, 2]),
    ({"type": "map", "values": ["null", "double"]}, {"k": None}),
    ({"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}, "BLUE"),
    ({"type": "record", "name": "Inner", "fields": [{"name": "i", "type": "int"}]}, {"i": 3}),
    ({"type": "long", "logicalType": "timestamp-micros"}, 5),
]
DEFAULTS = {"int": 0, "long": 0, "double": 0.0, "string": "", "boolean": False}


@st.composite
def records(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A record's schema and a value of it."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True))
    fields, value, used = [], {}, set()
    for name in names:
        kind, sample = draw(st.sampled_from(TYPES))
        named = kind.get("name") if isinstance(kind, dict) else None
        assume(named is None or named not in used)
        used.add(named)
        field: dict[str, Any] = {"name": name, "type": kind}
        if draw(st.booleans()):
            if isinstance(kind, str) and kind in DEFAULTS:
                field["default"] = DEFAULTS[kind]
            elif isinstance(kind, list):
                field["default"] = None
        fields.append(field)
        value[name] = sample
    return json.dumps({"type": "record", "name": "R", "fields": fields}), value


def written(text: str, value: dict[str, Any]) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(text)), value)
    return out.getvalue()


WIDER: dict[Any, list[Any]] = {
    "int": ["long", "double", ["null", "int"]],
    "long": ["double"],
    "string": ["bytes"],
    "bytes": ["string"],
}


@st.composite
def evolved(draw: st.DrawFn, text: str) -> str:
    """The schema as somebody changes it: fields widened, narrowed, dropped and added."""
    schema = json.loads(text)
    fields = []
    for field in schema["fields"]:
        if draw(st.integers(0, 3)):
            kind = field["type"]
            wider: list[Any] = WIDER.get(kind, [kind]) if isinstance(kind, str) else [kind]
            fields.append({"name": field["name"], "type": draw(st.sampled_from([kind, *wider, "int"]))})
    names = draw(st.lists(st.sampled_from("xyz"), max_size=2, unique=True))
    added = [{"name": name, "type": "long"} | ({"default": 1} if draw(st.integers(0, 3)) else {}) for name in names]
    return json.dumps(schema | {"fields": fields + added})


def test_what_is_called_backward_compatible_can_be_read() -> None:
    """Another implementation of Avro reads the old bytes with the new schema; of what is refused it cannot all."""
    judged = {True: 0, False: 0}
    unreadable = 0

    @settings(max_examples=250, suppress_health_check=[HealthCheck.filter_too_much], database=None)
    @given(st.data(), records())
    def law(data: st.DataObject, old: tuple[str, dict[str, Any]]) -> None:
        nonlocal unreadable
        new = data.draw(evolved(old[0]))
        fits = not incompatibilities(parse_avro(new), [parse_avro(old[0])], Level.BACKWARD)
        judged[fits] += 1
        writer, reader = (fastavro.parse_schema(json.loads(text)) for text in (old[0], new))
        try:
            found = fastavro.schemaless_reader(BytesIO(written(*old)), writer, reader)
        except Exception:  # noqa: BLE001  # of a dozen unrelated types
            assert not fits, (old[0], new)
            unreadable += 1
        else:
            assert isinstance(found, dict)
            assert not fits or found.keys() == {field["name"] for field in json.loads(new)["fields"]}

    law()
    assert min(judged.values()) > 20
    assert unreadable > 20


def test_the_law_has_something_to_refuse() -> None:
    """Fields without a default, narrower numbers and symbols that are gone."""

    def record(kind: Any, **more: Any) -> str:
        return json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind, **more}]})

    enum = {"type": "enum", "name": "E", "symbols": ["X", "Y"]}
    for old, new in [("int", "string"), ("long", "int"), (enum, enum | {"symbols": ["X"]}), (["null", "int"], "int")]:
        assert incompatibilities(parse_avro(record(new)), [parse_avro(record(old))], Level.BACKWARD)
    assert not incompatibilities(parse_avro(record("long")), [parse_avro(record("int"))], Level.BACKWARD)


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=5),
        lambda part: (
            st.lists(part, max_size=4)
            | st.dictionaries(
                st.sampled_from(["type", "name", "fields", "items", "values", "symbols", "default"]), part, max_size=4
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
)
def test_a_text_is_a_schema_or_is_refused(text: str) -> None:
    """Nothing else is raised for whatever somebody sends."""
    try:
        found = parse_avro(text)
    except InvalidSchemaError:
        return
    assert parse_avro(found.text).identity == found.identity


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.sampled_from("st"), st.integers(0, 5)),
        st.tuples(st.just("subject"), st.sampled_from("st"), st.booleans()),
        st.tuples(st.just("version"), st.sampled_from("st"), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("level"), st.sampled_from(["s", "t", ""]), st.sampled_from([*Level, None])),
    ),
    max_size=25,
)


def schema(n: int) -> str:
    """Each can be read by each."""
    return json.dumps({"type": "record", "name": "R", "fields": [{"name": f"f{n}", "type": "int", "default": n}]})


def do(registry: Registry, step: tuple[Any, ...]) -> None:
    match step:
        case "register", subject, n:
            registry.register(subject, schema(n))
        case "subject", subject, permanent:
            registry.delete_subject(subject, permanent=permanent)
        case "version", subject, number, permanent:
            registry.delete_version(subject, number, permanent=permanent)
        case "level", subject, level:
            registry.set("CONFIG", subject, level)


def picture(state: State) -> Any:
    return sorted(state.every()), [state.level(s) for s in ("s", "t", "")], [state.by_id(i) for i in range(20)]


@settings(max_examples=150)
@given(steps=STEPS, cut=st.integers(0, 25))
def test_the_topic_says_all_and_ids_mean_one_schema(steps: list[tuple[Any, ...]], cut: int) -> None:
    """After any calls, a process that reads the records, from wherever it was, knows what the writer knows."""
    log = MemorySchemaLog()
    registry = Registry(log)
    meant: dict[int, str] = {}
    behind: list[Any] = []
    for at, step in enumerate(steps):
        if at == cut:
            behind = list(log.records)
        try:
            do(registry, step)
        except RegistryError:
            continue
        for version in log.known(lambda state: list(state.every())):
            assert meant.setdefault(version.id, version.text) == version.text
    other = State()
    for key, value in [*behind, *log.records[len(behind) :]]:
        change = change_of(key, value)
        assert change is not None
        other.apply(change)
    assert picture(other) == log.known(picture)


class Hasty(MemorySchemaLog):
    """The log without its turns: decides on what it knew before somebody else wrote."""

    def write(self, decide: Decide[Any]) -> Any:
        answer, changes = decide(self.stale)
        self.take([record_of(change) for change in changes])
        return answer

    stale = State()


def test_without_turns_two_writers_give_one_id_to_two_schemas() -> None:
    """Why a write decides on the end of the topic: this log does not, and the second schema is lost."""
    log = Hasty()
    first, second = Registry(log).register("s", schema(1)), Registry(log).register("t", schema(2))
    assert first.id == second.id
    with pytest.raises(RegistryError):
        Registry(log).version("t", 1)
