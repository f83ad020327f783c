"""The whole product as users start it, watched: `attribution up`, a canary, a load, Prometheus, traces, JSON logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from otlp_receiver import OtlpReceiver

from embedded.ports import free_port

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "cli")
SECRET = "a-secret-of-this-test-0815"  # noqa: S105 - made up, to be looked for in logs
OWN = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLICKHOUSE_", "ATTRIBUTION_", "OTEL_"))}


@dataclass(frozen=True)
class Observed:
    """Where everything is. ``environment`` points commands at the stack."""

    api: httpx.Client
    prometheus: str
    traces: OtlpReceiver
    folder: Path
    environment: Mapping[str, str]

    @property
    def key(self) -> str:
        """Of the local administrator."""
        return (self.folder / "data" / "accounts" / "local.key").read_text(encoding="utf-8").strip()

    @property
    def logs(self) -> dict[str, Path]:
        """Of our programs."""
        found = {p.stem: p for p in (self.folder / "data" / "logs").iterdir() if p.stem in _PARTS}
        return found | {name: self.folder / f"{name}.log" for name in ("canary", "simulate")}

    def ask(self, path: str, **parameters: str) -> Any:
        """Prometheus' HTTP API: the member ``data`` of the answer."""
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Rows of the stack's database."""
        answer = httpx.post(
            self.environment["CLICKHOUSE_URL"],
            params={"database": self.environment["CLICKHOUSE_DATABASE"], "default_format": "JSONEachRow"},
            content=statement,
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


_PARTS = ("clickhouse", "rollups", "worker-0", "api")


@contextmanager
def observed_stack(folder: Path) -> Iterator[Observed]:
    """Start all, wait until the first is ready, end all."""
    with ExitStack() as closing:
        traces = closing.enter_context(OtlpReceiver())
        closing.callback(traces.shutdown)
        own = OWN | {
            "ATTRIBUTION_LOG_FORMAT": "json",
            "ATTRIBUTION_LOG_LEVEL": "info",
            "ATTRIBUTION_ERASURE_SECRET": SECRET,
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        data = folder / "data"
        ports = [f"--{name}-port={free_port()}" for name in ("kafka", "clickhouse", "api")]
        _program(closing, "up", ("up", "--data-dir", str(data), *ports), own, folder)
        _wait(lambda: "\nready\n" in (folder / "up.log").read_text(), 240, folder / "up.log")
        state = json.loads((data / "stack.json").read_text())
        environment = own | {k: v for k, v in state.items() if isinstance(v, str) and k.isupper()}
        more = {"canary": free_port(), "loadgen": free_port()}
        every = ("canary", "--every", "0.5", "--metrics-port", str(more["canary"]))
        _program(closing, "canary", every, environment, folder)
        load = ("simulate", "--live", "--events", "0", "--rate", "200", "--malformed", "0.05", "--customers", "500")
        _program(closing, "simulate", (*load, "--metrics-port", str(more["loadgen"])), environment, folder)
        targets = [{"targets": [f"127.0.0.1:{p}"], "labels": {"job": n, "part": n}} for n, p in more.items()]
        (data / "metrics-targets-more.json").write_text(json.dumps(targets))
        prometheus = _prometheus(closing, folder)
        key = (data / "accounts" / "local.key").read_text(encoding="utf-8").strip()
        api = closing.enter_context(httpx.Client(base_url=state["api_url"], headers={"X-API-Key": key}, timeout=30))
        yield Observed(api, prometheus, traces, folder, environment)


def _prometheus(closing: ExitStack, folder: Path) -> str:
    """Debian's, with the configuration and the alerts of deploy/prometheus, faster and with this folder's paths."""
    source = ROOT / "deploy" / "prometheus"
    config = (source / "local.yml").read_text()
    assert config.count("../../data/") == 3
    config = config.replace("../../data", str(folder / "data")).replace("interval: 5s", "interval: 1s")
    config = config.replace("- alerts.yml", f"- {source / 'alerts.yml'}")
    (folder / "prometheus.yml").write_text(config)
    port = free_port()
    words = ("--config.file", str(folder / "prometheus.yml"), "--storage.tsdb.path", str(folder / "tsdb"))
    listen = f"--web.listen-address=127.0.0.1:{port}"
    _run(closing, ("/usr/bin/prometheus", *words, listen), dict(OWN), folder / "prometheus.log")
    url = f"http://127.0.0.1:{port}"
    _wait(lambda: _answers(f"{url}/-/ready"), 30, folder / "prometheus.log")
    return url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _program(
    closing: ExitStack, name: str, words: tuple[str, ...], environment: Mapping[str, str], folder: Path
) -> None:
    _run(closing, (*COMMAND, *words), environment, folder / f"{name}.log")


def _run(closing: ExitStack, command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=subprocess.STDOUT)
    closing.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _wait(is_done: Any, timeout_s: float, log: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_done():
        assert time.monotonic() < deadline, log.read_text()[-3_000:]
        time.sleep(0.1)
