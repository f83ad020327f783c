"""docs/security.md names tests that exist: every risk of the OWASP API Security Top 10 (2023) has at least one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def risks() -> dict[int, list[str]]:
    """Number of each risk to what its row names as tests."""
    table = PAGE.partition("## OWASP API Security Top 10 (2023)")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) [^|]+\|[^|]+\|([^|]+)\|$", table, re.MULTILINE)
    return {int(number): re.findall(r"`([^`]+)`", cell) for number, cell in rows}


def file_of(name: str) -> Path:
    return ROOT / name if "/" in name else ROOT / "tests" / "security" / name


def test_the_ten_risks_are_there() -> None:
    assert sorted(risks()) == list(range(1, 11))


@pytest.mark.parametrize("number", range(1, 11))
def test_every_risk_names_tests_that_exist(number: int) -> None:
    named = risks()[number]
    assert named
    for name in named:
        path, _, test = name.partition("::")
        assert file_of(path).is_file(), name
        tests = re.findall(r"^\s*(?:async )?def (test_\w+)\(", file_of(path).read_text(encoding="utf-8"), re.MULTILINE)
        assert tests, name
        assert not test or test in tests, name


def test_every_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`(tests/[\w/]+\.py)", PAGE):
        assert (ROOT / name).is_file(), name
