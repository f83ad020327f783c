"""Answers as rows and as pandas frames. Amounts stay integers of micros; ``decimals=True`` adds exact Decimals.

Columns and their types follow from the annotations, so that a frame without rows has the same ones. A column that may
be empty has pandas' nullable integer type: no integer ever passes through a float.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, cast, get_args, get_origin, get_type_hints

from attribution_client.money import Money

if TYPE_CHECKING:
    import pandas as pd

_TYPES: Final = {int: "int64", float: "float64", bool: "bool", str: "object", datetime: "datetime64[us, UTC]"}


class Column(NamedTuple):
    """A column: its name, the attributes that lead to it, its pandas type; ``is_extra``: an amount as Decimal."""

    name: str
    path: tuple[str, ...]
    dtype: str
    is_extra: bool


class Table:
    """An answer with rows.

    ``row_path`` names the fields that lead to a row, each with a prefix for names that a deeper level has, too.
    """

    __slots__ = ()
    row_path: ClassVar[tuple[tuple[str, str], ...]]

    def to_rows(self, *, decimals: bool = False) -> list[dict[str, Any]]:
        """A dictionary per row; fields of the levels above are repeated."""
        levels = [[c for c in level if decimals or not c.is_extra] for level in _columns(cast("Hashable", type(self)))]
        names = [name for name, _ in self.row_path]
        return list(_rows(self, names, levels))

    def to_frame(self, *, decimals: bool = False) -> pd.DataFrame:
        """The rows as a frame; needs ``attribution-client[frames]``.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd  # noqa: PLC0415 - the client works without it

        rows = self.to_rows(decimals=decimals)
        columns = [c for level in _columns(cast("Hashable", type(self))) for c in level if decimals or not c.is_extra]
        return pd.DataFrame({c.name: pd.Series([row[c.name] for row in rows], dtype=c.dtype) for c in columns})


def _rows(parent: Any, names: list[str], levels: list[list[Column]]) -> Iterator[dict[str, Any]]:
    for item in getattr(parent, names[0]) or ():
        own = {c.name: _follow(item, c.path) for c in levels[0]}
        if len(names) == 1:
            yield own
        else:
            for row in _rows(item, names[1:], levels[1:]):
                yield own | row


def _follow(item: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        item = getattr(item, name)
    return item


@cache
def _columns(table: Any) -> list[list[Column]]:
    """Columns by level. A name that a deeper level has, too, gets the prefix of its level."""
    kind: Any = table
    levels = []
    for name, _ in table.row_path:
        kind = get_args(_without_none(get_type_hints(kind)[name])[0])[0]
        levels.append(list(_columns_of(kind, "", ())))
    found = []
    for place, (_, prefix) in enumerate(table.row_path):
        deeper = {c.name for level in levels[place + 1 :] for c in level}
        found.append([c._replace(name=prefix + c.name) if c.name in deeper else c for c in levels[place]])
    return found


def _columns_of(kind: type, prefix: str, path: tuple[str, ...]) -> Iterator[Column]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        wanted, may_be_none = _without_none(hints[field.name])
        here = (*path, field.name)
        name = prefix + field.name
        if dataclasses.is_dataclass(wanted):
            yield from _columns_of(cast("type", wanted), f"{name}_", here)
        elif get_origin(wanted) is None:
            yield Column(name, here, _dtype(wanted, may_be_none), is_extra=False)
            plain = field.name.removesuffix("_micros")
            if isinstance(getattr(kind, plain, None), Money):
                yield Column(prefix + plain, (*path, plain), "object", is_extra=True)


def _without_none(kind: Any) -> tuple[Any, bool]:
    others = [a for a in get_args(kind) if a is not type(None)]
    return (others[0], True) if type(None) in get_args(kind) else (kind, False)


def _dtype(kind: Any, may_be_none: bool) -> str:
    if may_be_none:
        return {int: "Int64", bool: "boolean"}.get(kind, _TYPES.get(kind, "object"))
    return _TYPES.get(kind, "object")
