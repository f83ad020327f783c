"""``attribution login | report | journey | explain | tail`` over the real application: text, ``--json``, exit codes."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from accounts.roles import Role
from cli.__main__ import build_app
from tests.contract import test_client_answers
from tests.contract.test_client_answers import END, START, World

world = test_client_answers.world
DAYS = ("--from", START, "--to", END)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("ATTRIBUTION_API_KEY", "ATTRIBUTION_API_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "attribution" / "login.json"


@pytest.fixture
def served(world: World, config: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The application behind every address, and a key in the environment."""
    assert not config.exists()
    monkeypatch.setattr(
        httpx.HTTPTransport, "handle_request", lambda _, request: world.transport.handle_request(request)
    )
    monkeypatch.setenv("ATTRIBUTION_API_URL", "http://test")
    monkeypatch.setenv("ATTRIBUTION_API_KEY", world.key())
    return world


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(build_app(), words, input=typed)


def test_a_report_as_text_and_as_json(served: World) -> None:
    with served.client() as client:
        report = client.channel_performance(start_date=START, end_date=END, attribution_model="u_shaped")
    text = run("report", "channels", *DAYS, "--model", "position_based")
    assert text.exit_code == 0
    lines = [line.split() for line in text.stdout.splitlines()]
    assert "u_shaped" in lines[0][3]
    assert [" ".join(line[:-6]) for line in lines[2 : 2 + len(report.channels)]] == [c.channel for c in report.channels]
    assert lines[2 + len(report.channels)][2] == f"{report.totals.revenue:,.6f}".rstrip("0")
    found = json.loads(run("report", "channels", *DAYS, "--model", "u_shaped", "--json").stdout)
    assert {c["channel"]: c["revenue_micros"] for c in found["channels"]} == {
        c.channel: c.revenue_micros for c in report.channels
    }
    assert found["meta"]["model"] == "u_shaped"


def test_a_journey_and_an_explanation(served: World) -> None:
    with served.client() as client:
        events = client.customer_journey("c-1").events
    text = run("journey", "c-1", "--models", "linear").stdout
    assert len(text.splitlines()) == len(events) > 10
    assert "linear" in text
    shown = json.loads(run("journey", "c-1", "--limit", "3", "--json").stdout)
    assert [e["event_id"] for e in shown["events"]] == [e.event_id for e in events[:3]]
    text = run("explain", "purchase:o/1").stdout
    for word in ("outside_lookback", "excluded_channel", "linear: ", "first_touch: ", "as stored"):
        assert word in text
    assert "first_touch: " not in run("explain", "purchase:o/1", "--model", "linear").stdout
    found = json.loads(run("explain", "purchase:o/1", "--json").stdout)
    assert sum(s["value_micros"] for s in found["models"][0]["shares"]) == found["value_micros"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("report", "channels", "--model", "lst_touch"), 2, "last_touch"),
        (("report", "channels", "--from", "yesterday"), 2, "start_date"),
        (("report", "channels", "--basis", "x"), 2, "touch_day"),
        (("report", "channels", "--url", "ftp://test"), 2, "https://"),
        (("journey", "nobody"), 1, "nobody"),
        (("journey", ""), 2, "customer_id"),
        (("explain", "nothing"), 1, "nothing"),
        (("explain", "purchase:o/1", "--model", "x"), 2, "first_touch"),
        (("login", "--forget"), 1, "nothing is kept"),
    ],
)
def test_exit_codes_and_ways_out(served: World, words: tuple[str, ...], code: int, says: str) -> None:
    del served
    found = run(*words)
    assert (found.exit_code, says in found.stderr) == (code, True), found.stderr
    assert "Traceback" not in found.output


