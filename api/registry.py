"""The schema registry: what its routes do, over the log of its topic. Calls block.

A subset of Confluent's REST API 8: Avro schemas that need no others, levels, the modes READWRITE and READONLY. What is
left out (contexts, references, metadata, rules, other types of schemas) is refused by name where it is asked for, and
handed on unchanged where it came with the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from api.registry_errors import Code, RegistryError
from api.registry_log import SchemaLog
from api.registry_records import Change, SchemaChange, Setting, SubjectDeleted, Version, guid_of
from api.registry_state import READ_ONLY, READ_WRITE, State
from schemas.compatibility import AvroSchema, InvalidSchemaError, Level, identity_of, incompatibilities, parse_avro

T = TypeVar("T")
LATEST: Final = -1
_DELETED: Final = "was soft deleted. Set permanent=true to delete permanently"
_DELETE_FIRST: Final = "was not deleted first before being permanently deleted"
MODES: Final = (READ_WRITE, READ_ONLY)


class Given(NamedTuple):
    """A schema with the number that it must get: one that was published under it elsewhere."""

    subject: str
    text: str
    id: int
    guid: str
    level: Level


class Registry:
    """The registry of one workspace."""

    def __init__(self, log: SchemaLog) -> None:
        self._log = log

    def close(self) -> None:
        """Give back the connections."""
        self._log.close()

    def ask(self, question: Callable[[State], T]) -> T:
        """Read; at most a second old."""
        return self._log.ask(question)

    def find(self, question: Callable[[State], T | None]) -> T | None:
        """Read what never changes once it is there: from memory if it is, else from the end of the topic."""
        return self._log.known(question) or self._log.ask(question, is_fresh=True)

    def register(self, subject: str, text: str) -> Version:
        """The version that holds this schema; a new one where none does.

        Raises:
            RegistryError: no schema (42201), incompatible (409), read-only (42205).
        """
        schema = _parsed(text)

        def decide(state: State) -> tuple[Version, Sequence[Change]]:
            versions = state.versions(subject)
            if (same := _same(versions, schema)) is not None:
                return same, ()
            _refuse_read_only(state, subject)
            if found := incompatibilities(schema, _avro_of(versions), state.level(subject)):
                raise RegistryError(Code.INCOMPATIBLE, f"{subject}, {state.level(subject)}: {' '.join(found)}")
            twin = _same(list(state.every()), schema)
            schema_id, guid, kept = (
                (twin.id, twin.guid, twin.text) if twin else (state.newest_id + 1, guid_of(schema.text), schema.text)
            )
            number = max((v.version for v in state.versions(subject, deleted=True)), default=0) + 1
            made = Version(subject, number, schema_id, guid, kept)
            return made, (SchemaChange(subject, number, made),)

        return self._log.write(decide)

    def publish(self, given: Sequence[Given]) -> list[Version]:
        """Register schemas under the ids that they have already, and set the levels of their subjects where none is.

        A schema that is there under another id (of the registry that the topic came from) keeps that one.

        Raises:
            RegistryError: an id has another schema (409).
        """

        def decide(state: State) -> tuple[list[Version], Sequence[Change]]:
            found: list[Version] = []
            changes: list[Change] = []
            numbers = {g.subject: len(state.versions(g.subject, deleted=True)) for g in given}
            for one in given:
                schema = _parsed(one.text)
                there = _same(state.versions(one.subject), schema)
                if there is None and (holder := state.by_id(one.id)) is not None:
                    raise RegistryError(
                        Code.INCOMPATIBLE,
                        f"{one.subject}: its schema has the id {one.id}, which {holder.subject} version "
                        f"{holder.version} has for another",
                    )
                if there is None:
                    numbers[one.subject] += 1
                    there = Version(one.subject, numbers[one.subject], one.id, one.guid, schema.text)
                    changes.append(SchemaChange(one.subject, there.version, there))
                    if state.setting("CONFIG", one.subject) is None:
                        changes.append(Setting("CONFIG", one.subject, one.level.value))
                found.append(there)
            return found, changes

        return self._log.write(decide)

    def lookup(self, subject: str, text: str, *, deleted: bool) -> Version:
        """The version of a subject that holds this schema.

        Raises:
            RegistryError: no such subject (40401), none of its versions (40403), no schema (42201).
        """
        schema = _parsed(text)
        versions = self.ask(lambda state: _versions(state, subject, deleted=deleted))
        found = _same(versions, schema)
        if found is None:
            raise RegistryError(Code.SCHEMA_NOT_FOUND, "Schema not found")
        return found

    def version(self, subject: str, number: int, *, deleted: bool = False) -> Version:
        """One version; ``LATEST`` for the newest.

        Raises:
            RegistryError: no such subject (40401) or version (40402).
        """
        return self.ask(lambda state: _version(state, subject, number, deleted=deleted))

    def compare(self, subject: str, number: int | None, text: str) -> list[str]:
        """What forbids this schema behind a version (None: behind all that the level asks for); empty: nothing.

        Raises:
            RegistryError: no such version (40402), no schema (42201).
        """
        schema = _parsed(text)

        def question(state: State) -> tuple[list[Version], Level]:
            versions = state.versions(subject)
            if number is not None and (versions or number != LATEST):
                versions = [_version(state, subject, number, deleted=False)]
            return versions, state.level(subject)

        versions, level = self.ask(question)
        return incompatibilities(schema, _avro_of(versions), level)

    def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Delete all versions; for good only what was deleted before.

        Raises:
            RegistryError: 40401, 40404, 40405, 42205.
        """

        def decide(state: State) -> tuple[list[int], Sequence[Change]]:
            live, every = state.versions(subject), state.versions(subject, deleted=True)
            if not every:
                raise _no_subject(subject)
            _refuse_read_only(state, subject)
            if permanent:
                if live:
                    raise RegistryError(Code.SUBJECT_NOT_SOFT_DELETED, f"Subject '{subject}' {_DELETE_FIRST}")
                return [v.version for v in every], [SchemaChange(subject, v.version, None) for v in every]
            if not live:
                raise RegistryError(Code.SUBJECT_SOFT_DELETED, f"Subject '{subject}' {_DELETED}")
            return [v.version for v in live], [SubjectDeleted(subject, live[-1].version)]

        return self._log.write(decide)

    def delete_version(self, subject: str, number: int, *, permanent: bool) -> int:
        """Delete one version; for good only one that was deleted before.

        Raises:
            RegistryError: 40401, 40402, 40406, 40407, 42205.
        """

        def decide(state: State) -> tuple[int, Sequence[Change]]:
            found = _version(state, subject, number, deleted=True)
            named = f"Subject '{subject}' Version {found.version}"
            _refuse_read_only(state, subject)
            if permanent and not found.is_deleted:
                raise RegistryError(Code.VERSION_NOT_SOFT_DELETED, f"{named} {_DELETE_FIRST}")
            if found.is_deleted and not permanent:
                raise RegistryError(Code.VERSION_SOFT_DELETED, f"{named} {_DELETED}")
            value = None if permanent else found._replace(is_deleted=True)
            return found.version, (SchemaChange(subject, found.version, value),)

        return self._log.write(decide)

    def setting(self, name: str, subject: str, *, default_to_global: bool = False) -> str:
        """A level (``CONFIG``) or mode (``MODE``).

        Raises:
            RegistryError: the subject has none of its own (40408, 40409).
        """

        def question(state: State) -> str | None:
            if default_to_global or not subject:
                return state.level(subject).value if name == "CONFIG" else state.mode(subject)
            return state.setting(name, subject)

        found = self.ask(question)
        if found is None:
            raise _not_set(name, subject)
        return found

    def set(self, name: str, subject: str, value: str | None) -> str:
        """Set a level or mode, or (``value`` None) let what is above hold; gives what was set before, else the new one.

        Raises:
            RegistryError: an unknown value (42203, 42204), nothing to unset (40408, 40409).
        """
        valid: tuple[str, ...] = tuple(Level) if name == "CONFIG" else MODES
        if value is not None and value not in valid:
            code = Code.INVALID_LEVEL if name == "CONFIG" else Code.INVALID_MODE
            raise RegistryError(code, f"{value!r} is none of {', '.join(valid)}")

        def decide(state: State) -> tuple[str, Sequence[Change]]:
            before = state.setting(name, subject)
            if value is None and before is None:
                raise _not_set(name, subject)
            if before == value:
                return value or "", ()
            return value or before or "", (Setting(name, subject, value),)

        return self._log.write(decide)


