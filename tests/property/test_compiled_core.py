"""The compiled core and the interpreted one are the same program."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attribution import _compiled
from attribution._compiled import MODULES, PACKAGE, SWITCH, Finder, folder
from cli import compile_core
from cli.compile_core import CannotCompileError, build

TRACE = Path(__file__).parents[1] / "support" / "core_trace.py"
ROOT = PACKAGE.parent


def run(*program: str, root: Path = ROOT, pure: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-P", *program],
        env={**os.environ, "PYTHONPATH": str(root), SWITCH: pure},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built() -> bool:
    """Whether this machine can compile; it must, if it has a C compiler."""
    try:
        build()
    except CannotCompileError:
        assert shutil.which("cc") is None, "there is a C compiler, and the core cannot be compiled"
        return False
    return True


def test_both_cores_make_the_same_of_random_input(built: bool) -> None:
    seed = str(random.SystemRandom().randrange(1 << 30))
    first, second = run(str(TRACE), seed).split("\n", 1), run(str(TRACE), seed, pure="1").split("\n", 1)
    assert first[0].startswith("compiled" if built else "interpreted")
    assert second[0].startswith("interpreted")
    assert len(second[1]) > 1_000_000
    assert first[1] == second[1], f"seed {seed}"


def test_edited_sources_never_meet_an_old_binary(built: bool, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name)
    show = "import attribution.money as m; print(m.__file__, m.MICROS)"
    file, micros = run("-c", show, root=tmp_path).split()
    assert (file.endswith(".so"), micros) == (built, "1000000")
    source = tmp_path / "attribution" / "money.py"
    source.write_text(source.read_text().replace("MICROS: Final = 1_000_000", "MICROS: Final = 7"))
    assert run("-c", show, root=tmp_path).split() == [str(source), "7"]


def test_a_part_of_the_modules_is_not_used(tmp_path: Path) -> None:
    for name in MODULES[1:]:
        (tmp_path / f"{name}{_compiled.SUFFIX}").touch()
    assert not Finder(tmp_path).is_complete()
    (tmp_path / f"{MODULES[0]}{_compiled.SUFFIX}").touch()
    assert Finder(tmp_path).is_complete()


def test_without_a_compiler_it_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    target = package / "__pycache__" / folder().name
    monkeypatch.setattr(compile_core, "PACKAGE", package)
    monkeypatch.setattr(compile_core, "MODULES", MODULES[:1])
    monkeypatch.setattr(compile_core, "folder", lambda: target)
    monkeypatch.setenv("CC", str(tmp_path / "no-compiler"))
    monkeypatch.setattr(sys, "argv", ["compile_core"])
    assert compile_core.main() == 0
    monkeypatch.setattr(sys, "argv", ["compile_core", "--strict"])
    assert compile_core.main() == 1
    assert "runs interpreted" in capsys.readouterr().err
    assert not target.exists()
