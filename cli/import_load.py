"""Events of a population as gzip bodies of NDJSON, and connections that post them; for ``attribution bench import``."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from embedded.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadgen.population import Population
    from loadgen.records import Record

PATHS: Final = {"touchpoint": "/api/v1/data/touchpoints", "conversion": "/api/v1/data/conversions"}
#: Events in a call: as many as the API takes.
CALL: Final = 10_000
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TIMEOUT_S: Final = 120.0


class Call(NamedTuple):
    """One request to be sent."""

    path: str
    body: bytes
    events: int


@dataclass(frozen=True, slots=True)
class Sent:
    """How the events went in; CPU is that of the API's process, user and system."""

    events: int
    calls: int
    seconds: float
    cpu_s: float
    slowest_s: float
    bytes_sent: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "events": self.events,
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events / self.seconds),
            "api_cpu_s_per_million": round(self.cpu_s / self.events * 1e6, 2),
            "slowest_call_s": round(self.slowest_s, 3),
            "bytes_sent": self.bytes_sent,
        }


def taken(population: Population, events: int) -> Iterator[Record]:
    """The first ``events`` touchpoints and conversions, in order of arrival."""
    left = events
    for record in population.records():
        if record.kind in PATHS and left:
            left -= 1
            yield record
        if not left:
            return


def calls_of(records: Iterator[Record]) -> Iterator[Call]:
    """Bodies of ``CALL`` events of one kind."""
    open_: dict[str, list[bytes]] = {kind: [] for kind in PATHS}
    for record in records:
        lines = open_[record.kind]
        lines.append(record.value)
        if len(lines) == CALL:
            yield _call(record.kind, lines)
            lines.clear()
    yield from (_call(kind, lines) for kind, lines in open_.items() if lines)


def _call(kind: str, lines: Sequence[bytes]) -> Call:
    return Call(PATHS[kind], gzip.compress(b"\n".join(lines), 1), len(lines))


def send(port: int, pid: int, headers: Mapping[str, str], calls: Sequence[Call], connections: int) -> Sent:
    """Posts all calls over ``connections`` connections, each of which waits for its answer before the next one.

    Raises:
        RuntimeError: an answer was not 202 for all of its events.
    """
    waiting, slowest = iter(calls), [0.0]
    failures: list[Exception] = []
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_S)
        try:
            while not failures:
                with lock:
                    call = next(waiting, None)
                if call is None:
                    return
                began = time.perf_counter()
                _post(connection, headers, call)
                slowest.append(time.perf_counter() - began)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    began, cpu = time.perf_counter(), cpu_seconds(pid)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.perf_counter() - began, cpu_seconds(pid) - cpu
    if failures:
        raise RuntimeError(f"the import failed: {failures[0]}") from failures[0]
    size = sum(len(call.body) for call in calls)
    return Sent(sum(call.events for call in calls), len(calls), seconds, cpu, max(slowest), size)


def _post(connection: http.client.HTTPConnection, headers: Mapping[str, str], call: Call) -> None:
    head = {**headers, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    connection.request("POST", call.path, call.body, head)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.ACCEPTED or json.loads(body)["accepted"] != call.events:
        raise RuntimeError(f"{call.path} was answered with {answer.status}: {body[:500]!r}")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
