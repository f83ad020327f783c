"""The product's own schemas as a registry holds them, under the ids and GUIDs of ``schemas/topics``."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from api.registry import Given, Registry
from api.registry_log import KafkaSchemaLog
from schemas.compatibility import Level
from schemas.topics import load_topics, topic_in

if TYPE_CHECKING:
    from api.registry_records import Version


def own_schemas(workspace: str) -> list[Given]:
    """Every published version, oldest first, for the topics of a workspace."""
    folder = files("schemas") / "avro"
    return [
        Given(
            topic_in(workspace, spec.subject),
            (folder / version.file).read_text(encoding="utf-8"),
            version.id,
            str(version.guid),
            Level(spec.compatibility),
        )
        for spec in load_topics().values()
        for version in sorted(spec.schemas, key=lambda v: v.version)
    ]


def publish_own(servers: str, topic: str, workspace: str) -> list[Version]:
    """Put them into the registry's topic where they are not there. Blocks.

    Raises:
        RegistryError: another registry serves the topic, or an id of ours has another schema.
        Unavailable: the broker does not answer.
    """
    registry = Registry(KafkaSchemaLog(servers, topic_in(workspace, topic)))
    try:
        return registry.publish(own_schemas(workspace))
    finally:
        registry.close()
