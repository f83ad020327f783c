"""How a panel shows a column: its defaults, then the overrides that name the column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dashboards import units
from dashboards.macros import Selection

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}")


class Field:
    """The configuration of one column of a panel."""

    def __init__(self, panel: Mapping[str, Any], name: str) -> None:
        config = panel["fieldConfig"]
        self._found: dict[str, Any] = {k: v for k, v in config["defaults"].items() if k != "custom"}
        self._found |= {f"custom.{k}": v for k, v in config["defaults"].get("custom", {}).items()}
        for override in config["overrides"]:
            if override["matcher"] == {"id": "byName", "options": name}:
                self._found |= {p["id"]: p["value"] for p in override["properties"]}
        self.name = name

    def get(self, key: str, default: Any = None) -> Any:
        """A property, such as ``unit`` or ``custom.width``."""
        return self._found.get(key, default)

    @property
    def label(self) -> str:
        """What stands for the column's name; a series keeps its own."""
        label = str(self.get("displayName", self.name))
        return self.name if "__field" in label else label

    def text(self, value: object) -> str:
        """A value in the column's unit."""
        return units.text(value, self.get("unit", ""), self.get("decimals"))

    @property
    def fixed_color(self) -> str | None:
        """The colour of the column, if it has one of its own."""
        color = self.get("color", {})
        return color.get("fixedColor") if color.get("mode") == "fixed" else None


def titled(text: str, selection: Selection) -> str:
    """A title with the values of its variables."""

    def value(found: re.Match[str]) -> str:
        chosen = selection.variables.get(found[1])
        return found[0] if chosen is None else ("All" if chosen.is_all else " + ".join(chosen.values))

    return _VARIABLE.sub(value, text)
