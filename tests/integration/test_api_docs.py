"""Every curl command of docs/api.md does what the page says: it is run against the served API."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from attribution.config import AttributionConfig
from attribution.recompute import recomputer
from attribution.types import ConversionEvent
from clickhouse.settings import ClickHouseSettings
from schemas.events import ConversionWireEvent, TouchpointEvent
from tests.contract.test_api_analytics import CONFIG, described
from tests.contract.test_api_store import START_US, Facts, load_clickhouse

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.clickhouse

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SHELL = re.findall(r"```(?:sh|bash)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BLOCKS = [block for block in SHELL if "curl " in block]
#: A failure of any command fails the block, and is shown.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body --show-error --max-time 20 "$@"; }\n'


@pytest.fixture
def served(clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[str]:
    """``host:port`` of the API over a store that holds what the page names."""
    touch = TouchpointEvent("t-1", "c-42", START_US - 60_000_000, "Paid Search")
    sold = ConversionWireEvent("v-1", "c-42", START_US, order_id="o-1001", value_micros=100_000_000, currency="USD")
    config = AttributionConfig(models=CONFIG.models)
    event = ConversionEvent(START_US, "v-1", "purchase", "o-1001", 100_000_000, "USD", "completed", "")
    found = recomputer(config)([(touch.occurred_at_us, "t-1", "Paid Search", "")], [event])
    engine = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    load_clickhouse(Facts(touchpoints=[touch], conversions=[sold], credits=[("c-42", c) for c in found]), engine)
    described(engine)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "CLICKHOUSE_URL": clickhouse_url,
        "CLICKHOUSE_DATABASE": clickhouse_database,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    }
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", str(port)]
    with (tmp_path / "api.log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        for _ in range(300):
            assert process.poll() is None, (tmp_path / "api.log").read_text(encoding="utf-8")
            try:
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_every_curl_of_the_page_is_answered(served: str) -> None:
    assert sum(len(re.findall(r"^curl ", b, re.MULTILINE)) for b in BLOCKS) >= 8
    for block in BLOCKS:
        assert "localhost:8000" in block
        script = PRELUDE + block.replace("localhost:8000", served)
        done = subprocess.run(
            ["bash", "-c", script],
            env=os.environ | {"ATTRIBUTION_API_KEY": os.environ.get("ATTRIBUTION_API_KEY", "")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert len(done.stdout) > 20, block
