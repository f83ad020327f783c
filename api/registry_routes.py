"""``/registry``: the routes of a schema registry, for serializers and tools that speak Confluent's REST API.

Reading needs the scope ``ingest``, writing ``manage``. The protocol is not ours, so these routes are not in
``/openapi.json``; docs/registry.md lists them. Keys come as everywhere, or as the user name of Basic authorization.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from accounts.roles import Role
from api.access import requires
from api.registry import LATEST, Registry
from api.registry_errors import MEDIA_TYPE, PREFIX, Code, RegistryError
from api.registry_records import Version
from api.services import Services

T = TypeVar("T")
Answer = Callable[["Asked"], Any]
_MAX_VERSION: Final = 2**31 - 1
_MAX_SUBJECT: Final = 255


class Asked:
    """A request and its parts, each checked when it is taken."""

    def __init__(self, request: Request, registry: Registry, body: bytes) -> None:
        self._request, self._body, self.registry = request, body, registry

    @property
    def subject(self) -> str:
        """The subject of the path; ``""`` where the path has none."""
        found = str(self._request.path_params.get("subject", ""))
        if len(found) > _MAX_SUBJECT or not (found.isprintable() and not found.startswith(":")):
            raise RegistryError(Code.INVALID_SUBJECT, f"The subject {found[:80]!r} is not a valid one")
        return found

    @property
    def version(self) -> int:
        """The version of the path, ``LATEST`` for the newest."""
        text = str(self._request.path_params["version"])
        if text in {"latest", "-1"}:
            return LATEST
        if text.isascii() and text.isdecimal() and 1 <= int(text[:12]) <= _MAX_VERSION:
            return int(text)
        raise RegistryError(
            Code.INVALID_VERSION,
            f"The specified version '{text[:80]}' is not a valid version id. Allowed values are between [1, 2^31-1] "
            'and the string "latest"',
        )

    @property
    def schema_id(self) -> int:
        """The id of the path."""
        text = str(self._request.path_params["id"])
        if not (text.isascii() and text.isdecimal() and int(text[:12]) <= _MAX_VERSION):
            raise RegistryError(Code.SCHEMA_NOT_FOUND, f"Schema {text[:80]} not found")
        return int(text)

    @property
    def guid(self) -> str:
        """The GUID of the path."""
        return str(self._request.path_params["guid"]).lower()

    def flag(self, name: str) -> bool:
        """A word of the query that says yes."""
        return self._request.query_params.get(name, "").lower() == "true"

    def word(self, name: str) -> str:
        """A word of the query."""
        return self._request.query_params.get(name, "")

    @property
    def body(self) -> dict[str, Any]:
        """The body, a JSON object."""
        try:
            found = json.loads(self._body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise RegistryError(Code.BODY, "The body is not a JSON object")
        return found

    @property
    def schema(self) -> str:
        """The text of the schema in the body: Avro, and complete in itself."""
        body = self.body
        kind, text = body.get("schemaType") or "AVRO", body.get("schema")
        if kind != "AVRO":
            raise RegistryError(Code.INVALID_SCHEMA, f"Invalid schema: type {str(kind)[:80]!r}; AVRO is kept here")
        for name in ("references", "metadata", "ruleSet"):
            if body.get(name):
                raise RegistryError(Code.INVALID_SCHEMA, f"Invalid schema: {name} are not kept here; leave them out")
        if not isinstance(text, str):
            raise RegistryError(Code.BODY, "schema: must be the text of a schema")
        return text

    def setting(self, name: str) -> str:
        """A text in the body, in upper case."""
        found = self.body.get(name)
        if not isinstance(found, str):
            raise RegistryError(Code.BODY, f"{name}: must be a text")
        return found.upper()


def build_routes() -> list[Route]:
    """All of them, below the prefix."""
    read, write = requires(Role.INGESTOR, audited=False), requires(Role.ADMIN)
    subject, version, schema_id = "/subjects/{subject}", "/subjects/{subject}/versions/{version}", "/schemas/ids/{id}"
    table: list[tuple[str, str, Callable[..., Any], Answer]] = [
        ("GET", "", read, lambda _: {}),
        ("GET", "/", read, lambda _: {}),
        ("GET", "/schemas/types", read, lambda _: ["AVRO"]),
        ("GET", "/subjects", read, _subjects),
        ("GET", f"{subject}/versions", read, _versions),
        (
            "POST",
            f"{subject}/versions",
            write,
            lambda asked: shown(asked.registry.register(asked.subject, asked.schema)),
        ),
        ("GET", version, read, lambda asked: shown(_version(asked))),
        ("GET", f"{version}/schema", read, lambda asked: _plain(_version(asked))),
        ("GET", f"{version}/referencedby", read, _nobody),
        ("DELETE", version, write, _delete_version),
        ("POST", subject, read, _lookup),
        ("DELETE", subject, write, _delete_subject),
        ("GET", schema_id, read, lambda asked: _without_place(_by_id(asked)[0])),
        ("GET", f"{schema_id}/schema", read, lambda asked: _plain(_by_id(asked)[0])),
        ("GET", f"{schema_id}/subjects", read, lambda asked: sorted({v.subject for v in _live(asked)})),
        ("GET", f"{schema_id}/versions", read, lambda asked: [_place(v) for v in _live(asked)]),
        ("GET", "/schemas/guids/{guid}", read, lambda asked: _without_place(_by_guid(asked))),
        ("GET", "/schemas/guids/{guid}/ids", read, lambda asked: [{"context": ".", "id": _by_guid(asked).id}]),
        ("POST", f"/compatibility{subject}/versions", read, lambda asked: _compatible(asked, None)),
        ("POST", f"/compatibility{version}", read, lambda asked: _compatible(asked, asked.version)),
    ]
    for path in ("", "/{subject}"):
        table += [
            ("GET", f"/config{path}", read, lambda asked: {"compatibilityLevel": _setting(asked, "CONFIG")}),
            ("PUT", f"/config{path}", write, lambda asked: _set(asked, "CONFIG", "compatibility", "compatibility")),
            ("DELETE", f"/config{path}", write, lambda asked: _unset(asked, "CONFIG", "compatibilityLevel")),
            ("GET", f"/mode{path}", read, lambda asked: {"mode": _setting(asked, "MODE")}),
            ("PUT", f"/mode{path}", write, lambda asked: _set(asked, "MODE", "mode", "mode")),
            ("DELETE", f"/mode{path}", write, lambda asked: _unset(asked, "MODE", "mode")),
        ]
    return [Route(f"{PREFIX}{path}", mark(_endpoint(answer)), methods=[method]) for method, path, mark, answer in table]


def shown(version: Version) -> dict[str, Any]:
    """A version as answers hold it."""
    kind = {} if version.kind == "AVRO" else {"schemaType": version.kind}
    place = {"subject": version.subject, "version": version.version, "id": version.id}
    return {**place, "guid": version.guid, **kind, **version.rest, "schema": version.text}


def _endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        services: Services = request.state.services
        asked = Asked(request, services.registry, await request.body())
        # the threads of intakes: like them it waits for Kafka, and reports must not wait for it
        found = await services.intake(partial(answer, asked))
        return Response(json.dumps(found, separators=(",", ":")), media_type=MEDIA_TYPE)

    return endpoint


def _subjects(asked: Asked) -> list[str]:
    prefix, deleted, only = asked.word("subjectPrefix"), asked.flag("deleted"), asked.flag("deletedOnly")
    found = asked.registry.ask(lambda state: state.subjects(deleted=deleted, only_deleted=only))
    return [name for name in found if name.startswith(prefix)]


def _versions(asked: Asked) -> list[int]:
    subject, deleted, only = asked.subject, asked.flag("deleted"), asked.flag("deletedOnly")
    found = asked.registry.ask(lambda state: state.versions(subject, deleted=deleted or only))
    found = [version for version in found if version.is_deleted or not only]
    if not found:
        raise RegistryError(Code.SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")
    return [version.version for version in found]


def _version(asked: Asked) -> Version:
    return asked.registry.version(asked.subject, asked.version, deleted=asked.flag("deleted"))


def _lookup(asked: Asked) -> dict[str, Any]:
    return shown(asked.registry.lookup(asked.subject, asked.schema, deleted=asked.flag("deleted")))


def _delete_version(asked: Asked) -> int:
    return asked.registry.delete_version(asked.subject, asked.version, permanent=asked.flag("permanent"))


def _delete_subject(asked: Asked) -> list[int]:
    return asked.registry.delete_subject(asked.subject, permanent=asked.flag("permanent"))


def _by_id(asked: Asked) -> list[Version]:
    schema_id = asked.schema_id
    found = asked.registry.find(lambda state: state.places(schema_id))
    if not found:
        raise RegistryError(Code.SCHEMA_NOT_FOUND, f"Schema {schema_id} not found")
    return found


def _live(asked: Asked) -> list[Version]:
    _by_id(asked)
    schema_id = asked.schema_id
    found = asked.registry.ask(lambda state: state.places(schema_id))
    return [version for version in found if not version.is_deleted or asked.flag("deleted")]


def _by_guid(asked: Asked) -> Version:
    guid = asked.guid
    found = asked.registry.find(lambda state: state.by_guid(guid))
    if found is None:
        raise RegistryError(Code.SCHEMA_NOT_FOUND, f"Schema {guid[:80]} not found")
    return found


def _without_place(version: Version) -> dict[str, Any]:
    return {name: content for name, content in shown(version).items() if name not in {"subject", "version", "id"}}


def _plain(version: Version) -> Any:
    """The schema itself: JSON but for one type that is only handed on."""
    return version.text if version.kind == "PROTOBUF" else json.loads(version.text)


def _nobody(asked: Asked) -> list[int]:
    """Schemas here need no others."""
    _version(asked)
    return []


def _place(version: Version) -> dict[str, Any]:
    return {"subject": version.subject, "version": version.version}


def _compatible(asked: Asked, number: int | None) -> dict[str, Any]:
    found = asked.registry.compare(asked.subject, number, asked.schema)
    messages = {"messages": found} if asked.flag("verbose") else {}
    return {"is_compatible": not found, **messages}


def _setting(asked: Asked, name: str) -> str:
    return asked.registry.setting(name, asked.subject, default_to_global=asked.flag("defaultToGlobal"))


def _set(asked: Asked, name: str, taken: str, answered: str) -> dict[str, str]:
    return {answered: asked.registry.set(name, asked.subject, asked.setting(taken))}


def _unset(asked: Asked, name: str, answered: str) -> dict[str, str]:
    return {answered: asked.registry.set(name, asked.subject, None)}
