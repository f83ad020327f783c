"""Rules over the source, as a tree: SQL is never put together from strings, secrets never go to a log.

A line that breaks a rule on purpose says why behind ``# rule-ok:``, there or in the line above.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Calls whose first argument is a statement.
_STATEMENT_CALLS = {"query", "query_df", "query_arrow", "command", "raw_query", "execute", "executemany",
                    "executescript", "exec_driver_sql"}  # fmt: skip
_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
_SECRET = re.compile(r"(^|_)(password|secret|token|pepper|cookie|authorization|credential|credentials|api_key)(_|$)")


class Finding(NamedTuple):
    """One line that breaks a rule."""

    line: int
    rule: str


def findings(source: str) -> list[Finding]:
    """Of one file, by line."""
    lines = source.splitlines()
    tree = ast.parse(source)
    found = {*_built_sql(tree), *_logged_secrets(tree)}
    return sorted(f for f in found if "# rule-ok:" not in "".join(lines[max(f.line - 2, 0) : f.line]))


def files(root: Path, rooms: list[str]) -> Iterator[Path]:
    """The Python files of the rooms."""
    for room in rooms:
        yield from sorted((root / room).rglob("*.py"))


def _built_sql(tree: ast.AST) -> Iterator[Finding]:
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        built = {
            target.id
            for node in _own(scope)
            if isinstance(node, ast.Assign) and _is_built(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in _own(scope):
            if isinstance(node, ast.Call) and _name(node.func) in _STATEMENT_CALLS and node.args:
                first = node.args[0]
                if _is_built(first) or (isinstance(first, ast.Name) and first.id in built):
                    yield Finding(node.lineno, "sql")


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope without those of the functions in it."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _own(node)


def _is_built(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr():
            return any(isinstance(part, ast.FormattedValue) for part in node.values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return _has_text(node)
        case ast.Call(func=ast.Attribute(attr="format" | "format_map" | "replace" | "join")):
            return True
    return False


def _has_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _has_text(node.left) or _has_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _logged_secrets(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in _LOG_METHODS or "log" not in _name(node.func.value).lower():
            continue
        for part in (*node.args, *(k.value for k in node.keywords)):
            names = {_name(inner) for inner in ast.walk(part) if isinstance(inner, ast.Name | ast.Attribute)}
            if any(_SECRET.search(name.lower()) for name in names):
                yield Finding(node.lineno, "secret")


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