def test_not_signed_in_not_allowed_and_not_there_are_told_apart(
    served: World, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_API_KEY", "0123456789abcdef.wrong")
    found = run("report", "channels")
    assert (found.exit_code, "attribution login" in found.stderr) == (3, True)
    assert "wrong" not in found.output.replace("are wrong", "")
    monkeypatch.setenv("ATTRIBUTION_API_KEY", served.key(Role.INGESTOR))
    assert run("report", "channels").exit_code == 3

    def refuse(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = run("report", "channels")
    assert (found.exit_code, "http://test" in found.stderr) == (4, True)
    assert not config.exists()


def test_a_key_is_kept_for_its_address_alone_and_forgotten(
    served: World, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = served.key()
    monkeypatch.delenv("ATTRIBUTION_API_KEY")
    assert run("report", "channels").exit_code == 3
    done = run("login", "--url", "http://test/", "--json", typed=f"{key}\n")
    assert (done.exit_code, json.loads(done.stdout)["role"]) == (0, "admin")
    assert key not in done.output
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    monkeypatch.delenv("ATTRIBUTION_API_URL")
    assert run("report", "channels").exit_code == 0
    assert run("report", "channels", "--url", "http://localhost").exit_code == 3
    config.chmod(0o644)
    found = run("report", "channels")
    assert (found.exit_code, f"chmod 600 {config}" in found.stderr) == (2, True)
    config.chmod(0o600)
    assert run("login", "--forget").exit_code == 0
    assert not config.exists()
    assert run("login", "--url", "http://test", typed="0123456789abcdef.wrong\n").exit_code == 3
    assert run("login", "--url", "http://test", typed="\n").exit_code == 2
    assert not config.exists()


def test_a_user_s_session_is_kept_and_ended(served: World, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served.accounts.users.create(
        "eve@example.org", "correct horse battery", role=Role.VIEWER, workspace="default", now=datetime.now(UTC)
    )
    monkeypatch.delenv("ATTRIBUTION_API_KEY")
    assert run("login", "--user", "eve@example.org", typed="wrong\n").exit_code == 3
    done = run("login", "--user", "eve@example.org", typed="correct horse battery\n")
    assert (done.exit_code, "viewer" in done.stdout) == (0, True)
    kept = config.read_text(encoding="utf-8")
    assert "correct horse" not in kept + done.output
    assert run("report", "channels").exit_code == 0
    assert run("login", "--forget").exit_code == 0
    config.write_text(kept, encoding="utf-8")
    config.chmod(0o600)
    assert run("report", "channels").exit_code == 3


def test_no_command_takes_a_secret_as_an_argument() -> None:
    for name in ("login", "report", "journey", "explain", "tail"):
        told = run(name, "--help").stdout
        assert "--password" not in told
        assert "--key" not in told


Stream = Callable[[httpx.HTTPTransport, httpx.Request], httpx.Response]


SOLD: dict[str, Any] = {
    "rev": 3,
    "removed": False,
    "customer_id": "c-1",
    "conversion_type": "purchase",
    "converted_at": "2026-11-24T09:59:00Z",
    "value": 0.1,
    "currency": "USD",
    "run_id": 1,
    "model": "linear",
    "model_version": "9f2c",
    "emitted_at": "2026-11-24T09:59:01Z",
    "credits": [
        {
            "touchpoint_id": "t",
            "channel": "Email",
            "weight": 1.0,
            "value_micros": 100_000,
            "position": 1,
            "touched_at": "2026-11-24T09:00:00Z",
        }
    ],
    "unattributed_value_micros": 0,
}


def streaming(asked: list[str]) -> Stream:
    """Two conversions a connection, the second one cut in the middle the first time."""
    sold = [json.dumps(SOLD | {"conversion_id": f"v{i}", "value_micros": 100_000}) for i in range(6)]
    data = [f"id: {i}\nevent: conversion\ndata: {sold[i]}\n\n" for i in range(6)]

    def answer(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id", ""))
        begin = int(asked[-1]) + 1 if asked[-1] else 0
        body = "".join(data[begin : begin + 2])
        cut = body[:-3] if len(asked) == 1 else body
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=cut.encode())

    return answer


def test_tail_follows_over_broken_connections(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del config
    asked: list[str] = []
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", streaming(asked))
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = run("tail", "--limit", "5", "--json")
    events: list[dict[str, Any]] = [json.loads(line) for line in found.stdout.splitlines()]
    assert [e["id"] for e in events] == ["0", "1", "2", "3", "4"]
    assert [e["data"]["conversion_id"] for e in events] == [f"v{i}" for i in range(5)]
    assert asked == ["", "0", "2"]
    asked.clear()
    found = run("tail", "--since", "2", "--limit", "2")
    line = "2026-11-24 09:59:00  purchase  0.10 USD  {}  rev 3  linear  Email 0.10\n"
    assert found.stdout == line.format("v3") + line.format("v4")
    assert asked[0] == "2"


@pytest.mark.parametrize(("status", "code"), [(403, 3), (404, 1), (503, 4)])
def test_a_stream_that_is_refused_ends_tail(
    config: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    del config
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: httpx.Response(status, json={"title": "No"}))
    monkeypatch.setattr("time.sleep", lambda _: None)
    found = run("tail")
    assert (found.exit_code, "No" in found.stderr) == (code, True)


def test_a_missing_client_is_told_with_the_command(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del config
    monkeypatch.setitem(sys.modules, "attribution_client", None)
    found = run("report", "channels")
    assert (found.exit_code, "pip install ./clients/python" in found.stderr) == (2, True)
