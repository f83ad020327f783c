"""Where Avro schemas come from: the package's own files, or a schema registry over HTTP.

An unknown id is ``None``: such a record is invalid. A registry that does not answer raises
``SchemaSourceUnavailableError``: nothing is wrong with the record, and the caller retries.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen
from uuid import UUID

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from schemas.topics import load_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

#: A schema that was unknown is asked for again after this long; a producer may have registered it meanwhile.
UNKNOWN_FOR_SECONDS: Final = 30.0
_MAX_ANSWER_BYTES: Final = 4_194_304
_KEPT_LOGICAL_TYPES: Final = frozenset({"decimal"})
_ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json"


class SchemaSourceUnavailableError(Exception):
    """The registry did not answer, or answered with an error of its own. Retryable; never a dead letter."""


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A record schema, ready for reading. ``name`` is the full name; ``parsed`` is fastavro's form.

    Times and dates are read as the integers they are on the wire; decimals are kept.
    """

    name: str
    parsed: Any


class SchemaSource(Protocol):
    """Finds the schema with which a record was written. Both answer ``None`` for an unknown one."""

    def by_id(self, schema_id: int) -> WriterSchema | None:
        """The schema of this id."""
        ...

    def by_guid(self, guid: UUID) -> WriterSchema | None:
        """The schema of this GUID."""
        ...


def parse_schema(text: str) -> WriterSchema | None:
    """The schema of a record, or ``None`` for what is no valid Avro record schema."""
    try:
        plain = without_logical_types(json.loads(text))
        parsed = fastavro.parse_schema(plain)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaParseException, UnknownType):
        return None
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        return None
    return WriterSchema(str(parsed["name"]), parsed)


class LocalSchemas:
    """The schemas of this package under the ids and GUIDs of ``topics/*.yaml``; needs no registry."""

    def __init__(self) -> None:
        self._by_id: dict[int, WriterSchema] = {}
        self._by_guid: dict[UUID, WriterSchema] = {}
        folder = files("schemas") / "avro"
        for topic in load_topics().values():
            for version in topic.schemas:
                schema = parse_schema((folder / version.file).read_text(encoding="utf-8"))
                if schema is None:
                    raise ValueError(f"{version.file}: is no Avro record schema")
                self._by_id[version.id] = self._by_guid[version.guid] = schema

    def by_id(self, schema_id: int) -> WriterSchema | None:
        """The schema of this id."""
        return self._by_id.get(schema_id)

    def by_guid(self, guid: UUID) -> WriterSchema | None:
        """The schema of this GUID."""
        return self._by_guid.get(guid)


class RegistrySchemas:
    """Schemas of a Confluent-compatible registry, fetched once each.

    Blocks while it fetches: once per schema, at most ``timeout`` seconds. A user and password in the URL are sent
    as basic authentication and never appear in a message.
    """

    def __init__(self, url: str, *, timeout: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("schema registry URL must look like http://host:8081")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        netloc = host if parts.port is None else f"{host}:{parts.port}"
        self._base = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": _ACCEPT}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        self._timeout = timeout
        self._clock = clock
        self._known: dict[str, WriterSchema] = {}
        self._unknown: dict[str, float] = {}

    def by_id(self, schema_id: int) -> WriterSchema | None:
        """The schema of this id."""
        return self._get(f"/schemas/ids/{schema_id}")

    def by_guid(self, guid: UUID) -> WriterSchema | None:
        """The schema of this GUID."""
        return self._get(f"/schemas/guids/{guid}")

    def _get(self, path: str) -> WriterSchema | None:
        known = self._known.get(path)
        if known is not None:
            return known
        if self._clock() < self._unknown.get(path, float("-inf")):
            return None
        schema = self._fetch(path)
        if schema is None:
            self._unknown = {p: until for p, until in self._unknown.items() if until > self._clock()}
            self._unknown[path] = self._clock() + UNKNOWN_FOR_SECONDS
            return None
        self._known[path] = schema
        return schema

    def _fetch(self, path: str) -> WriterSchema | None:
        request = Request(self._base + path, headers=self._headers)  # noqa: S310  # scheme checked in the constructor
        try:
            with urlopen(request, timeout=self._timeout) as answer:  # noqa: S310  # same  # nosec B310
                answer_bytes = answer.read(_MAX_ANSWER_BYTES + 1)
        except HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise SchemaSourceUnavailableError(f"{self._base}{path}: HTTP {error.code}") from None
        except (URLError, OSError) as error:
            raise SchemaSourceUnavailableError(f"{self._base}{path}: {error}") from None
        try:
            body = json.loads(answer_bytes)
            text, kind, references = body["schema"], body.get("schemaType", "AVRO"), body.get("references")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SchemaSourceUnavailableError(f"{self._base}{path}: the answer is no schema") from None
        return None if kind != "AVRO" or references or not isinstance(text, str) else parse_schema(text)


def without_logical_types(schema: Any, *, kept: Collection[str] = _KEPT_LOGICAL_TYPES) -> Any:
    """A schema, as ``json`` reads it, with plain types in the place of logical ones but those ``kept``."""
    if isinstance(schema, list):
        return [without_logical_types(part, kept=kept) for part in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {key: value for key, value in schema.items() if key not in ("type", "fields", "items", "values")}
    if bare.get("logicalType") not in kept:
        bare.pop("logicalType", None)
    for key in ("type", "items", "values", "fields"):
        if key in schema:
            bare[key] = without_logical_types(schema[key], kept=kept)
    return bare
