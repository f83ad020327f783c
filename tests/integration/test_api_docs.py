"""Every curl command of the pages is answered as they say: by the served API, with a key that stays out of its log."""

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
from stream_app.topics import create_topics
from tests.contract.test_api_analytics import CONFIG, described
from tests.contract.test_api_store import START_US, Facts, load_clickhouse

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

ROOT = Path(__file__).parents[2]


def blocks_of(page: str) -> list[str]:
    """Its shell blocks with a curl in them."""
    shell = re.findall(r"```(?:sh|bash)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in shell if "curl " in block]


PAGES = {
    "docs/api.md": ("localhost:8000", 8),
    "docs/collector.md": ("localhost:8000", 3),
    "README.md": ("127.0.0.1:8000", 5),
}
#: A failure of any command fails the block, and is shown.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body --show-error --max-time 20 "$@"; }\n'


@pytest.fixture
def served(
    clickhouse_url: str, clickhouse_database: str, kafka_bootstrap: str, tmp_path: Path
) -> Iterator[tuple[str, str, str]]:
    """Address and key of the API over a store that holds what the pages name, and the address of that store."""
    create_topics(kafka_bootstrap)
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
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ATTRIBUTION_API_INSECURE_DEV": "false",
        "ATTRIBUTION_ACCOUNTS_DIR": str(tmp_path / "accounts"),
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
        key = (tmp_path / "accounts" / "local.key").read_text(encoding="utf-8")
        yield f"127.0.0.1:{port}", key, f"{clickhouse_url}/?database={clickhouse_database}"
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert key.strip().split(".")[1] not in (tmp_path / "api.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_curl_of_a_page_is_answered(served: tuple[str, str, str], page: str) -> None:
    address, key, store = served
    written, fewest = PAGES[page]
    assert sum(len(re.findall(r"^curl ", b, re.MULTILINE)) for b in blocks_of(page)) >= fewest
    for block in blocks_of(page):
        assert written in block
        script = PRELUDE + block.replace(written, address)
        script = script.replace(".venv/bin/attribution", f"{sys.executable} -P -m cli")
        script = script.replace("http://127.0.0.1:8123/?database=attribution", store)
        done = subprocess.run(
            ["bash", "-c", script],
            env=os.environ | {"ATTRIBUTION_API_KEY": key, "ATTRIBUTION_WRITE_KEY": key.strip()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert len(done.stdout) > 20, block
