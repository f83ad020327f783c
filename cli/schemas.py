"""``attribution schemas``: the product's Avro schemas in a registry, its own or another."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    import httpx

    from api.registry import Given


def register(app: typer.Typer) -> None:
    """Add ``schemas``."""
    schemas = typer.Typer(help="Avro schemas in a registry.", no_args_is_help=True)
    schemas.command("register")(register_schemas)
    app.add_typer(schemas, name="schemas")


def register_schemas(
    url: Annotated[
        str,
        typer.Option(help="A registry (Confluent, Karapace); user and password in the URL. Default: the API's own."),
    ] = "",
) -> None:
    """Register the product's schemas: in its own registry under the ids of schemas/topics, elsewhere under others."""
    if url:
        for line in _register_there(url):
            print(line)
        return
    found = publish()
    if isinstance(found, str):
        _fail(found)
    print("\n".join(found))


def publish() -> list[str] | str:
    """One line per schema that is in the product's own registry now, or why it cannot be."""
    from api.registry_errors import RegistryError
    from api.registry_log import USUAL_TOPIC
    from api.registry_own import publish_own
    from api.store import Unavailable
    from stream_app.settings import WorkerSettings

    settings = WorkerSettings()
    topic = os.environ.get("ATTRIBUTION_REGISTRY_TOPIC") or USUAL_TOPIC
    try:
        found = publish_own(settings.bootstrap_servers, topic, settings.workspace)
    except RegistryError as error:
        return error.detail
    except Unavailable as error:
        return f"{error.dependency} does not answer: {error.reason}; check KAFKA_BOOTSTRAP_SERVERS"
    return [f"{v.subject}: version {v.version}, id {v.id}" for v in found]


def _register_there(url: str) -> list[str]:
    import httpx

    from api.registry_own import own_schemas
    from stream_app.settings import WorkerSettings

    lines, levelled = [], set()
    try:
        with httpx.Client(base_url=url, timeout=15) as client:
            for given in own_schemas(WorkerSettings().workspace):
                body = _asked(client, "POST", f"/subjects/{given.subject}/versions", {"schema": given.text})
                lines.append(f"{given.subject}: id {body['id']}")
                if given.subject not in levelled:
                    _set_level(client, given)
                    levelled.add(given.subject)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _fail(f"--url: {str(error) or type(error).__name__}; is a registry at {urlsplit(url).hostname}?")
    return lines


def _set_level(client: httpx.Client, given: Given) -> None:
    _asked(client, "PUT", f"/config/{given.subject}", {"compatibility": given.level.value})


def _asked(client: httpx.Client, method: str, path: str, body: dict[str, str]) -> dict[str, object]:
    answer = client.request(method, path, json=body)
    if answer.is_error:
        _fail(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
    found: dict[str, object] = answer.json()
    return found


def _fail(message: str) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(1)
