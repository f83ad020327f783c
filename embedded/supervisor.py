"""The whole product on one machine: parts in order, each with a health check and one checklist line.

Order: kafka, clickhouse, migrate, topics, rollups, workers, api; stopped the other way round. Data and logs live in
one directory, which one stack at a time may use. Start it from the main thread: children die with it (see ``process``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from embedded import broker as kafka
from embedded.clickhouse import ClickHouse, pings
from embedded.ports import choose
from embedded.process import spawn, stop, tail
from embedded.targets import TARGETS_FILE, scrape_targets

if TYPE_CHECKING:
    import subprocess

KAFKA_PORT: Final = 9092
CLICKHOUSE_PORT: Final = 8123
API_PORT: Final = 8000
METRICS_PORT: Final = 9101
PARTITIONS: Final = 4

#: Waits before a part that ended is started again; a part that ran for a minute begins anew.
BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
_HEALTHY_S: Final = 60.0
#: A part that ended more often than this without being healthy between is reported with the end of its log.
FAST_ENDS: Final = 2
#: A worker ends itself after ATTRIBUTION_STOP_TIMEOUT_S, 30 as it comes; only then is it killed.
_GRACE_S: Final = 35.0

#: After SIGTERM; the broker's Java says 143, and what has no handler yet ends by the signal.
_CLEAN_ENDS: Final = frozenset({0, 143, -15})
#: Exit codes of a part that a restart cannot mend: a worker after too many invalid records, or older than its state.
STAYS_STOPPED: Final = frozenset({71, 78})


class StackError(RuntimeError):
    """The stack cannot start; the message has the reason and, for a part, the end of its log."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Where and how large. A port of 0 is the product's usual one, or the next that is free.

    ``metrics_port`` is the roller's; each worker takes the next one. ``ui``: the API's process serves the web UI, too.
    """

    data_dir: Path
    kafka_port: int = 0
    clickhouse_port: int = 0
    api_port: int = 0
    metrics_port: int = 0
    workers: int = 1
    database: str = "attribution"
    ui: bool = False


class Part:
    """One supervised program: how it is started, when it is ready, and its restarts."""

    def __init__(
        self, name: str, start: Callable[[], subprocess.Popen[bytes]], ready: Callable[[], bool], log: Path
    ) -> None:
        self.name, self.log = name, log
        self._start, self.is_ready = start, ready
        self.process: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._started_at = 0.0
        self._again_at = 0.0

    def start(self) -> None:
        """Start it, without waiting."""
        self._started_at = time.monotonic()
        self.process = self._start()

    def wait(self, timeout_s: float) -> float:
        """Wait until it is ready; returns the seconds since its start.

        Raises:
            StackError: it ended, or did not become ready in time.
        """
        while not self.is_ready():
            waited = time.monotonic() - self._started_at
            if self.process is None or self.process.poll() is not None or waited > timeout_s:
                raise StackError(f"{self.name} did not become ready; end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.05)
        return time.monotonic() - self._started_at

    def restart_if_ended(self, report: Callable[[str], None]) -> None:
        """Start it again, after a wait that grows with every end."""
        if self.process is None or self.process.poll() is None:
            return
        if self.process.returncode in STAYS_STOPPED:
            code, end = self.process.returncode, tail(self.log, 3)
            report(f"{self.name}: ended with code {code} and stays stopped; end of {self.log}:\n{end}")
            self.process = None
            return
        now = time.monotonic()
        if not self._again_at:
            if now - self._started_at > _HEALTHY_S:
                self._restarts = 0
            wait = BACKOFF_S[min(self._restarts, len(BACKOFF_S) - 1)]
            self._restarts += 1
            self._again_at = now + wait
            code = self.process.returncode
            again = self._restarts > FAST_ENDS
            end = f"; end of {self.log}:\n{tail(self.log, 5)}" if again else f" ({self.log})"
            how = f", for the {self._restarts}. time in a row" if again else ""
            report(f"{self.name}: ended with code {code}{how}, starting again in {wait:g} s{end}")
        elif now >= self._again_at:
            self._again_at = 0.0
            self.start()
            report(f"{self.name}: started again")

    def stop(self, report: Callable[[str], None], grace_s: float = _GRACE_S) -> None:
        """End it cleanly, or after the grace period not so, which is reported."""
        if self.process is None:
            return
        had_ended = self.process.poll() is not None
        code = stop(self.process, grace_s)
        if not had_ended and code not in _CLEAN_ENDS:
            report(f"{self.name}: did not end cleanly, code {code}; end of {self.log}:\n{tail(self.log, 3)}")
        self.process = None


class Supervisor:
    """The running product; a context manager. ``report`` gets one line per part and per incident."""

    def __init__(self, options: StackOptions, report: Callable[[str], None]) -> None:
        self.options, self._report = options, report
        self._logs = options.data_dir / "logs"
        self._parts: list[Part] = []
        self._workers: dict[str, Path] = {}
        self._states: dict[str, str] = {}
        self._lock: int | None = None
        self.kafka_port = self.clickhouse_port = self.api_port = 0
        self.metrics_ports: dict[str, int] = {}

    @property
    def kafka_bootstrap(self) -> str:
        """``host:port`` of the broker."""
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def clickhouse_url(self) -> str:
        """``http://host:port`` of ClickHouse."""
        return f"http://127.0.0.1:{self.clickhouse_port}"

    @property
    def api_url(self) -> str:
        """``http://host:port`` of the API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def accounts_dir(self) -> Path:
        """Where keys and the audit log of this stack live, unless the environment says so."""
        return Path(os.environ.get("ATTRIBUTION_ACCOUNTS_DIR") or (self.options.data_dir / "accounts").resolve())

    @property
    def environment(self) -> dict[str, str]:
        """Settings that point every program of ours at this stack."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap,
            "CLICKHOUSE_URL": self.clickhouse_url,
            "CLICKHOUSE_DATABASE": self.options.database,
            "ATTRIBUTION_API_PORT": str(self.api_port),
            "ATTRIBUTION_ACCOUNTS_DIR": str(self.accounts_dir),
            "ATTRIBUTION_METRICS_PORT": "0",  # each part has its own
        }

    @property
    def targets_file(self) -> Path:
        """Where Prometheus finds everything that it can scrape here."""
        return self.options.data_dir / TARGETS_FILE

    def start(self) -> None:
        """Start everything; returns when the API answers and the workers own all partitions.

        Raises:
            StackError: another stack uses the directory, or a part does not come up.
            PortTakenError: a port that was named is in use.
        """
        self._take_directory()
        try:
            self._choose_ports()
            self._start_stores()
            self._once("migrate", "migrate")
            self._once("topics", "topics", "create")
            self._start_programs()
        except BaseException:
            self.stop()
            raise

    def poll(self) -> None:
        """Look after the parts; call it about once a second."""
        for part in self._parts:
            part.restart_if_ended(self._report)
        for name, folder in self._workers.items():
            state, why = _state(folder)
            if state and state != self._states.get(name, "ready"):
                self._report(f"{name}: {state}" + (f": {why}" if why else ""))
            self._states[name] = state or self._states.get(name, "ready")

    def stop(self) -> None:
        """Stop all parts, the last started first."""
        while self._parts:
            self._parts.pop().stop(self._report)
        if self._lock is not None:
            with contextlib.suppress(OSError):
                (self.options.data_dir / "stack.json").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_directory(self) -> None:
        data_dir = self.options.data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(data_dir / "stack.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = None
            raise StackError(
                f"another stack uses {data_dir}: stop it with `attribution down --data-dir {data_dir}`, "
                "or give another --data-dir"
            ) from None

    def _choose_ports(self) -> None:
        taken: set[int] = set()
        for name, usual in (("kafka", KAFKA_PORT), ("clickhouse", CLICKHOUSE_PORT), ("api", API_PORT)):
            wanted = getattr(self.options, f"{name}_port")
            port, note = choose(wanted or usual, explicit=bool(wanted), what=name, taken=frozenset(taken))
            if note:
                self._report(note)
            taken.add(port)
            setattr(self, f"{name}_port", port)
        state = {"pid": os.getpid(), "api_url": self.api_url, **self.environment}
        (self.options.data_dir / "stack.json").write_text(json.dumps(state, indent=2) + "\n")
        self._choose_metrics_ports(taken)

    def _choose_metrics_ports(self, taken: set[int]) -> None:
        first = self.options.metrics_port
        for index, name in enumerate(("rollups", *(f"worker-{i}" for i in range(self.options.workers)))):
            wanted = (first or METRICS_PORT) + index
            port, _ = choose(wanted, explicit=bool(first), what=f"metrics of {name}", taken=frozenset(taken))
            taken.add(port)
            self.metrics_ports[name] = port
        places = {"clickhouse": self.clickhouse_port, "api": self.api_port, **self.metrics_ports}
        self.targets_file.write_text(json.dumps(scrape_targets(places), indent=2) + "\n")

    def _start_stores(self) -> None:
        data_dir, port = self.options.data_dir, self.kafka_port
        engine = ClickHouse(data_dir / "clickhouse", port=self.clickhouse_port)
        clickhouse = self._part("clickhouse", lambda: engine.command, lambda: pings(self.clickhouse_port))
        broker = self._part("kafka", lambda: kafka.prepare(data_dir / "kafka", port), lambda: kafka.is_ready(port))
        clickhouse.start()
        broker.start()
        for part, where in ((broker, self.kafka_bootstrap), (clickhouse, self.clickhouse_url)):
            self._report(f"{part.name}: ready in {part.wait(90):.1f} s at {where}")

    def _start_programs(self) -> None:
        rollups = self._program("rollups", ("rollups",), self._metrics_of("rollups"), lambda: True)
        rollups.start()
        self._report("rollups: started")
        workers = []
        for index in range(self.options.workers):
            folder = (self.options.data_dir / f"worker-{index}").resolve()
            for name in ("ready.json", "status.json"):
                (folder / name).unlink(missing_ok=True)
            workers.append(self._worker(index, folder))
        words = ("api", "--ui") if self.options.ui else ("api",)
        replays = {"ATTRIBUTION_API_REPLAY_DIR": str(self.options.data_dir.resolve())}
        api = self._program("api", words, replays, lambda: pings(self.api_port, "/health"))
        for part in (*workers, api):
            part.start()
        self._wait_for_partitions(workers)
        self._report(f"api: ready in {api.wait(60):.1f} s at {self.api_url}")

    def _wait_for_partitions(self, workers: list[Part], timeout_s: float = 120.0) -> None:
        began = time.monotonic()
        folders = [self.options.data_dir / f"worker-{i}" for i in range(len(workers))]
        while sum(len(_served(f) or ()) for f in folders) < PARTITIONS:
            for part in workers:
                if part.process is None or part.process.poll() is not None:
                    raise StackError(f"{part.name} ended; end of {part.log}:\n{tail(part.log)}")
            if time.monotonic() - began > timeout_s:
                raise StackError(f"workers own no partitions; end of {workers[0].log}:\n{tail(workers[0].log)}")
            time.sleep(0.1)
        for part, folder in zip(workers, folders, strict=True):
            owned = ", ".join(map(str, _served(folder) or ())) or "none"
            self._report(f"{part.name}: ready in {time.monotonic() - began:.1f} s, partitions {owned}")

    def _worker(self, index: int, folder: Path) -> Part:
        name = f"worker-{index}"
        env = {"ATTRIBUTION_DATA_DIR": str(folder), **self._metrics_of(name)}
        self._workers[name] = folder
        return self._program(name, ("worker", "--run", "active"), env, lambda: _served(folder) is not None)

    def _metrics_of(self, name: str) -> dict[str, str]:
        return {"ATTRIBUTION_METRICS_PORT": str(self.metrics_ports[name])}

    def _program(self, name: str, words: tuple[str, ...], env: dict[str, str], ready: Callable[[], bool]) -> Part:
        return self._part(name, lambda: [sys.executable, "-P", "-m", "cli", *words], ready, env)

    def _part(
        self, name: str, command: Callable[[], list[str]], ready: Callable[[], bool], env: dict[str, str] | None = None
    ) -> Part:
        log = self._logs / f"{name}.log"
        part = Part(name, lambda: spawn(command(), log=log, env={**self.environment, **(env or {})}), ready, log)
        self._parts.append(part)
        return part

    def _once(self, name: str, *words: str) -> None:
        """Run a program to its end.

        Raises:
            StackError: it failed.
        """
        log = self._logs / f"{name}.log"
        began = time.monotonic()
        process = spawn([sys.executable, "-P", "-m", "cli", *words], log=log, env=self.environment)
        if process.wait(120):
            raise StackError(f"{name} failed; end of {log}:\n{tail(log)}")
        self._report(f"{name}: done in {time.monotonic() - began:.1f} s")


def _state(folder: Path) -> tuple[str, str]:
    """What a worker says of itself, and why it is not ready; empty before it says anything."""
    try:
        found = json.loads((folder / "status.json").read_text())
    except (OSError, ValueError):
        return "", ""
    return str(found["state"]), str(found["why_not"])


def _served(folder: Path) -> list[int] | None:
    """Partitions that a worker says it owns; None while it is not ready."""
    try:
        state = json.loads((folder / "ready.json").read_text())
    except (OSError, ValueError):
        return None
    return list(state["partitions"])
