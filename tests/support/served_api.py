"""The API as a process of its own over a real broker and engine, and a customer with an order in the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from attribution.config import AttributionConfig
from attribution.recompute import recomputer
from attribution.types import ConversionEvent
from clickhouse.settings import ClickHouseSettings
from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop
from schemas.events import ConversionWireEvent, TouchpointEvent
from tests.contract.test_api_analytics import CONFIG, described
from tests.contract.test_api_store import START_US, Facts, load_clickhouse


def plant(engine: ClickHouseSettings) -> None:
    """Customer ``c-42`` with the conversion ``purchase:o-1001``, whom the description and the pages name."""
    touch = TouchpointEvent("t-1", "c-42", START_US - 60_000_000, "Paid Search")
    sold = ConversionWireEvent("v-1", "c-42", START_US, order_id="o-1001", value_micros=100_000_000, currency="USD")
    config = AttributionConfig(models=CONFIG.models)
    event = ConversionEvent(START_US, "v-1", "purchase", "o-1001", 100_000_000, "USD", "completed", "")
    found = recomputer(config)([(touch.occurred_at_us, "t-1", "Paid Search", "")], [event])
    load_clickhouse(Facts(touchpoints=[touch], conversions=[sold], credits=[("c-42", c) for c in found]), engine)
    described(engine)


@dataclass(frozen=True)
class Served:
    """Where the API listens, the local administrator's key, and the environment that its commands need."""

    url: str
    key: str
    environment: Mapping[str, str]
    log: Path

    def new_key(self, role: str, *words: str) -> str:
        """A key made by the command."""
        command = [sys.executable, "-P", "-m", "cli", "key", "create", "--role", role, "--json", *words]
        done = subprocess.run(command, env=dict(self.environment), capture_output=True, check=True)
        return str(json.loads(done.stdout)["key"])


@contextmanager
def served_api(kafka_bootstrap: str, clickhouse_url: str, database: str, folder: Path, **more: str) -> Iterator[Served]:
    """Starts ``attribution api`` with keys, and ends it with SIGTERM; ``more``: further variables of its environment.

    Raises:
        RuntimeError: it did not start; with the end of its log.
    """
    port = free_port()
    environment = os.environ | {
        "CLICKHOUSE_URL": clickhouse_url,
        "CLICKHOUSE_DATABASE": database,
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ATTRIBUTION_API_INSECURE_DEV": "false",
        "ATTRIBUTION_API_ALLOWED_HOSTS": "",
        "ATTRIBUTION_ACCOUNTS_DIR": str(folder / "accounts"),
        "ATTRIBUTION_API_REPLAY_DIR": str(folder / "replays"),
        **more,
    }
    log = folder / "api.log"
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", str(port)]
    url = f"http://{LOOPBACK}:{port}"
    process = spawn(command, log=log, env=environment)
    try:
        _wait(url, process, log)
        yield Served(url, (folder / "accounts" / "local.key").read_text(encoding="utf-8"), environment, log)
    finally:
        stop(process, 30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{url}/health", timeout=5)
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API did not start; its log:\n{log.read_text()[-3_000:]}") from None
            time.sleep(0.05)
        else:
            return
