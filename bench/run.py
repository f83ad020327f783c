"""``make bench``: this worker and its peers on the same broker and bytes, in one run.

The peers and their runner live in another folder (``PEERS``, default ``../shared/peers``): see its README for the
workload and what is measured. Options are passed on to the runner; the table is printed at the end, the raw records
are in ``PEERS_WORK``. The contender writes to ClickHouse, which the peers do not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Set the peers up once, run all, print the table and the checks."""
    runner = Path(os.environ.get("PEERS", HERE.parent.parent / "shared" / "peers")).resolve() / "run.py"
    if not runner.exists():
        print(f"no peers at {runner.parent}: set PEERS to the folder that holds run.py", file=sys.stderr)
        return 2
    work = Path(os.environ.get("PEERS_WORK", Path(tempfile.gettempdir()) / "peers"))
    checks = work / "contender-checks.jsonl"
    env = {**os.environ, "PEERS_WORK": str(work), "ATTRIBUTION_BENCH_OUTPUT": str(checks)}
    if not (work / "venv-harness").exists():
        subprocess.run([sys.executable, runner, "setup"], env=env, check=True)
    contender = f"realtime-attribution={sys.executable} {HERE / 'contender.py'}"
    arguments = sys.argv[1:] or ["all", "--runs", "3", "--steps", "throughput"]
    command = [sys.executable, runner, *arguments, "--contender", contender, "--done", "lag0"]
    subprocess.run(command, env=env, check=True)
    subprocess.run([sys.executable, runner, "report"], env=env, check=True)
    print(checks.read_text() if checks.exists() else "the contender left no checks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
