"""One fault run: a stream of its own, the ledger, the observer, workers restarted as by a supervisor, a verdict."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

from confluent_kafka import KafkaException

from attribution.config import AttributionConfig
from fault_ledger import Ledger
from fault_observer import Observer
from fault_report import Result
from invariants import Watch, final_violations, replay_changes_nothing
from loadgen.config import PopulationConfig
from loadgen.population import Population
from loadgen.records import Record
from stream_harness import Stream

#: 2026-09-01; event times must not be ahead of the broker's clock.
START_US: Final = 1_788_220_800_000_000
SESSION_S: Final = 1.5
MODELS: Final = ("linear", "time_decay", "w_shaped")
#: Bots reach any smaller cap, and the oracle knows none.
MAX_TOUCHPOINTS: Final = 100_000
CONFIG: Final = AttributionConfig(models=MODELS, max_touchpoints=MAX_TOUCHPOINTS)

#: Small epochs, so that faults fall between and into many of them; topics are not aligned, which would only wait.
SMALL: Final = {
    "ATTRIBUTION_DEFAULT_MODELS": ",".join(MODELS),
    "ATTRIBUTION_MAX_TOUCHPOINTS": str(MAX_TOUCHPOINTS),
    "ATTRIBUTION_EPOCH_RECORDS": "150",
    "ATTRIBUTION_EPOCH_LINGER_MS": "20",
    "ATTRIBUTION_FETCH_BYTES": "8192",
    "ATTRIBUTION_ALIGN_TOPICS": "false",
    "ATTRIBUTION_SESSION_TIMEOUT_S": str(SESSION_S),
    "ATTRIBUTION_STATE_CACHE_MB": "8",
}


@cache
def population(count: int, seed: int, customers: int = 600) -> tuple[Record, ...]:
    """Duplicates, disorder, late events, corrections and malformed records, JSON and Avro.

    No journey comes to its cap of touches: what a journey drops there could not be told from what was lost (I6, I7).
    """
    config = PopulationConfig(
        customers=customers,
        duplicates=0.05,
        out_of_order=0.10,
        late=0.05,
        refunds=0.08,
        malformed=0.02,
        max_bot_touches=40,
    )
    return tuple(Population(config, seed=seed, start_at_us=START_US).records(count))


#: ``make_run(fault, name, seed, …)``: the fixture.
MakeRun: TypeAlias = Callable[..., "FaultRun"]


class FaultRun:
    """Everything of one run. ``observer_url``: how the observer reaches ClickHouse when workers go through a proxy."""

    def __init__(
        self, stream: Stream, result: Result, *, program: Sequence[str] = (), observer_url: str | None = None
    ) -> None:
        self.stream, self.result = stream, result
        self.ledger = Ledger()
        self.observer = Observer(stream, url=observer_url)
        self.watch = Watch(self.ledger, self.observer)
        self._program = program or ("-m", "cli", "worker")
        self._env: dict[int, Mapping[str, str]] = {}
        self._began = time.monotonic()
        self._sent = 0
        self._is_closed = False

    def close(self) -> None:
        """End everything; once is enough."""
        if self._is_closed:
            return
        self._is_closed = True
        self.observer.close()
        self.stream.close()

    def top_up(self, records: Sequence[Record], unread: int) -> None:
        """Send the next of ``records`` until so many are unread, so that a fault finds work."""
        missing = unread - self.lag()
        if missing > 0:
            assert self._sent + missing <= len(records), "input is used up"
            self.send(records[self._sent : self._sent + missing])
            self._sent += missing

    def send(self, records: Sequence[Record], *, partitioner: str = "murmur2_random") -> None:
        """Produce, and enter what was acknowledged."""
        self.count("events acknowledged", self.ledger.send(self.stream, records, partitioner=partitioner))

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count of the result; what never happened is not in it."""
        if not number:
            return
        self.result.counts[what] = self.result.counts.get(what, 0) + number

    # -- workers ---------------------------------------------------------------------------------
    def start(self, index: int = 0, *, failpoints: str = "", env: Mapping[str, str] | None = None) -> None:
        """Start a worker; a restart by ``supervise`` keeps ``env`` and drops the failpoints."""
        self._env[index] = env or {}
        armed = {"ATTRIBUTION_FAILPOINTS": failpoints}
        self.stream.start(index, env={**SMALL, **self._env[index], **armed}, program=self._program)

    def wait_dead(self, index: int = 0, timeout: float = 90) -> int:
        """Wait until a worker ends by itself; returns its exit code (minus the signal)."""
        code = self.stream.workers[index].wait(timeout)
        del self.stream.workers[index]
        return code

    def kill(self, index: int = 0) -> None:
        """SIGKILL, without a warning."""
        self.stream.stop(index, signal.SIGKILL)

    def supervise(self) -> int:
        """Restart what has ended; returns how many."""
        dead = [i for i, worker in self.stream.workers.items() if worker.poll() is not None]
        for index in dead:
            self.stream.exits.append(self.stream.workers[index].returncode)
            self.start(index, env=self._env[index])
        return len(dead)

    def lag(self) -> int:
        """Records that are not committed; waits for a broker that has just come back."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.stream.lag()
            except KafkaException:
                assert time.monotonic() < deadline, "the broker does not answer"
                time.sleep(0.2)

    def drain(self, timeout: float = 120) -> None:
        """Supervise until nothing is left to read."""
        deadline = time.monotonic() + timeout
        while lag := self.lag():
            self.count("restarts after a fail-stop", self.supervise())
            assert time.monotonic() < deadline, f"lag {lag} after {timeout} s\n{self.stream.log_tail()}"
            time.sleep(0.1)

    def _drain_a_while(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.lag() and time.monotonic() < deadline:
            self.supervise()
            time.sleep(0.1)

    def wait_in_flight(self, *, below: int, timeout: float = 90) -> None:
        """Supervise until the lag is below a number and work is left: a fault now hits work in flight."""
        deadline = time.monotonic() + timeout
        while (lag := self.lag()) >= below:
            self.supervise()
            assert time.monotonic() < deadline, f"lag {lag} after {timeout} s\n{self.stream.log_tail()}"
            time.sleep(0.02)
        assert lag > 0, "everything was read before the fault: nothing would be proven"

    def epochs(self, index: int = 0) -> int:
        """Epochs that the workers of a number have committed, all lives together."""
        log = self.stream.folder / f"worker-{index}.log"
        return log.read_text().count("Epoch of") if log.exists() else 0

    def wait_for_epochs(self, more: int, index: int = 0, timeout: float = 60) -> None:
        """Wait until a worker has committed so many more epochs."""
        enough, deadline = self.epochs(index) + more, time.monotonic() + timeout
        while self.epochs(index) < enough:
            assert time.monotonic() < deadline, f"worker {index} does nothing\n{self.stream.log_tail()}"
            time.sleep(0.02)

    def stop_all(self) -> list[int]:
        """SIGTERM to every worker; returns exit codes."""
        return [self.stream.stop(index) for index in sorted(self.stream.workers)]

    # -- verdict ---------------------------------------------------------------------------------
    def finish(self, index: int = 0) -> None:
        """A worker reads what is left and is stopped. A control gets 20 s: it may never come to the end (I9)."""
        if index not in self.stream.workers:
            self.start(index)
        if self.result.control:
            self._drain_a_while(20)
            self.stop_all()
            return
        self.drain()
        codes = self.stop_all()
        assert set(codes) == {0}, f"exit codes {codes}\n{self.stream.log_tail()}"

    def judge(self, *, stores: Sequence[int] = (0,), replay: bool = False) -> Result:
        """All invariants that apply, after the workers have stopped; the result is written."""
        result = self.result
        result.violations = final_violations(self.ledger, self.observer, CONFIG, stores=stores, watch=self.watch)
        if replay:
            result.violations["I10"] = replay_changes_nothing(self.observer, self._replay)
        self.count("samples", self.watch.samples)
        result.seconds = round(time.monotonic() - self._began, 1)
        result.write()
        return result

    def _replay(self) -> None:
        self.start(0, env={"ATTRIBUTION_EPOCH_RECORDS": "2000", "ATTRIBUTION_FETCH_BYTES": "262144"})
        self.stream.wait()
        assert self.stream.stop(0) == 0, self.stream.log_tail()
