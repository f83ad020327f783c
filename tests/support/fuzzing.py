"""Runs of schemathesis against a served API: every check, valid credentials, the stateful phase with links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from served_api import Served

CONFIG = Path(__file__).parents[1] / "security" / "schemathesis.toml"
#: What the API needs for it: many addresses (see ``fuzz_hooks``), no limit of the rate, and no replays, of which each
#: guess would be a process.
SETTINGS = {
    "ATTRIBUTION_API_TRUSTED_PROXIES": "127.0.0.1",
    "ATTRIBUTION_API_RATE_LIMIT": "",
    "ATTRIBUTION_API_REPLAY_DIR": "",
}


class Fuzzed(NamedTuple):
    """``requests`` that were answered, without those that checks send besides; ``output`` names each failure."""

    is_clean: bool
    requests: int
    server_errors: int
    output: str


def fuzz(api: Served, role: str, folder: Path, *, examples: int, phases: str, seed: int) -> Fuzzed:
    """One run with a new key of ``role``; ``examples``: at most so many cases of an operation in each random phase."""
    key, counts = api.new_key(role), folder / "counts.json"
    counts.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(CONFIG), "run", f"{api.url}/openapi.json", "--checks", "all"),
            *("--phases", phases, "--max-examples", str(examples), "--seed", str(seed)),
            *("--generation-database", "none", "--continue-on-failure", "--no-color"),
        ],
        env=os.environ
        | {
            "FUZZ_KEY": key,
            "FUZZ_KEY_ID": key.partition(".")[0],
            "FUZZ_COUNTS": str(counts),
            "SCHEMATHESIS_HOOKS": "fuzz_hooks",
            "PYTHONPATH": str(Path(__file__).parent),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3_600,
        check=False,
    )
    found = json.loads(counts.read_text(encoding="utf-8")) if counts.exists() else {}
    return Fuzzed(
        done.returncode == 0, found.get("requests", 0), found.get("5xx", 0), f"{done.stdout[-20_000:]}\n{done.stderr}"
    )
