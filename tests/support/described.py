"""Whether a dataclass of the Python client is what a schema of the OpenAPI document says, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

from attribution_client.money import Money

#: JSON types, with format, that a Python type is decoded from.
_FITS: dict[type, set[tuple[str, str | None]]] = {
    str: {("string", None)},
    int: {("integer", None)},
    float: {("number", None), ("integer", None)},
    bool: {("boolean", None)},
    Decimal: {("number", None)},
    date: {("string", "date")},
    datetime: {("string", "date-time")},
}


def differences(kind: Any, schema: dict[str, Any], components: dict[str, Any], place: str = "") -> Iterator[str]:
    """Each as a sentence; none where the client reads every answer that the schema allows, and loses nothing."""
    schema = resolved(schema, components)
    options = schema.get("anyOf", [schema])
    not_null = [resolved(o, components) for o in options if o.get("type") != "null"]
    others = [a for a in get_args(kind) if a is not type(None)]
    may_be_none = type(None) in get_args(kind)
    if len(not_null) < len(options) and not may_be_none and kind is not Any:
        yield f"{place}: may be null, and the client does not know"
    wanted = others[0] if may_be_none else kind
    if wanted is Any:
        return
    if dataclasses.is_dataclass(wanted):
        yield from _fields(wanted, not_null[0], components, place)
    elif get_origin(wanted) is tuple:
        if not_null[0].get("type") != "array":
            yield f"{place}: is no array but {not_null[0].get('type')}"
        else:
            yield from differences(get_args(wanted)[0], not_null[0]["items"], components, f"{place}[]")
    elif get_origin(wanted) is dict:
        if not_null[0].get("type") != "object":
            yield f"{place}: is no object"
    else:
        for option in not_null:
            if (option.get("type"), option.get("format")) not in _FITS[wanted]:
                yield f"{place}: {option.get('type')} {option.get('format') or ''} is read as {wanted.__name__}"


def resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _fields(kind: Any, schema: dict[str, Any], components: dict[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    hints = {name.rstrip("_"): hint for name, hint in get_type_hints(kind).items()}
    money = {name for name in dir(kind) if isinstance(getattr(kind, name), Money)}
    for name in money:
        if f"{name}_micros" not in hints:
            yield f"{place}.{name}: an amount without {name}_micros"
    for name in properties.keys() - hints.keys() - money:
        yield f"{place}.{name}: the client does not have it"
    for field in dataclasses.fields(kind):
        name = field.name.rstrip("_")
        if name not in properties:
            yield f"{place}.{name}: the description does not have it"
            continue
        if field.default is dataclasses.MISSING and name not in schema.get("required", ()):
            yield f"{place}.{name}: may be left out, and the client requires it"
        yield from differences(hints[name], properties[name], components, f"{place}.{name}")
