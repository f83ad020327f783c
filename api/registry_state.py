"""What a registry knows: the records of its topic, applied in order. Pure; reads never change it.

A soft-deleted version keeps its place and is readable by id, since old records still name it. An id means one schema
for good: a record that would give it another is left out, as Confluent's registry does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from api.registry_records import Change, SchemaChange, Setting, SubjectDeleted, Version
from schemas.compatibility import Level

#: What holds where nothing is set: replays read every version of a schema.
USUAL_LEVEL: Final = Level.BACKWARD_TRANSITIVE
READ_WRITE: Final = "READWRITE"
READ_ONLY: Final = "READONLY"


class State:
    """Subjects, versions, ids, levels and modes."""

    def __init__(self) -> None:
        self._subjects: dict[str, dict[int, Version]] = {}
        self._places: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)
        self._by_guid: dict[str, int] = {}
        self._settings: dict[tuple[str, str], str] = {}
        self.newest_id = 0

    def apply(self, change: Change) -> None:
        """Take in one record."""
        match change:
            case SchemaChange(subject, version, None):
                self._remove(subject, version)
            case SchemaChange(subject, version, Version() as value):
                self._put(subject, version, value)
            case SubjectDeleted(subject, last):
                for version, value in self._subjects.get(subject, {}).items():
                    if version <= last:
                        self._subjects[subject][version] = value._replace(is_deleted=True)
            case Setting(name, subject, None):
                self._settings.pop((name, subject), None)
            case Setting(name, subject, str() as value):
                self._settings[name, subject] = value

    def _put(self, subject: str, version: int, value: Version) -> None:
        holder = self.by_id(value.id)
        if holder is not None and holder.text != value.text:
            return
        self._remove(subject, version)
        self._subjects.setdefault(subject, {})[version] = value
        self._places[value.id].add((subject, version))
        self._by_guid[value.guid] = value.id
        self.newest_id = max(self.newest_id, value.id)

    def _remove(self, subject: str, version: int) -> None:
        versions = self._subjects.get(subject, {})
        old = versions.pop(version, None)
        if old is None:
            return
        if not versions:
            del self._subjects[subject]
        places = self._places[old.id]
        places.discard((subject, version))
        if not places:
            del self._places[old.id]
            self._by_guid.pop(old.guid, None)

    def subjects(self, *, deleted: bool = False, only_deleted: bool = False) -> list[str]:
        """Names, sorted; those with nothing but deleted versions on demand."""
        found = []
        for name, versions in self._subjects.items():
            is_live = any(not v.is_deleted for v in versions.values())
            if (is_live and not only_deleted) or (not is_live and (deleted or only_deleted)):
                found.append(name)
        return sorted(found)

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Versions of a subject, oldest first; empty where there are none."""
        found = self._subjects.get(subject, {})
        return [found[number] for number in sorted(found) if deleted or not found[number].is_deleted]

    def by_id(self, schema_id: int) -> Version | None:
        """A version that has this id."""
        if schema_id not in self._places:
            return None
        subject, version = min(self._places[schema_id])
        return self._subjects[subject][version]

    def by_guid(self, guid: str) -> Version | None:
        """A version that has this GUID."""
        schema_id = self._by_guid.get(guid)
        return None if schema_id is None else self.by_id(schema_id)

    def places(self, schema_id: int) -> list[Version]:
        """Every version that has this id, deleted ones too."""
        return [self._subjects[subject][version] for subject, version in sorted(self._places.get(schema_id, ()))]

    def every(self) -> Iterator[Version]:
        """Every version of every subject, deleted ones too."""
        for versions in self._subjects.values():
            yield from versions.values()

    def setting(self, name: str, subject: str = "") -> str | None:
        """A level (``CONFIG``) or mode (``MODE``) that is set for this subject itself."""
        return self._settings.get((name, subject))

    def level(self, subject: str) -> Level:
        """The level that holds for a subject."""
        for owner in (subject, ""):
            found = self.setting("CONFIG", owner)
            if found is not None and found in Level.__members__:
                return Level(found)
        return USUAL_LEVEL

    def mode(self, subject: str) -> str:
        """The mode that holds for a subject."""
        return self.setting("MODE", subject) or self.setting("MODE") or READ_WRITE