def _parsed(text: str) -> AvroSchema:
    try:
        return parse_avro(text)
    except InvalidSchemaError as error:
        raise RegistryError(Code.INVALID_SCHEMA, f"Invalid schema: {error}") from None


def _same(versions: Sequence[Version], schema: AvroSchema) -> Version | None:
    for version in versions:
        is_complete = version.kind == "AVRO" and not version.rest.get("references")
        if is_complete and identity_of(version.text) == schema.identity:
            return version
    return None


def _avro_of(versions: Sequence[Version]) -> list[AvroSchema]:
    for version in versions:
        if version.kind != "AVRO" or version.rest.get("references"):
            message = (
                f"{version.subject} has schemas of type {version.kind} or with references, which are only handed on"
            )
            raise RegistryError(Code.INVALID_SCHEMA, message)
    return [_parsed(version.text) for version in versions]


def _versions(state: State, subject: str, *, deleted: bool) -> list[Version]:
    found = state.versions(subject, deleted=deleted)
    if not found:
        raise _no_subject(subject)
    return found


def _version(state: State, subject: str, number: int, *, deleted: bool) -> Version:
    every = _versions(state, subject, deleted=deleted)
    if number == LATEST:
        return every[-1]
    for version in every:
        if version.version == number:
            return version
    raise RegistryError(Code.VERSION_NOT_FOUND, f"Version {number} not found.")


def _no_subject(subject: str) -> RegistryError:
    return RegistryError(Code.SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")


def _not_set(name: str, subject: str) -> RegistryError:
    if name == "CONFIG":
        message = f"Subject '{subject}' does not have subject-level compatibility configured"
        return RegistryError(Code.SUBJECT_HAS_NO_CONFIG, message)
    return RegistryError(Code.SUBJECT_HAS_NO_MODE, f"Subject '{subject}' does not have subject-level mode configured")


def _refuse_read_only(state: State, subject: str) -> None:
    if state.mode(subject) == READ_ONLY:
        raise RegistryError(Code.NOT_PERMITTED, f"Subject {subject or 'of all'} is in read-only mode")
