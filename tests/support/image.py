"""The image without a container engine: what its build is given, and our packages installed from it."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from composed import ROOT

PIP: Final = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def patterns() -> list[tuple[bool, str]]:
    """The lines of .dockerignore: whether a line lets in, and its pattern."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [(rule.startswith("!"), rule.removeprefix("!")) for rule in rules]


def is_sent(path: str) -> bool:
    """Whether a file, named from the root, is part of the build's context: the last rule that fits it decides."""
    parts = path.split("/")
    sent = True
    for lets_in, pattern in patterns():
        if any(_fits("/".join(parts[:n]), pattern) for n in range(1, len(parts) + 1)):
            sent = lets_in
    return sent


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rsplit("/", 1)[-1], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def context(folder: Path) -> Path:
    """A copy of what a build is given: the files that git knows or would take, less those of .dockerignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in filter(is_sent, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def installed(source: Path, target: Path) -> Path:
    """Our two distributions, built from a context and installed into a folder, as the image has them."""
    command = [*PIP, "install", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*command, str(source), str(source / "clients" / "python")], check=True, capture_output=True)
    return target
