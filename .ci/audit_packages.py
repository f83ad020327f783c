"""Known vulnerabilities of the locked packages, by pip-audit: exit code 1 when there is one.

An index that does not answer, or does not say, is no failure of ours: what was not checked is said and counted.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

_LOCK: Final = Path(__file__).parents[1] / "requirements.lock"
_WAIT_S: Final = 300


def main() -> int:
    """Ask, and tell."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--format", "json"]
    command += ["--timeout", "10", "--progress-spinner", "off", "-r", str(_LOCK)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT_S, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("pip-audit: NOT CHECKED, the index does not answer")
        return 0
    return report(found)


def report(found: list[dict[str, object]]) -> int:
    """Exit code for what pip-audit says of each package."""
    skipped = [d for d in found if "skip_reason" in d]
    bad = [d for d in found if d.get("vulns")]
    for package in bad:
        print(f"{package['name']} {package['version']}: {package['vulns']}")
    if skipped:
        print(f"pip-audit: {len(skipped)} of {len(found)} packages NOT CHECKED: the index does not know of them")
    print(f"pip-audit: {len(found) - len(skipped)} checked, {len(bad)} with known vulnerabilities")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
