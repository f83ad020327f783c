"""A folder as a reader of the pages has it: ``attribution up`` over ``data``, the programs, files for the commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from doc_blocks import ROOT, Block
from embedded.ports import free_port

#: The stack is the test's own, not one that the environment names.
_OWN = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLICKHOUSE_", "ATTRIBUTION_"))}
_START_S = 120
#: What a shell says of a program that Ctrl-C has ended, unless it ended in order.
_INTERRUPTED = 130


@dataclass(frozen=True)
class Stack:
    """The running stack: its folder, and what the commands of the pages find in their environment."""

    folder: Path
    environment: Mapping[str, str]
    api_url: str
    clickhouse_url: str
    key: str

    def localised(self, text: str) -> str:
        """The text with the usual addresses replaced by those of this stack."""
        here = {
            "8000": self.api_url.removeprefix("http://"),
            "9092": self.environment["KAFKA_BOOTSTRAP_SERVERS"],
            "8123": self.clickhouse_url.removeprefix("http://"),
        }
        return re.sub(r"\b(?:localhost|127\.0\.0\.1):(8000|9092|8123)\b", lambda m: here[m[1]], text)

    def run(self, blocks: Sequence[Block], samples: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the blocks as one script that ends at the first failure: commands, Python programs and SQL, in order.

        Args:
            blocks: shell blocks with ``run: Ctrl-C after N s`` are interrupted after N seconds.
            samples: ids of this stack for those that the pages print.
        """
        script = ["set -euo pipefail", "PS4='$ '", "set -x"]
        for number, block in enumerate(blocks):
            script += self._lines(block, self.folder / f"{Path(block.page).stem}-{number}.{block.language}")
        text = self.localised("\n".join(script))
        for sample, own in samples.items():
            text = text.replace(sample, own)
        return self.call("bash", "-c", text)

    def _lines(self, block: Block, file: Path) -> list[str]:
        """Lines of shell that run a block."""
        if block.is_shell:
            seconds = re.fullmatch(r"Ctrl-C after (\d+) s", block.run)
            if block.run and not seconds:
                raise ValueError(f"{block.page}:{block.line}: say `run: Ctrl-C after N s`, not {block.run!r}")
            return [interrupted(c, int(seconds[1])) if seconds else c for c in block.commands]
        file.write_text(self.localised(block.text), encoding="utf-8")
        if block.language == "python":
            return [f"python -W error {file}"]
        return [f"curl -s --data-binary @{file} '{self.clickhouse_url}/?database=attribution'"]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the folder."""
        return subprocess.run(
            words, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, timeout=240, check=False
        )

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """Ask the API as the administrator."""
        return httpx.get(f"{self.api_url}{path}", params=query, headers={"X-API-Key": self.key}, timeout=20)


def interrupted(command: str, seconds: int) -> str:
    """The command, ended by Ctrl-C after some seconds; any end but an orderly one is a failure.

    On a busy machine Ctrl-C may meet a program that is still importing its packages, so it has a second, longer try.
    """
    plain = command.partition(" #")[0]
    tries = [f"timeout --signal=INT --preserve-status --kill-after=30 {s} {plain}" for s in (seconds, 6 * seconds)]
    return " || ".join(f"{attempt} || [ $? = {_INTERRUPTED} ]" for attempt in tries)


@contextmanager
def local_stack(folder: Path) -> Iterator[Stack]:
    """Start ``attribution up`` in the folder and stop it.

    Raises:
        RuntimeError: it did not start; with its output.
    """
    log = folder / "up.log"
    ports = {name: str(free_port()) for name in ("kafka", "clickhouse", "api")}
    options = [word for name, port in ports.items() for word in (f"--{name}-port", port)]
    environment = _OWN | {
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(ROOT), str(ROOT / "clients/python"), os.environ.get("PYTHONPATH")])
        )
    }
    command = [sys.executable, "-P", "-m", "cli", "up", *options]
    with log.open("wb") as out, subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as up:
        try:
            _wait(up, log)
            yield _stack(folder, environment, json.loads((folder / "data" / "stack.json").read_text()))
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(90)


def _wait(up: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_S
    while "\nready" not in log.read_text(encoding="utf-8"):
        if up.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the stack did not start:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.1)


def _stack(folder: Path, environment: Mapping[str, str], state: Mapping[str, str]) -> Stack:
    key = (folder / "data" / "accounts" / "local.key").read_text(encoding="utf-8").strip()
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    _program(programs / "attribution", f'exec {sys.executable} -P -m cli "$@"')
    _program(programs / "python", f'exec {sys.executable} "$@"')
    _program(programs / "curl", 'exec /usr/bin/env -i /usr/bin/curl --fail-with-body --show-error --max-time 20 "$@"')
    _files(folder)
    names = ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL")
    return Stack(
        folder,
        dict(environment)
        | {name: state[name] for name in names}
        | {
            "ATTRIBUTION_API_URL": state["api_url"],
            "ATTRIBUTION_API_KEY": key,
            "KEY": key,
            "PATH": f"{programs}:{environment['PATH']}",
            "XDG_CONFIG_HOME": str(folder / "config"),
        },
        state["api_url"],
        state["CLICKHOUSE_URL"],
        key,
    )


def _program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def _files(folder: Path) -> None:
    """The files that the pages name: rates, lift tests, events of a predecessor."""
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=n) for n in range(420)]
    old = [today - timedelta(days=n) for n in (200, 190, 20, 10)]
    files = {
        "eurofxref-hist.csv": ["Date,USD,JPY,GBP", *(f"{day},1.0853,163.1,0.8441" for day in days)],
        "rates.csv": ["date,currency,rate", f"{today},CHF,0.9301"],
        "tests.csv": [
            "channel,start_date,end_date,incremental_conversions,standard_error",
            f"Paid Search,{today - timedelta(days=20)},{today - timedelta(days=6)},40,9.5",
        ],
    }
    files["touchpoints.csv"] = [
        "event_id,customer_id,occurred_at,channel,campaign",
        *(f"h{i},eve,{day}T10:00:00Z,{name}," for i, (day, name) in enumerate(zip(old, "AABA", strict=True))),
    ]
    files["conversions.csv"] = [
        "event_id,customer_id,occurred_at,order_id,value,currency",
        *(f"c{i},eve,{day}T12:00:00Z,h-{i},60.00,USD" for i, day in enumerate((old[1], old[3]))),
    ]
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
