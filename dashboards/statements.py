"""SQL of panels, alerts and variables, one ``.sql`` file each under ``sql/``; the comment at its top describes it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

_COMMENT = "-- "


class Statement(NamedTuple):
    """``description`` is what a viewer reads about the panel; ``sql`` has macros and variables in it."""

    name: str
    description: str
    sql: str


@cache
def load(name: str) -> Statement:
    """The statement of a file, named like ``executive/revenue``.

    Raises:
        ValueError: there is no such file, or it does not begin with a comment.
    """
    path = files("dashboards") / "sql" / f"{name}.sql"
    if not path.is_file():
        raise ValueError(f"statement {name!r}: there is no dashboards/sql/{name}.sql")
    lines = path.read_text(encoding="utf-8").splitlines()
    head = 0
    while head < len(lines) and lines[head].startswith(_COMMENT):
        head += 1
    if not head:
        raise ValueError(f"statement {name!r}: its first line must be a comment that describes it")
    description = " ".join(line.removeprefix(_COMMENT) for line in lines[:head])
    return Statement(name, description, "\n".join(lines[head:]).strip())


@cache
def names() -> tuple[str, ...]:
    """Every statement, sorted."""
    root = files("dashboards") / "sql"
    return tuple(
        sorted(
            f"{folder.name}/{file.name.removesuffix('.sql')}"
            for folder in root.iterdir()
            for file in folder.iterdir()
            if file.name.endswith(".sql")
        )
    )
