"""Load on the API over real keep-alive connections: requests per second, latencies, and the server's CPU per request.

    python bench/calculate.py                                # calculate, 10 touches, 7 models, 8 clients
    python bench/calculate.py --rate 500 --rate 1000         # at fixed rates instead
    python bench/calculate.py --get '/api/v1/analytics/channel-performance' --clients 8
    python bench/calculate.py --tree before=/tmp/before --tree after=. --rounds 3 --json figures.json

Without ``--url`` each source tree (default: this one) starts ``attribution api`` as one process with the environment of
this one, and trees take turns (A B A B). With ``--url`` and ``--pid`` a server that runs already is measured.

Closed loop (``--clients N``): each of N connections sends its next request when it has its answer. Open loop
(``--rate R``): requests are due at fixed times, whether the server keeps up or not; a latency is counted from the time
at which its request was due, so that a server that stalls cannot hide it (no coordinated omission). One request is on
a connection at a time. The client counts none of its own work: CPU is user and system time of the server's process
from ``/proc/<pid>/stat`` over the window, divided by the answers in it; with ``--engine-pid`` that of the ClickHouse
engine, too. Any answer but 200 ends the run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import uvloop

from cli import percentiles
from cli.local_key import local_key
from embedded.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

CALCULATE: Final = "/api/v1/attribution/calculate"
MODELS: Final = ("first_touch", "last_touch", "last_non_direct", "linear", "time_decay", "u_shaped", "w_shaped")
CHANNELS: Final = ("Paid Search", "Email", "Direct", "Display", "Paid Social")
TICKS: Final = os.sysconf("SC_CLK_TCK")


def calculate_body(touches: int, models: tuple[str, ...]) -> bytes:
    """A body of ``calculate`` with every optional field of a touchpoint."""
    body = {
        "customer_id": "customer-000042",
        "touchpoints": [
            {
                "id": f"touchpoint-{i:06}",
                "timestamp": f"2026-11-{1 + i % 20:02}T09:{i % 60:02}:00Z",
                "channel": CHANNELS[i % len(CHANNELS)],
                "campaign": f"campaign-{i % 7}",
                "cost": 0.35,
            }
            for i in range(touches)
        ],
        "conversion": {"timestamp": "2026-11-24T08:00:00Z", "value": 129.9},
        "models": list(models),
        "currency": "USD",
    }
    return json.dumps(body).encode()


def request_bytes(host: str, path: str, body: bytes | None, key: str = "") -> bytes:
    """The request as it goes over the wire."""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
    head += f"X-API-Key: {key}\r\n" if key else ""
    if body is None:
        return f"{head}\r\n".encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Load:
    """One window of requests: when they are due, and what came of them."""

    requests: Iterator[bytes]
    rate: float | None
    ends: float = 0.0
    latencies: list[float] = field(default_factory=list)
    idle: deque[Connection] = field(default_factory=deque)
    due: deque[float] = field(default_factory=deque)
    failure: str = ""

    def ready(self, connection: Connection) -> None:
        """A connection may send: at once in a closed loop, else what has waited longest."""
        now = time.perf_counter()
        if self.rate is None:
            if now < self.ends:
                connection.send(now)
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.idle.append(connection)

    def send_due(self, at: float) -> None:
        """A request is due: on an idle connection, or it waits for one, its clock running."""
        if self.idle:
            self.idle.popleft().send(at)
        else:
            self.due.append(at)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, load: Load) -> None:
        self._load, self._sent_at, self._buffer, self._missing = load, 0.0, b"", -1
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """A server that closes a connection with a request on it has failed."""
        if self._sent_at:
            self._load.failure = self._load.failure or f"the server closed a connection: {error}"

    def send(self, due_at: float) -> None:
        """Send the next request, which was due then."""
        self._sent_at = due_at
        self._transport.write(next(self._load.requests))

    def data_received(self, data: bytes) -> None:
        """Count an answer when its last byte is here."""
        if self._missing < 0:
            self._buffer += data
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self._load.failure = self._buffer[:500].decode(errors="replace")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._buffer, self._missing = b"", int(length) - len(rest)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._load.latencies.append(time.perf_counter() - self._sent_at)
            self._sent_at = 0.0
            self._load.ready(self)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


@dataclass
class Figures:
    """What one window showed. Latencies are milliseconds, CPU microseconds per answer."""

    tree: str
    load: str
    requests: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    server_cpu_us: float
    engine_cpu_us: float
    unsent: int


async def _connect(load: Load, where: tuple[str, int] | str) -> Connection:
    loop = asyncio.get_running_loop()
    if isinstance(where, str):
        return (await loop.create_unix_connection(lambda: Connection(load), where))[1]
    return (await loop.create_connection(lambda: Connection(load), *where))[1]


async def drive(
    tree: str,
    where: tuple[str, int] | str,
    requests: list[bytes],
    load_of: tuple[int, float | None],
    seconds: float,
    pids: tuple[int | None, int | None],
) -> Figures:
    """One window on one server, at a host and port or at a path of this machine."""
    clients, rate = load_of
    load = Load(cycle(requests), rate)
    connections = [await _connect(load, where) for _ in range(clients)]
    before, started = [cpu_s(pid) for pid in pids], time.perf_counter()
    load.ends = started + seconds
    for connection in connections:
        load.ready(connection)
    if rate is None:
        await asyncio.sleep(seconds)
    else:
        await pace(load, rate, started)
    elapsed = time.perf_counter() - started
    used, unsent = [cpu_s(pid) - was for pid, was in zip(pids, before, strict=True)], len(load.due)
    answered = len(load.latencies)
    for connection in connections:
        connection.close()
    if load.failure or not answered:
        raise SystemExit(f"{tree}: {load.failure or 'no answer at all'}")
    found = sorted(load.latencies[:answered])
    p50, p95, p99, worst = (round(1_000 * percentiles.at(found, q), 2) for q in (0.5, 0.95, 0.99, 1))
    name = f"{clients} clients" if rate is None else f"{rate:g}/s due"
    return Figures(
        tree=tree,
        load=name,
        requests=answered,
        per_second=round(answered / elapsed, 1),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=worst,
        server_cpu_us=round(1e6 * used[0] / answered, 1),
        engine_cpu_us=round(1e6 * used[1] / answered, 1),
        unsent=unsent,
    )


async def pace(load: Load, rate: float, started: float) -> None:
    """Make requests due at their times until the window ends; what is late is sent at once, with its own due time."""
    sent = 0
    while (now := time.perf_counter()) < load.ends:
        while (at := started + sent / rate) <= now:
            load.send_due(at)
            sent += 1
        await asyncio.sleep(max(0.0005, at - now))


def cpu_s(pid: int | None) -> float:
    """User and system time of a process with all its threads."""
    if pid is None:
        return 0.0
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


@contextmanager
def server(tree: Path) -> Iterator[tuple[tuple[str, int], int, str]]:
    """``attribution api`` of a source tree on a free port: where it listens, its process, and its key if it has one."""
    where = (LOOPBACK, free_port())
    accounts = Path(tempfile.mkdtemp(prefix="calculate-accounts-"))
    environment = os.environ | {
        "PYTHONPATH": str(tree.resolve()),
        "ATTRIBUTION_ACCOUNTS_DIR": str(accounts),
        "ATTRIBUTION_API_RATE_LIMIT": os.environ.get("ATTRIBUTION_API_RATE_LIMIT", "1000000/second"),
    }
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", str(where[1])]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, env=environment, cwd=tree, stderr=log) as process:
        try:
            wait_for(where, process)
            yield where, process.pid, local_key(accounts)
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(accounts, ignore_errors=True)


def wait_for(where: tuple[str, int], process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens."""
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the server ended early; start it by hand to see why: attribution api")
        try:
            socket.create_connection(where, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing listens at {where}")


def measure(tree: str, where: tuple[str, int], pid: int | None, asked: argparse.Namespace, key: str) -> list[Figures]:
    """All windows on one server, after a warm-up."""
    host = f"{where[0]}:{where[1]}"
    body = calculate_body(asked.touches, tuple(asked.models.split(",")))
    requests = [request_bytes(host, path, None, key) for path in asked.get]
    requests = requests or [request_bytes(host, CALCULATE, body, key)]
    closed: list[tuple[int, float | None]] = [(n, None) for n in asked.clients or ([] if asked.rate else [8])]
    loads = closed + [(asked.connections, r) for r in asked.rate]
    pids = (pid, asked.engine_pid)
    uvloop.run(drive(tree, where, requests, (4, None), asked.warm_up, pids))
    return [uvloop.run(drive(tree, where, requests, load, asked.seconds, pids)) for load in loads]


def show(rows: list[Figures]) -> None:
    """The table, medians of the rounds by tree and load."""
    print(
        f"{'tree':<10}{'load':<14}{'answers/s':>10}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'max':>9}{'CPU us':>9}"
        f"{'engine':>9}{'unsent':>8}"
    )
    for key in dict.fromkeys((r.tree, r.load) for r in rows):
        same = [r for r in rows if (r.tree, r.load) == key]
        names = ("per_second", "p50_ms", "p95_ms", "p99_ms", "max_ms", "server_cpu_us", "engine_cpu_us", "unsent")
        middle = [statistics.median(getattr(r, name) for r in same) for name in names]
        cells = "".join(
            f"{value:>{width}.{digits}f}"
            for value, width, digits in zip(middle, (10, 9, 9, 9, 9, 9, 9, 8), (0, 2, 2, 2, 2, 0, 0, 0), strict=True)
        )
        print(f"{key[0]:<10}{key[1]:<14}{cells}")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tree", action="append", default=[], help="name=folder of a source tree; repeat to compare")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--key", default="", help="its API key")
    parser.add_argument("--pid", type=int, help="its process, for CPU")
    parser.add_argument("--engine-pid", type=int, help="the ClickHouse engine, for its CPU")
    parser.add_argument(
        "--get", action="append", default=[], help="path with query of a GET, repeat to take turns; left out: calculate"
    )
    parser.add_argument("--touches", type=int, default=10)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--clients", type=int, action="append", default=[], help="closed loop with so many clients")
    parser.add_argument("--rate", type=float, action="append", default=[], help="open loop, requests per second")
    parser.add_argument("--connections", type=int, default=32, help="connections of an open loop")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="where to store the figures")
    return parser.parse_args()


def main() -> None:
    """Measure, print, store."""
    asked = arguments()
    rows: list[Figures] = []
    if asked.url:
        parts = urlsplit(asked.url)
        for _ in range(asked.rounds):
            rows += measure("server", (parts.hostname or "127.0.0.1", parts.port or 80), asked.pid, asked, asked.key)
    else:
        trees = [text.partition("=")[::2] for text in asked.tree or ["here=."]]
        for _ in range(asked.rounds):
            for name, folder in trees:
                with server(Path(folder)) as (where, pid, key):
                    rows += measure(name, where, pid, asked, key)
    show(rows)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(r) for r in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
