"""Locked npm packages, installed once into the cache folder and never into the tree."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from embedded.jars import cache_dir


def installed(folder: Path) -> Path:
    """Home of the packages that ``folder`` locks; its ``node_modules`` is complete.

    Raises:
        RuntimeError: npm is missing or fails.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise RuntimeError(f"the tests of {folder.name} need node 20 or newer and npm")
    digest = sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:12]
    home = cache_dir() / f"node-{folder.name}-{digest}"
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix="node-", dir=home.parent))
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(folder / name, fresh)
    done = subprocess.run(["npm", "ci"], cwd=fresh, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        shutil.rmtree(fresh)
        raise RuntimeError(f"npm ci of {folder.name} failed:\n{done.stderr}")
    try:
        fresh.rename(home)
    except OSError:  # another process was first
        shutil.rmtree(fresh)
    return home
