"""Whether an Avro schema may follow others: the seven levels that schema registries name.

BACKWARD: the new schema reads what the old one wrote. FORWARD: the old one reads what the new one writes. FULL: both.
``…_TRANSITIVE`` asks it of every earlier version, the plain level of the newest alone. The rules of reading are
Avro's (specification 1.12, "Schema Resolution"), as the reference implementation judges them.

``parse_avro`` raises ``InvalidSchemaError`` for what is no Avro schema; nothing else raises.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import avro.errors
import avro.schema
import fastavro
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from fastavro.schema import SchemaParseException, UnknownType

from schemas.registry import without_logical_types

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What parsers make of texts that are no schema.
_BROKEN: Final = (
    avro.errors.AvroException,
    SchemaParseException,
    UnknownType,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)


class Level(StrEnum):
    """How a new version must fit the ones before it."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def is_transitive(self) -> bool:
        """Whether every earlier version counts, not the newest alone."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def must_read_old(self) -> bool:
        """Whether the new schema must read what older ones wrote."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def must_be_read_by_old(self) -> bool:
        """Whether older schemas must read what the new one writes."""
        return self.value.startswith(("FORWARD", "FULL"))


class InvalidSchemaError(ValueError):
    """The text is no Avro schema; the message says why."""


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A valid schema. ``text`` is its JSON without blanks."""

    text: str
    parsed: Any

    @property
    def identity(self) -> str:
        """See ``identity_of``."""
        return identity_of(self.text)


def parse_avro(text: str) -> AvroSchema:
    """A schema of any Avro type, in the form that is stored.

    Raises:
        InvalidSchemaError: it is none, or one that our own decoder cannot read.
    """
    try:
        plain = json.loads(text)
        bare = without_logical_types(plain, kept=())
        fastavro.parse_schema(bare)
        parsed = avro.schema.parse(json.dumps(bare))
        compact = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
        compact.encode()  # half a surrogate pair has no UTF-8
    except _BROKEN as error:
        raise InvalidSchemaError(f"no Avro schema: {str(error)[:300] or type(error).__name__}") from None
    return AvroSchema(compact, parsed)


@lru_cache(4_096)
def identity_of(text: str) -> str:
    """Two schemas are the same when this is: blanks and the order of members do not count. ``""``: no JSON."""
    try:
        return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True)
    except (ValueError, RecursionError):
        return ""


def incompatibilities(new: AvroSchema, olds: Sequence[AvroSchema], level: Level) -> list[str]:
    """What forbids ``new`` behind ``olds`` (oldest first); empty: nothing. One line per problem, for a reader."""
    asked = olds if level.is_transitive else olds[-1:]
    found: list[str] = []
    for old in reversed(asked):
        if level.must_read_old:
            found += _cannot_read(new, old, "the new schema cannot read what the old one wrote")
        if level.must_be_read_by_old:
            found += _cannot_read(old, new, "the old schema cannot read what the new one writes")
    return list(dict.fromkeys(found))


def _cannot_read(reader: AvroSchema, writer: AvroSchema, sentence: str) -> list[str]:
    checker: Any = ReaderWriterCompatibilityChecker  # has no types
    try:
        result = checker().get_compatibility(reader.parsed, writer.parsed)
    except RecursionError:
        return [f"{sentence}: the schemas are nested too deeply to compare"]
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(dict.fromkeys(kind.value for kind in result.incompatibilities)) or "incompatible"
    places = ", ".join(sorted(result.locations))
    messages = "; ".join(sorted(result.messages))
    return [f"{sentence}: {kinds} at {places}" + (f" ({messages})" if messages else "")]
