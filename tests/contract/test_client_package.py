"""The client as a distribution of its own: it builds, holds what it says, and needs httpx alone."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import attribution_client

SOURCE = Path(__file__).parents[2] / "clients" / "python"
FILES = sorted((SOURCE / "attribution_client").rglob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as `make client` does."""
    copy = tmp_path_factory.mktemp("client") / "python"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(copy / "dist"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        told = Parser().parsestr(archive.read(metadata).decode())
    assert names == {p.relative_to(SOURCE).as_posix() for p in FILES} | {"attribution_client/py.typed"}
    assert (told["Name"], told["Version"]) == ("attribution-client", attribution_client.__version__)
    assert told.get_all("Requires-Dist") == ["httpx<1,>=0.28", 'pandas>=2.2; extra == "frames"']
    assert "track" in str(told.get_payload())


def test_an_installed_wheel_works_without_pandas_or_the_service_s_packages(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys, attribution_client as a; c = a.Client(); c.close(); "
        "print(a.__file__); print([m for m in ('pandas', 'msgspec', 'pydantic', 'api', 'cli') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [str(tmp_path / "attribution_client" / "__init__.py"), "[]"]


def test_nothing_but_the_standard_library_httpx_and_pandas_is_imported() -> None:
    found: set[str] = set()
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    assert found - sys.stdlib_module_names == {"attribution_client", "httpx", "pandas"}


def test_everything_public_is_exported_and_documented() -> None:
    for name in attribution_client.__all__:
        part = getattr(attribution_client, name)
        assert name == "__version__" or part.__doc__, name
