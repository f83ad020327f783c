"""A schema registry: one fetch per schema, unknown is not down, no secret in a message."""

import io
import json
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError
from uuid import UUID

import pytest

from schemas import registry
from schemas.registry import RegistrySchemas, SchemaSourceUnavailableError, parse_schema

RECORD = json.dumps({"type": "record", "name": "a.B", "fields": [{"name": "x", "type": "long"}]})


class FakeRegistry:
    """Stands in for ``urlopen``; answers by path and remembers the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.requests: list[Any] = []

    def __call__(self, request: Any, timeout: float) -> io.BytesIO:
        assert timeout == 5.0
        self.requests.append(request)
        answer = self.answers.get(request.full_url)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise HTTPError(request.full_url, 404, "not found", Message(), io.BytesIO(b'{"error_code":40403}'))
        return io.BytesIO(json.dumps(answer).encode() if isinstance(answer, dict) else answer)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    fake = FakeRegistry()
    monkeypatch.setattr(registry, "urlopen", fake)
    return fake


def test_a_schema_is_fetched_once_by_id_and_by_guid(fake: FakeRegistry) -> None:
    guid = UUID(int=5)
    fake.answers = {f"http://r:8081/schemas/{path}": {"schema": RECORD} for path in ("ids/7", f"guids/{guid}")}
    source = RegistrySchemas("http://r:8081/")
    for _ in range(3):
        by_id, by_guid = source.by_id(7), source.by_guid(guid)
        assert by_id is not None
        assert by_guid is not None
        assert by_id.name == by_guid.name == "a.B"
    assert len(fake.requests) == 2


def test_an_unknown_schema_is_asked_for_again_after_half_a_minute(fake: FakeRegistry) -> None:
    now = [0.0]
    source = RegistrySchemas("http://r", clock=lambda: now[0])
    assert source.by_id(1) is None
    fake.answers["http://r/schemas/ids/1"] = {"schema": RECORD}
    assert source.by_id(1) is None
    now[0] = registry.UNKNOWN_FOR_SECONDS
    assert source.by_id(1) is not None


@pytest.mark.parametrize(
    "trouble",
    [
        URLError("refused"),
        TimeoutError("slow"),
        HTTPError("http://r", 503, "busy", Message(), io.BytesIO()),
        HTTPError("http://r", 401, "who", Message(), io.BytesIO()),
        b"<html>",
        {"nothing": 1},
    ],
    ids=str,
)
def test_trouble_is_retryable_and_is_not_remembered(fake: FakeRegistry, trouble: Any) -> None:
    fake.answers["http://r/schemas/ids/1"] = trouble
    source = RegistrySchemas("http://r")
    with pytest.raises(SchemaSourceUnavailableError, match="http://r/schemas/ids/1"):
        source.by_id(1)
    fake.answers["http://r/schemas/ids/1"] = {"schema": RECORD}
    assert source.by_id(1) is not None


def test_what_is_no_self_contained_avro_record_is_unknown(fake: FakeRegistry) -> None:
    fake.answers = {
        "http://r/schemas/ids/1": {"schema": RECORD, "schemaType": "PROTOBUF"},
        "http://r/schemas/ids/2": {"schema": RECORD, "references": [{"name": "x"}]},
        "http://r/schemas/ids/3": {"schema": '"string"'},
        "http://r/schemas/ids/4": {"schema": '{"type":"record"}'},
    }
    source = RegistrySchemas("http://r")
    assert [source.by_id(i) for i in (1, 2, 3, 4)] == [None] * 4


def test_a_password_is_sent_and_never_shown(fake: FakeRegistry) -> None:
    fake.answers["https://r:1/p/schemas/ids/1"] = URLError("refused")
    source = RegistrySchemas("https://us%40er:s3cret@r:1/p")
    with pytest.raises(SchemaSourceUnavailableError) as caught:
        source.by_id(1)
    assert fake.requests[0].get_header("Authorization") == "Basic dXNAZXI6czNjcmV0"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "r:8081", "file:///etc/passwd", "ftp://r", "http://"])
def test_a_url_of_another_kind_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:8081"):
        RegistrySchemas(url)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"int"', '{"type":"record","name":"A","fields":[{"name":"x","type":"nope"}]}']
)
def test_a_broken_schema_text_is_no_schema(text: str) -> None:
    assert parse_schema(text) is None
