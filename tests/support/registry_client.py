"""Confluent's own registry client over an application in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.common._httpx_compat import Response

from api.app import create_app
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from api.testing_registry import MemorySchemaLog
from app_transport import AppTransport


def record_schema(*fields: dict[str, Any], name: str = "shop.Seen") -> Schema:
    """A record's schema."""
    return Schema(json.dumps({"type": "record", "name": name, "fields": list(fields)}), "AVRO")


class _Session:
    """What the client asks of its HTTP library, whichever of the two it has found."""

    def __init__(self, inner: httpx.Client) -> None:
        self._inner = inner

    def request(self, method: str, *, url: str, headers: Any, content: Any, params: Any) -> Response:
        answer = self._inner.request(method, url, headers=headers, content=content, params=params)
        return Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@contextmanager
def registry_client(log: MemorySchemaLog) -> Iterator[tuple[SchemaRegistryClient, httpx.Client]]:
    """Confluent's client, which keeps what it has seen, and a plain one for what it does not ask."""
    app = create_app(
        ApiSettings(),
        store=MemoryStore(),
        offsets=MemoryOffsets(),
        producer=MemoryProducer(),
        schema_logs=lambda _: log,
    )
    transport = AppTransport(app)
    client = SchemaRegistryClient({"url": "http://test/registry", "max.retries": 0})
    rest: Any = client
    rest._rest_client.session.close()
    with httpx.Client(transport=transport, base_url="http://test/registry") as plain:
        rest._rest_client.session = _Session(plain)
        yield client, plain
    transport.stop()
