"""Every message of docs/troubleshooting.md is one that the program prints; ``…`` stands for what is put in."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache

import pytest

from doc_blocks import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
#: Places of values in f-strings, in ``%`` formats of the log, and in ``str.format``.
HOLE = "\0"
_FORMAT = re.compile(r"%[-+0-9.]*[sdrfgxi]|\{[\w.!:]*\}")


@cache
def templates() -> str:
    """Every text of the rooms, with a hole for each value, one after the other."""
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    found: list[str] = []
    for room in rooms:
        for path in sorted((ROOT / room.replace(".", "/")).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(v.value) if isinstance(v, ast.Constant) else HOLE for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(_FORMAT.sub(HOLE, node.value))
    return "\n".join(found)


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if not line.startswith("| You see")
    ]


def messages() -> list[str]:
    """The code in first cells that is a sentence, not a name."""
    spans = [span for row in rows() for span in re.findall(r"`([^`]+)`", row[0])]
    return [span for span in spans if " " in span.strip()]


@pytest.mark.parametrize("message", messages())
def test_the_program_has_the_message(message: str) -> None:
    holes = re.sub(r"…", HOLE, message).strip()
    assert holes in templates(), message


def test_every_symptom_has_a_cause_and_a_way_out() -> None:
    assert len(rows()) >= 50
    assert len(messages()) >= 35
    for row in rows():
        assert len(row) == 3, row
        assert all(row), row


def test_every_setting_that_pages_name_exists() -> None:
    """A way out that names a setting which no program reads is none."""
    deployed = [*ROOT.glob("docker-compose*.yml"), *(ROOT / "deploy").rglob("*.y*ml")]
    known = "".join(path.read_text("utf-8") for path in [ROOT / ".env.example", *deployed]) + templates()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for name in re.findall(r"`((?:ATTRIBUTION|KAFKA|CLICKHOUSE|SCHEMA)_[A-Z_]+[A-Z])\b", path.read_text("utf-8")):
            assert name in known, f"{path.name}: {name}"
