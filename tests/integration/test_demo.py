"""The demo and `attribution up` as a user runs them: they come up, add up, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

COMMAND = [sys.executable, "-P", "-m", "cli"]
#: The stack that these tests start is their own, not one that the environment names.
OWN = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLICKHOUSE_", "ATTRIBUTION_"))}


def left_behind(folder: Path) -> list[str]:
    """Programs that still work on the folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = [*(process.info["cmdline"] or ()), (process.info["environ"] or {}).get("ATTRIBUTION_DATA_DIR", "")]
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(" ".join(words)[-200:])
    return found


def test_the_demo_ends_by_itself_with_credits_that_add_up(tmp_path: Path) -> None:
    """Exit code 0, credits, no broken sum, no orphan."""
    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--events", "4000", "--rate", "2000", "--seed", "5", "--data-dir", str(tmp_path)],
        env=OWN,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "conservation: 0 of " in done.stdout
    assert "conservation: 0 of 0 " not in done.stdout
    assert "/docs" in done.stdout
    assert left_behind(tmp_path) == []


def test_up_serves_restarts_what_dies_keeps_its_data_and_stops_cleanly(tmp_path: Path) -> None:
    """Two starts over one directory; a killed worker comes back; a second stack on the directory is refused."""
    for start in (1, 2):
        log = tmp_path / f"up-{start}.out"
        with log.open("w") as output:
            up = subprocess.Popen([*COMMAND, "up", "--data-dir", str(tmp_path / "data")], env=OWN, stdout=output)
        state = wait_ready(up, log, tmp_path)
        shown = [*COMMAND, "key", "show-local", "--data-dir", str(tmp_path / "data")]
        key = subprocess.run(shown, env=OWN, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        assert key not in log.read_text()
        assert all(key not in path.read_text() for path in (tmp_path / "data" / "logs").iterdir())
        url = f"{state['api_url']}/api/v1/data/status"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url, timeout=10)  # noqa: S310  # http of our own
        asked = urllib.request.Request(url, headers={"X-API-Key": key})  # noqa: S310  # same
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  # same
            assert answer.status == 200
        if start == 1:
            second = [*COMMAND, "up", "--data-dir", str(tmp_path / "data")]
            refused = subprocess.run(second, env=OWN, capture_output=True, text=True, timeout=60, check=False)
            assert refused.returncode == 1
            assert "another stack uses" in refused.stderr
            kill_worker_and_wait(tmp_path / "data" / "worker-0")
            kill_rollups_and_wait(up.pid, log)
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0, log.read_text()
        assert log.read_text().endswith("stopping\n"), "a part did not end cleanly"
        assert left_behind(tmp_path) == []


def wait_ready(up: subprocess.Popen[bytes], log: Path, folder: Path) -> dict[str, str]:
    deadline = time.monotonic() + 90
    while "\nready" not in log.read_text():
        assert up.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    found: dict[str, str] = json.loads((folder / "data" / "stack.json").read_text())
    return found


def kill_rollups_and_wait(up: int, log: Path) -> None:
    """The other programs stay as they are."""
    before = {c.pid: c.cmdline() for c in psutil.Process(up).children()}
    (rollups,) = [pid for pid, words in before.items() if words[-1:] == ["rollups"]]
    os.kill(rollups, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while "rollups: started again" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    after = {c.pid: c.cmdline() for c in psutil.Process(up).children()}
    assert "rollups: ended with code -9, starting again in 0.5 s" in log.read_text()
    assert before.keys() - after.keys() == {rollups}
    assert [words[-1] for pid, words in after.items() if pid not in before] == ["rollups"]


def kill_worker_and_wait(state: Path) -> None:
    ready = state / "ready.json"
    old = json.loads(ready.read_text())["pid"]
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while True:
        pid = json.loads(ready.read_text())["pid"] if ready.exists() else old
        if pid != old:
            return
        assert time.monotonic() < deadline, "the worker did not come back"
        time.sleep(0.2)
