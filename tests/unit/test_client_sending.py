"""``track``, ``conversion`` and ``flush``: nothing is lost, the queue is bounded, an event keeps its id."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_client import AsyncClient, Batching, Client, NotDelivered, QueueFull, Rejected, Retries

Answer = Callable[[str, list[dict[str, Any]]], httpx.Response]


def took(events: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(202, json={"sent": len(events), "accepted": len(events), "rejected": 0, "errors": []})


def transport(answer: Answer) -> httpx.MockTransport:
    """The service's side: the path's last word and the events."""

    def handle(request: httpx.Request) -> httpx.Response:
        raw = request.content
        body = gzip.decompress(raw) if request.headers.get("content-encoding") == "gzip" else raw
        return answer(request.url.path.rsplit("/", 1)[-1], [json.loads(line) for line in body.split(b"\n")])

    return httpx.MockTransport(handle)


def client_of(answer: Answer, batching: Batching | None = None, **more: Any) -> Client:
    # one attempt: what is repeated here is repeated by the queue
    given: dict[str, Any] = {"retries": Retries(attempts=1), "uniform": lambda low, high: min(high, low + 0.001)}
    return Client("http://test", "id.secret", transport=transport(answer), batching=batching, **(given | more))


class Log:
    """Events as the service took them."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.calls: list[int] = []

    def __call__(self, _kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        self.calls.append(len(events))
        self.taken += events
        return took(events)


@settings(max_examples=25)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 0.7]))
def test_every_event_arrives_under_its_own_id_whatever_fails(count: int, most: int, seed: int, share: float) -> None:
    """Refused connections, cut answers after the events were taken, 429, 503: at least once, one id, in order."""
    chance = random.Random(seed)
    log = Log()

    def answer(kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        if chance.random() < share:
            match chance.randrange(4):
                case 0:
                    raise httpx.ConnectError("refused")
                case 1:
                    log(kind, events)
                    raise httpx.ReadError("cut behind the write")
                case 2:
                    return httpx.Response(503, json={"title": "Kafka", "unconfirmed": [[0, 0]]})
                case _:
                    return httpx.Response(429, headers={"Retry-After": "0"})
        return log(kind, events)

    with client_of(answer, Batching(max_events=most, linger_s=0.001)) as client:
        named = [client.track("c", "Email", occurred_at=None) for _ in range(count)]
        assert len(set(named)) == count
    first = list(dict.fromkeys(e["event_id"] for e in log.taken))
    assert first == named
    bodies = {e["event_id"]: e for e in log.taken}
    assert all(bodies[e["event_id"]] == e for e in log.taken), "the same event had two contents"
    assert max(log.calls, default=0) <= most


def test_events_wait_for_each_other_and_a_flush_does_not_wait() -> None:
    log = Log()
    with client_of(log, Batching(linger_s=3_600, max_events=100)) as client:
        for _ in range(99):
            client.track("c")
        assert log.calls == []
        assert client.flush() == (99, 0)
        assert log.calls == [99]
        client.conversion("c", "1.00")
        client.identify("c", "d")
        assert client.flush() == (101, 0)
    assert log.calls == [99, 1, 1]


def test_a_full_queue_refuses_and_a_waiting_caller_goes_on_when_there_is_room() -> None:
    is_open = threading.Event()
    log = Log()

    def answer(kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        assert is_open.wait(20)
        return log(kind, events)

    with client_of(answer, Batching(max_queued=3, linger_s=0, block_s=0)) as client:
        kept = [client.track("c") for _ in range(3)]
        with pytest.raises(QueueFull, match="3 events"):
            client.track("c")
        is_open.set()
        client.flush()
        kept.append(client.track("c"))
    assert [e["event_id"] for e in log.taken] == kept
    is_open.clear()
    threading.Timer(0.05, is_open.set).start()
    with client_of(answer, Batching(max_queued=1, linger_s=0, block_s=20)) as client:
        for _ in range(3):
            client.track("c")
    assert len(log.taken) == 7


def test_the_queue_is_bounded_in_bytes_too() -> None:
    settings_ = Batching(max_queued_bytes=1 << 20, linger_s=3_600, block_s=0)
    with client_of(Log(), settings_) as client:
        client.track("c", campaign="x" * 600_000)
        with pytest.raises(QueueFull):
            client.track("c", campaign="x" * 600_000)
        with pytest.raises(ValueError, match="1048576"):
            client.track("c", campaign="x" * (1 << 20))


def down(_kind: str, _events: list[dict[str, Any]]) -> httpx.Response:
    raise httpx.ConnectError("refused")


def test_what_is_not_delivered_is_told_and_handed_back() -> None:
    client = client_of(down, Batching(linger_s=0, close_s=0.05))
    named = [client.track("c", cost="1.5") for _ in range(5)]
    while client._sender._error is None:  # an attempt has ended
        time.sleep(0.001)
    with pytest.raises(NotDelivered, match=r"5 events.*refused") as left:
        client.flush()
    with pytest.raises(NotDelivered) as left:
        client.close()
    assert [e.event_id for e in left.value.events] == named
    assert json.loads(left.value.events[0].line)["cost"] == "1.5"
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.track("c")


def test_the_block_s_own_error_is_not_hidden_by_what_is_left() -> None:
    def fail(client: Client) -> None:
        with client:
            client.track("c")
            raise KeyError("mine")

    with pytest.raises(KeyError) as own:
        fail(client_of(down, Batching(close_s=0.02, linger_s=0)))
    assert "1 events are not delivered" in own.value.__notes__[0]


def test_a_spool_file_takes_them_and_the_next_client_sends_them(tmp_path: Path) -> None:
    spool = tmp_path / "deep" / "events.spool"
    batching = Batching(linger_s=0, close_s=0.02, spool=spool)
    with client_of(down, batching) as client:
        named = [client.track("c"), client.conversion("c", "1", order_id="ü\n")]
    assert spool.stat().st_mode & 0o777 == 0o600
    with client_of(down, batching) as client:
        named.append(client.track("c"))
    log = Log()
    with client_of(log, batching) as client:
        assert client.flush(20) == (3, 0)
        assert not spool.exists()
    assert Counter(e["event_id"] for e in log.taken) == Counter(named)
    spool.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        client_of(log, batching)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_that_waiting_does_not_mend_ends_a_flush_at_once(status: int) -> None:
    log = Log()
    is_good = threading.Event()

    def answer(kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        return log(kind, events) if is_good.is_set() else httpx.Response(status, json={"title": "no such thing"})

    with client_of(answer, Batching(linger_s=0)) as client:
        named = client.track("c")
        with pytest.raises(NotDelivered, match="no such thing"):
            client.flush(3_600)  # a test has 300 s: it does not wait
        is_good.set()
    assert [e["event_id"] for e in log.taken] == [named], "held meanwhile, and sent when it was mended"


def test_an_attempt_that_began_before_a_flush_does_not_end_it() -> None:
    log = Log()
    has_begun, is_flushing = threading.Event(), threading.Event()

    def answer(kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        if has_begun.is_set():
            return log(kind, events)
        has_begun.set()
        is_flushing.wait(60)
        return httpx.Response(404, json={"title": "no such thing"})

    with client_of(answer, Batching(linger_s=0), uniform=lambda _low, high: high) as client:
        named = client.track("c")
        assert has_begun.wait(60)
        threading.Timer(0.2, is_flushing.set).start()
        assert client.flush(3_600) == (1, 0), "the answer to the attempt before came while the flush waited"
    assert [e["event_id"] for e in log.taken] == [named]


def test_refused_events_are_told_one_by_one_and_never_block_the_others(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Rejected] = []

    def tell(one: Rejected) -> None:
        told.append(one)
        raise RuntimeError("the caller's own fault")

    def answer(_kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        bad = [
            {
                "index": i,
                "line": i + 1,
                "event_id": e["event_id"],
                "field": "currency",
                "reason": "bad_currency",
                "detail": "d",
            }
            for i, e in enumerate(events)
            if e.get("currency") == "x"
        ]
        accepted = len(events) - len(bad)
        return httpx.Response(
            207, json={"sent": len(events), "accepted": accepted, "rejected": len(bad), "errors": bad}
        )

    with client_of(answer, Batching(on_rejected=tell)) as client:
        good = client.track("c", currency="USD", cost=1)
        bad = client.track("secret-customer", currency="x")
        assert client.flush() == (1, 1)
    assert [(r.event.event_id, r.field, r.reason) for r in told] == [(bad, "currency", "bad_currency")]
    assert good != bad
    assert "on_rejected failed" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.DEBUG), client_of(answer) as client:
        client.track("secret-customer", currency="x")
    assert "bad_currency" in caplog.text
    assert "secret-customer" not in caplog.text


@pytest.mark.parametrize(
    "wrong", [{"cost": 0.1}, {"customer_id": ""}, {"properties": {"a": object()}}, {"x": float("nan")}]
)
def test_what_cannot_be_sent_is_refused_where_it_is_made(wrong: dict[str, Any]) -> None:
    with client_of(down, Batching(close_s=0)) as client, pytest.raises((TypeError, ValueError)):
        client.track(**{"customer_id": "c", **wrong})


SCRIPT = """
import sys, httpx, json
from attribution_client import Client, Batching
def handle(request):
    import gzip
    body = request.content
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    with open(sys.argv[1], "ab") as file:
        file.write(body + b"\\n")
    count = body.count(b"\\n") + 1
    return httpx.Response(202, json={"sent": count, "accepted": count, "rejected": 0, "errors": []})
client = Client("http://test", transport=httpx.MockTransport(handle), batching=Batching(linger_s=3600, max_events=70))
for i in range(200):
    client.track("c", event_id=f"e{i}")
raise SystemExit(3)
"""


def test_the_end_of_the_program_delivers_what_is_queued(tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(out)], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 3, done.stderr
    assert [json.loads(line)["event_id"] for line in out.read_bytes().splitlines()] == [f"e{i}" for i in range(200)]
    assert done.stderr == b""


async def test_the_asynchronous_client_never_blocks_its_loop() -> None:
    is_open = threading.Event()
    log = Log()

    def answer(kind: str, events: list[dict[str, Any]]) -> httpx.Response:
        assert is_open.wait(20)
        return log(kind, events)

    batching = Batching(max_queued=2, linger_s=0, block_s=60)
    client = AsyncClient("http://test", background=transport(answer), batching=batching)
    async with client:
        named = [client.track("c"), client.conversion("c", "1")]
        with pytest.raises(QueueFull):
            client.track("c")
        waiting = asyncio.create_task(client.flush())
        await asyncio.sleep(0)
        assert not waiting.done()
        is_open.set()
        assert await waiting == (2, 0)
    assert {e["event_id"] for e in log.taken} == set(named)
