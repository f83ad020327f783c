"""Programs of a deployment, run natively: command, environment and health check with local addresses and paths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Of our environment: what any program on this machine needs.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "OPENBLAS_CORETYPE")


@dataclass(frozen=True)
class Machine:
    """What stands for what: texts of the deployment and of this machine. ``packages`` is where ours are installed."""

    packages: Path
    logs: Path
    places: Mapping[str, str]

    def local(self, text: str) -> str:
        """A text with the addresses and paths of this machine; the longest name first."""
        for there in sorted(self.places, key=len, reverse=True):
            text = text.replace(there, self.places[there])
        return text

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        """The environment of a service, and nothing of ours but where things are."""
        own = {name: self.local(str(value)) for name, value in service.get("environment", {}).items()}
        here = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return here | {"PYTHONPATH": str(self.packages), "PATH": f"{self.packages / 'bin'}:{here['PATH']}"} | own

    def command(self, words: Sequence[str]) -> list[str]:
        """A container's command; ``attribution`` and ``python`` are those of this machine."""
        names = {"python": [sys.executable], "attribution": [sys.executable, "-P", "-m", "cli"]}
        return [*names.get(words[0], [words[0]]), *map(self.local, words[1:])]


@dataclass
class Program:
    """One service of the deployment as a process."""

    name: str
    service: Mapping[str, Any]
    machine: Machine
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def log(self) -> Path:
        """What it says."""
        return self.machine.logs / f"{self.name}.log"

    def run(self, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            self._words(),
            env=self.machine.environment(self.service),
            cwd=self.machine.logs,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self) -> Program:
        """Without waiting."""
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                self._words(), env=self.machine.environment(self.service), cwd=self.machine.logs, stdout=out, stderr=out
            )
        return self

    def is_healthy(self) -> bool:
        """What its health check says."""
        kind, *words = self.service["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", words[0].replace("$$", "$")]
        command = self.machine.command(words)
        environment = self.machine.environment(self.service)
        try:
            checked = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:  # as an engine sees it
            return False
        return checked.returncode == 0

    def wait_until_healthy(self, timeout_s: float = 240) -> None:
        """Until the check succeeds.

        Raises:
            AssertionError: it does not, or the program ends; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_healthy():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not healthy; its log:\n{self.log.read_text()[-3_000:]}")
            time.sleep(0.5)

    def stop(self, timeout_s: float = 40) -> int:
        """As a container is stopped: SIGTERM, and SIGKILL when the time is over. Its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _words(self) -> list[str]:
        entrypoint = list(self.service.get("entrypoint") or ["attribution"])
        return self.machine.command([*entrypoint, *self.service["command"]])
