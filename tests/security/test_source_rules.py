"""The rules of ``tests/support/source_rules.py`` hold in every room, and they find what they are there to find."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files as resources
from pathlib import Path

import pytest
from source_rules import files, findings

ROOT = Path(__file__).parents[2]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
ROOMS = [f"clients/python/{name}" if name == "attribution_client" else name for name in PACKAGES]


def test_no_file_breaks_a_rule() -> None:
    checked = list(files(ROOT, ROOMS))
    assert {p.relative_to(ROOT).parts[0] for p in checked} == {room.partition("/")[0] for room in ROOMS}
    assert len(checked) > 200
    broken = [f"{p.relative_to(ROOT)}:{f.line} {f.rule}" for p in checked for f in findings(p.read_text("utf-8"))]
    assert broken == []


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('client.query(f"SELECT {x}")', "sql"),
        ('client.command("DROP TABLE " + name)', "sql"),
        ('client.command("DROP TABLE %s" % name)', "sql"),
        ('client.query("SELECT {}".format(x))', "sql"),
        ('client.query(template.replace("T", name))', "sql"),
        ('class A:\n    def f(self):\n        return self.client.query(f"SELECT {x}")', "sql"),
        ('def f():\n    sql = f"SELECT {x}"\n    client.query(sql)', "sql"),
        ('def f():\n    sql = "SELECT " + x\n    client.query(sql, parameters={})', "sql"),
        ('connection.exec_driver_sql(f"PRAGMA {x}")', "sql"),
        ('_log.info("signed in with %s", password)', "secret"),
        ('_log.info(f"{request.cookie}")', "secret"),
        ('log.warning("x", extra={"t": session_token})', "secret"),
        ('self._log.error("%s", credential.text)', "secret"),
    ],
)
def test_a_broken_rule_is_found(source: str, rule: str) -> None:
    assert {f.rule for f in findings(source)} == {rule}
    line = findings(source)[0].line - 1
    excused = source.splitlines()
    excused[line] += "  # rule-ok: the test's"
    assert findings("\n".join(excused)) == []


@pytest.mark.parametrize(
    "source",
    [
        'client.query("SELECT {x:String}", parameters={"x": x})',
        "client.query(read(name), parameters=bound)",
        "connection.execute(select(table).where(table.c.id == key))",
        '_log.info("user %s", name)',
        'print(f"SELECT {x}")',
    ],
)
def test_what_is_right_is_not_found(source: str) -> None:
    assert findings(source) == []


def test_no_query_names_a_database_so_that_a_connection_is_a_workspace() -> None:
    """System tables are asked for this database only; ours are never qualified."""
    for file in (resources("clickhouse") / "queries").iterdir():
        sql = re.sub(r"--[^\n]*|'[^']*'", "", file.read_text(encoding="utf-8"))
        for database in re.findall(r"\b(?:FROM|JOIN|INTO|TABLE|UPDATE)\s+(\w+)\.\w+", sql, re.IGNORECASE):
            assert database == "system", file.name
        if re.search(r"\bsystem\.(tables|parts|columns|mutations)\b", sql):
            assert "currentDatabase()" in sql or "{database:" in sql, file.name


def test_every_parameter_of_a_query_is_bound_by_the_server() -> None:
    for file in (resources("clickhouse") / "queries").iterdir():
        sql = re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8"))
        assert not re.search(r"%\(|%s|\{\w*\}|\$\d", sql), file.name
