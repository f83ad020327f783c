"""``attribution api --ui``: one process, a port that the system chose, and sign-ins counted by visitor."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from embedded.process import spawn, stop

pytestmark = pytest.mark.clickhouse  # opens connections; the engine itself is not asked


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Address of the API and its UI; nothing of the stack is there."""
    environment = {
        "ATTRIBUTION_UI_API_URL": "http://127.0.0.1:9",  # of another UI: this one asks the API beside it
        "CLICKHOUSE_URL": "http://127.0.0.1:9",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "ATTRIBUTION_API_INSECURE_DEV": "false",
        "ATTRIBUTION_ACCOUNTS_DIR": str(tmp_path / "accounts"),
    }
    log = tmp_path / "api.log"
    command = [sys.executable, "-P", "-m", "cli", "api", "--port", "0", "--ui"]
    process = spawn(command, log=log, env=environment)
    try:
        yield _address(log, process)
    finally:
        stop(process, 30)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 120
    while (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found[1]


def test_a_key_signs_in_on_a_port_of_the_system_s_choice(url: str, tmp_path: Path) -> None:
    key = (tmp_path / "accounts" / "local.key").read_text(encoding="utf-8")
    answer = httpx.post(f"{url}/ui/signin", data={"key": key}, headers={"Origin": url}, timeout=60)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")


def test_guesses_count_for_the_visitor_that_the_proxy_names(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as client:

        def guess(visitor: str) -> int:
            told = {"X-Forwarded-For": visitor}
            return client.post("/ui/signin", data={"key": "0123456789abcdef.wrong"}, headers=told).status_code

        assert [guess("198.51.100.1") for _ in range(32)][-1] == 429
        assert guess("198.51.100.2") == 401
