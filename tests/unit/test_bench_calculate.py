"""The load client: it counts from when a request was due, counts every answer once, and stops at a wrong one."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import pytest

from bench.calculate import Load, calculate_body, cpu_s, drive, request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def serving(answer: Callable[[int], bytes], gate: asyncio.Event) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers the n-th request, in several pieces, when the gate is open."""
    seen: list[str] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head.decode().split()[1])
                await gate.wait()
                whole = answer(len(seen))
                for piece in (whole[:20], whole[20:]):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.start_unix_server(serve, f"{folder}/socket")
        try:
            yield f"{folder}/socket", seen
        finally:
            server.close()
            for writer in writers:
                writer.close()
            await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)


async def test_every_answer_counts_once_and_questions_take_turns() -> None:
    gate = asyncio.Event()
    gate.set()
    requests = [request_bytes("h", path, None) for path in ("/a", "/b", "/c")]
    async with serving(lambda _: OK, gate) as (where, seen):
        found = await drive("t", where, requests, (2, None), 0.2, (os.getpid(), None))
    assert 0 <= len(seen) - found.requests <= 2  # those on the way when the window ended
    assert seen[:6] == ["/a", "/b", "/c", "/a", "/b", "/c"] or sorted(seen[:6]) == ["/a", "/a", "/b", "/b", "/c", "/c"]
    assert found.p50_ms <= found.p95_ms <= found.p99_ms <= found.max_ms
    assert found.engine_cpu_us == 0


async def test_a_stall_of_the_server_is_in_the_latencies_of_all_that_were_due() -> None:
    """One connection, a gate that stays shut: what waits for the connection has its clock running."""
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, gate.set)
    async with serving(lambda _: OK, gate) as (where, _):
        found = await drive("t", where, [request_bytes("h", "/", None)], (1, 100.0), 0.6, (None, None))
    assert found.requests + found.unsent >= 50
    assert found.max_ms >= 250
    assert found.p95_ms >= 200  # 30 of 60 were due while the gate was shut: not one long answer, but many


async def test_a_wrong_answer_ends_the_run() -> None:
    gate = asyncio.Event()
    gate.set()

    def answer(n: int) -> bytes:
        return OK if n < 5 else b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n"

    async with serving(answer, gate) as (where, _):
        with pytest.raises(SystemExit, match="422"):
            await drive("t", where, [request_bytes("h", "/", None)], (1, None), 0.1, (None, None))


def test_what_waits_longest_is_sent_first() -> None:
    load = Load(cycle([b""]), 1.0, due=deque([1.0, 2.0]))
    sent: list[float] = []

    class Stub:
        def send(self, due_at: float) -> None:
            sent.append(due_at)

    stub: Any = Stub()
    for _ in range(3):
        load.ready(stub)
    load.send_due(3.0)
    assert sent == [1.0, 2.0, 3.0]


def test_cpu_is_that_of_the_process() -> None:
    assert 0 < cpu_s(os.getpid()) <= sum(os.times()[:2]) + 1
    assert cpu_s(None) == 0


def test_the_body_is_one_that_the_api_reads_the_quick_way() -> None:
    from api.question import read  # noqa: PLC0415 - the one thing that ties the two

    asked = read(calculate_body(10, ("linear",)))
    assert asked is not None
    assert len(asked.touches) == 10
