"""The topics as data: ``schemas/topics/*.yaml`` is read by the code, the documentation and the broker's set-up alike.

Raises ``TopicFileError`` for a file that says something else than the format; the package's own files are tested.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import yaml

from schemas.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

TopicKind: TypeAlias = EventKind | Literal["dead_letter", "model"]

#: Topics whose record key is the customer id; they need one partition count, so that a customer has one worker.
CUSTOMER_KINDS: Final[tuple[EventKind, ...]] = ("touchpoint", "conversion", "identity", "erasure")


class TopicFileError(ValueError):
    """A topic file that cannot be used; names file, field and problem."""


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One published Avro file. ``sha256`` is over its bytes and never changes."""

    version: int
    file: str
    id: int
    guid: UUID
    sha256: str


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic: what it carries, and the settings with which it is created. ``config`` holds Kafka's own names."""

    topic: str
    description: str
    kind: TopicKind
    key: str
    partitions: int
    config: dict[str, str]
    compatibility: Literal["BACKWARD_TRANSITIVE", "NONE"]
    schemas: tuple[SchemaVersion, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Subject of the value's schema in a registry."""
        return f"{self.topic}-value"


def load_topics() -> dict[str, TopicSpec]:
    """Every topic by its name, in a fresh dictionary."""
    return dict(_topics())


def topic_of(kind: TopicKind) -> TopicSpec:
    """The topic that carries this kind of event."""
    return _by_kind()[kind]


def topic_in(workspace: str, topic: str) -> str:
    """Name of a topic in a workspace; those of ``default`` have no prefix."""
    return topic if workspace == "default" else f"{workspace}.{topic}"


def parse_topic(text: str, where: str) -> TopicSpec:
    """One topic from the text of its file; unknown and missing fields are errors."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TopicFileError(f"{where}: is no YAML: {error}") from None
    known = {field.name for field in fields(TopicSpec)}
    unknown = sorted(set(raw) - known) if isinstance(raw, dict) else []
    if unknown:
        raise TopicFileError(f"{where}: unknown field {unknown[0]}; fields are {', '.join(sorted(known))}")
    try:
        spec = msgspec.convert(raw, TopicSpec)
    except msgspec.ValidationError as error:
        raise TopicFileError(f"{where}: {error}") from None
    if spec.partitions < 1:
        raise TopicFileError(f"{where}: partitions must be at least 1, is {spec.partitions}")
    return spec


@cache
def _by_kind() -> Mapping[TopicKind, TopicSpec]:
    return {spec.kind: spec for spec in _topics().values()}


@cache
def _topics() -> Mapping[str, TopicSpec]:
    folder = files("schemas") / "topics"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    specs = [parse_topic((folder / name).read_text(encoding="utf-8"), name) for name in names]
    return {spec.topic: spec for spec in specs}
