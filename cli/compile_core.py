"""Compiles the hot modules of the core with mypyc, from the same sources that run interpreted.

    python -m cli.compile_core [--strict]

Takes about 15 seconds, and nothing if it was done for these sources. Needs mypy, setuptools and a C compiler with
Python's headers; without them the core runs interpreted, with the same results, which is said and is no failure unless
``--strict`` is given. Where the binaries lie and why they cannot be stale: ``attribution._compiled``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from attribution._compiled import MODULES, PACKAGE, SUFFIX, Finder, folder

_TIMEOUT_S: Final = 300
_SHOWN_LINES: Final = 12


class CannotCompileError(RuntimeError):
    """Something is missing; the message says what."""


def build() -> tuple[Path, bool]:
    """The folder of the compiled modules, and whether they had to be built.

    Raises:
        CannotCompileError: they cannot be built here.
    """
    target = folder()
    if Finder(target).is_complete():
        return target, False
    try:
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="compiling-") as work:
            ready = _compiled(Path(work))
            shutil.rmtree(target, ignore_errors=True)
            ready.rename(target)
    except OSError as error:
        if Finder(target).is_complete():
            return target, False  # another process was faster
        raise CannotCompileError(f"{error}; make {target.parent} writable") from error
    for old in target.parent.glob("compiled-*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return target, True


def _compiled(work: Path) -> Path:
    """A folder under ``work`` with one extension module per source, named by its module."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:  # else that would come out after half a minute of type checking
        raise CannotCompileError(f"{compiler}: not found; install a C compiler, or name yours in CC")
    shutil.copytree(PACKAGE, work / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    sources = [f"{name.replace('.', '/')}.py" for name in MODULES]
    environment = {**os.environ, "MYPYC_OPT_LEVEL": "3", "MYPYC_DEBUG_LEVEL": "0", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "mypyc", *sources],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    ready = work / "ready"
    ready.mkdir()
    for file in work.glob(f"*{SUFFIX}"):  # what all modules share
        file.rename(ready / file.name)
    for name in MODULES:
        file = work / f"{name.replace('.', '/')}{SUFFIX}"
        if file.exists():
            file.rename(ready / f"{name}{SUFFIX}")
    if done.returncode or not Finder(ready).is_complete():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise CannotCompileError("\n".join(lines[-_SHOWN_LINES:]) or f"mypyc ended with {done.returncode}")
    return ready


def main() -> int:
    """Build, and say what came of it."""
    try:
        where, is_new = build()
    except CannotCompileError as error:
        print(
            f"The core was not compiled and runs interpreted: same results, more CPU per event.\n"
            f"It needs mypy, setuptools, a C compiler and Python's headers (Debian: gcc python3-dev). "
            f"What was met:\n{error}",
            file=sys.stderr,
        )
        return 1 if "--strict" in sys.argv[1:] else 0
    print(f"The core is {'now' if is_new else 'already'} compiled: {where}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
