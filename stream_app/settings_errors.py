"""A wrong setting in words: the environment name, the value and an example."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import BaseSettings


def explain(error: ValidationError, settings: type[BaseSettings]) -> str:
    """One line per wrong field. Values of secrets are not shown."""
    fields = {f.alias or name: f for name, f in settings.model_fields.items()}
    lines = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else "settings"
        field = fields.get(name)
        example = f", for example {name}={field.examples[0]}" if field and field.examples else ""
        shown = "***" if "PASSWORD" in name or "SECRET" in name else repr(item["input"])
        lines.append(f"{name}={shown}: {item['msg'].removeprefix('Value error, ')}{example}")
    return "\n".join(lines)
