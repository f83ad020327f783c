"""A closed loop of clients, each with one connection that it keeps, and the latencies that they saw. Times are ms.

A question that one of them gets no answer to in time is recorded as such, without latencies; the next one is asked.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


#: Longest wait for the first answers of all clients.
_FIRST_S: Final = 120.0


class TimedOutError(RuntimeError):
    """There was no answer in time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in milliseconds of ``requests`` requests, and how many of them were answered in a second.

    ``timed_out``: a request was not answered in time; all numbers are 0 then.
    """

    name: str
    requests: int
    p50: float
    p95: float
    p99: float
    per_second: float
    rows_read: int = 0
    timed_out: bool = False


def measure(
    name: str, make_client: Callable[[], AbstractContextManager[Callable[[], None]]], *, clients: int, seconds: float
) -> Measured:
    """Has ``clients`` threads ask again and again.

    Args:
        name: of what is asked.
        make_client: entered in each thread; gives the function that asks once and raises when the answer is wrong, or
            ``TimedOutError`` when there is none.
        clients: how many threads.
        seconds: how long.

    Raises:
        RuntimeError: an answer was wrong; the first one is its cause.
    """
    found: list[list[float]] = [[] for _ in range(clients)]
    failures: list[Exception] = []
    ready = threading.Barrier(clients + 1)

    def work(mine: list[float]) -> None:
        try:
            with make_client() as ask:
                ask()
                ready.wait(_FIRST_S)
                end = time.perf_counter() + seconds
                while (began := time.perf_counter()) < end:
                    ask()
                    mine.append((time.perf_counter() - began) * 1_000)
        except Exception as error:  # noqa: BLE001 - told by the caller's thread
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=work, args=(mine,), daemon=True) for mine in found]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    try:
        ready.wait(_FIRST_S)
        began = time.perf_counter()
    except threading.BrokenBarrierError as error:
        failures.append(error)
    for thread in threads:
        thread.join(seconds + 120)
    took = time.perf_counter() - began
    if failures and all(isinstance(failure, TimedOutError | threading.BrokenBarrierError) for failure in failures):
        return Measured(name, 0, 0.0, 0.0, 0.0, 0.0, timed_out=True)
    if failures:
        raise RuntimeError(f"{name}: {failures[0]}") from failures[0]
    every = sorted(ms for mine in found for ms in mine)
    p50, p95, p99 = (percentiles.at(every, q) for q in (0.5, 0.95, 0.99))
    return Measured(name, len(every), p50, p95, p99, len(every) / took)
