"""Records of the registry's topic, in the format of Confluent's: keys and values are JSON, one kind by ``keytype``.

A schema's key is ``{"keytype":"SCHEMA","subject":…,"version":…,"magic":1}``. Compaction compares bytes, so keys are
written in this order of members, without blanks, as Confluent and Karapace write them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from hashlib import md5
from typing import Any, Final, NamedTuple, TypeAlias

#: What does not change anything; the last record of every write, see ``registry_log``.
NOOP_KEY: Final = b'{"keytype":"NOOP","magic":0}'


class Version(NamedTuple):
    """One version of a subject. ``guid`` is a UUID in text, ``text`` the schema.

    ``kind`` and ``rest`` (references, metadata, rules) keep what another registry wrote and this one only hands on.
    """

    subject: str
    version: int
    id: int
    guid: str
    text: str
    is_deleted: bool = False
    kind: str = "AVRO"
    rest: Mapping[str, Any] = {}


class SchemaChange(NamedTuple):
    """A version is there, or (``value`` None) gone for good."""

    subject: str
    version: int
    value: Version | None


class SubjectDeleted(NamedTuple):
    """All versions of a subject up to ``version`` are deleted; their schemas stay readable by id."""

    subject: str
    version: int


class Setting(NamedTuple):
    """The compatibility level or the mode (``name``) of a subject, or of all (``""``); None: no longer set."""

    name: str
    subject: str
    value: str | None


Change: TypeAlias = SchemaChange | SubjectDeleted | Setting
Record: TypeAlias = tuple[bytes, bytes | None]

_OURS: Final = frozenset({"subject", "version", "id", "guid", "schema", "deleted", "schemaType"})
_FIELDS: Final = {"CONFIG": "compatibilityLevel", "MODE": "mode"}


def record_of(change: Change) -> Record:
    """Key and value of a change."""
    match change:
        case SchemaChange(subject, version, value):
            key = {"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1}
            return _json(key), None if value is None else _json(_stored(value))
        case SubjectDeleted(subject, version):
            key = {"keytype": "DELETE_SUBJECT", "subject": subject, "magic": 0}
            return _json(key), _json({"subject": subject, "version": version})
        case Setting(name, subject, content):
            key = {"keytype": name, "subject": subject or None, "magic": 0}
            body = {"subject": subject} if subject else {}
            return _json(key), None if content is None else _json({**body, _FIELDS[name]: content})
    raise TypeError(f"{change!r} is no change")


def change_of(key: bytes | None, value: bytes | None) -> Change | None:
    """What a record says; None for what another registry wrote and this one has no use for.

    Raises:
        ValueError: the record cannot be read.
    """
    try:
        head = json.loads(key or b"null")
        kind, subject = head["keytype"], head.get("subject") or ""
        body = None if value is None else json.loads(value)
        if kind == "SCHEMA":
            version = int(head["version"])
            return SchemaChange(subject, version, None if body is None else _read(subject, version, body))
        if kind == "DELETE_SUBJECT":
            return None if body is None else SubjectDeleted(str(body["subject"]), int(body["version"]))
        if kind in _FIELDS:
            content = None if body is None else body.get(_FIELDS[kind])
            return Setting(kind, subject, None if content is None else str(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{str(key)[:200]}: {type(error).__name__} {error}") from None
    return None


def guid_of(text: str) -> str:
    """The GUID of a schema that was registered without one: from its text, so that every process finds the same."""
    return str(uuid.UUID(bytes=md5(text.encode(), usedforsecurity=False).digest()))


def _stored(version: Version) -> dict[str, Any]:
    kind = {} if version.kind == "AVRO" else {"schemaType": version.kind}
    return {
        **version.rest,
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "guid": version.guid,
        **kind,
        "schema": version.text,
        "deleted": version.is_deleted,
    }


def _read(subject: str, version: int, body: dict[str, Any]) -> Version:
    text = str(body["schema"])
    return Version(
        subject,
        version,
        int(body["id"]),
        str(body.get("guid") or guid_of(text)),
        text,
        bool(body.get("deleted", False)),
        str(body.get("schemaType") or "AVRO"),
        {name: content for name, content in body.items() if name not in _OURS},
    )


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
