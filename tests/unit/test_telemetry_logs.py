"""Log lines are JSON of the documented form, whatever is logged, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import logs
from telemetry.logs import JsonFormatter
from telemetry.redaction import Redactor
from telemetry.settings import TelemetrySettings
from telemetry.traceparent import CURRENT, TraceParent

SCHEMA = json.loads((files("telemetry") / "log_line.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
SECRETS = ("hunter2-hunter2", 'quo"te\\back', "päßwort-ünïcode")


def record(message: str, *args: Any, error: BaseException | None = None, **more: Any) -> logging.LogRecord:
    exc = None if error is None else (type(error), error, error.__traceback__)
    found = logging.LogRecord("some.module", logging.ERROR, __file__, 1, message, args, exc)
    found.__dict__.update(more)
    return found


def line(found: logging.LogRecord, redactor: Redactor | None = None) -> dict[str, Any]:
    text = JsonFormatter("worker", redactor or Redactor()).format(found)
    assert "\n" not in text
    parsed: dict[str, Any] = json.loads(text)
    VALID.validate(parsed)
    return parsed


texts = st.text(st.characters(codec="utf-8"), max_size=200)


@settings(max_examples=50)
@given(
    message=texts, argument=texts, stack=st.booleans(), fields=st.dictionaries(st.just("rows"), st.integers() | texts)
)
def test_any_text_gives_one_line_of_the_documented_form(
    message: str, argument: str, stack: bool, fields: dict[str, Any]
) -> None:
    error = ValueError(argument) if stack else None
    found = line(record(message.replace("%", "%%") + "%s", argument, error=error, fields=fields))
    assert Redactor()(message + argument) == found["message"]
    assert ("error" in found) is stack


def test_a_line_names_the_trace_of_the_request_and_the_error() -> None:
    token = CURRENT.set(TraceParent(0xABC, 0xDEF, is_sampled=True))
    try:
        try:
            int("x")
        except ValueError as error:
            found = line(record("broken", error=error))
    finally:
        CURRENT.reset(token)
    assert found["trace_id"] == f"{0xABC:032x}"
    assert found["span_id"] == f"{0xDEF:016x}"
    assert found["error"]["type"] == "ValueError"
    assert "int(" in found["error"]["stack"]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "headers={{'authorization': 'Bearer {}'}}",
        "headers=[(b'x-api-key', b'{}')]",
        "X-ClickHouse-Key: {}",
        "cookie: session={}",
        "connect to http://default:{}@clickhouse:8123/ failed",
        "password={} for user",
        '{{"password": "{}"}}',
        "ATTRIBUTION_ERASURE_SECRET={}",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str) -> None:
    """Although nobody told the redactor of it; the rest of the text stays."""
    secret = "kR7-f_x9Zq2LmW0aT4"  # noqa: S105 - made up
    shown = Redactor()(text.format(secret))
    assert secret not in shown
    assert "***" in shown
    assert shown.startswith(text[:5].replace("{{", "{")) or text.startswith("{{")


@settings(max_examples=50)
@given(before=texts, after=texts, secret=st.sampled_from(SECRETS))
def test_secrets_of_the_environment_are_taken_out_wherever_they_are(before: str, after: str, secret: str) -> None:
    environment = {
        "CLICKHOUSE_PASSWORD": SECRETS[0],
        "ATTRIBUTION_ERASURE_SECRET": SECRETS[1],
        "ATTRIBUTION_ACCOUNTS_PEPPER": SECRETS[2],
    }
    redactor = Redactor.of_environment(environment)
    error = RuntimeError(f"{before}{secret}{after}")
    found = line(record("%s", secret + after, error=error, fields={"at": secret}), redactor)
    for secret_ in SECRETS:
        assert secret_ not in json.dumps(found, ensure_ascii=False)
        assert json.dumps(secret_)[1:-1] not in json.dumps(found)


def test_ordinary_lines_are_left_alone() -> None:
    """Offsets, topics, settings that are named in advice."""
    for text in (
        "attribution.touchpoints-3: offset 1047 expected, 1050 received: reading again",
        "raise ATTRIBUTION_ALLOWED_LATENESS_DAYS and send it again",
        "Waiting for ClickHouse; reading pauses, nothing is dropped: http://127.0.0.1:8123: refused",
        "made a key for this machine's administrator in data/accounts/local.key",
        "429 GET /api/v1/runs?token_count=4",
    ):
        assert Redactor.of_environment({"PATH": "/bin", "CLICKHOUSE_PASSWORD": ""})(text) == text


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    hooks = sys.excepthook, threading.excepthook
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    logs.configure("rollups", TelemetrySettings(log_format="json", log_level="warning"))
    yield out
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def test_announcements_and_unexpected_ends_are_lines_too(configured: io.StringIO) -> None:
    logging.getLogger("quiet").info("below the level")
    logs.announce("built 3 days")
    sys.excepthook(OSError, OSError("disk"), None)
    found = [json.loads(text) for text in configured.getvalue().splitlines()]
    for one in found:
        VALID.validate(one)
    assert [(f["level"], f["message"]) for f in found] == [("info", "built 3 days"), ("critical", "ended by OSError")]
    assert found[1]["error"]["message"] == "disk"
