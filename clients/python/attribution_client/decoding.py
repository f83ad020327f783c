"""JSON values to the frozen dataclasses of ``models``; an unknown field is left out, a missing or wrong one is refused.

Standard library only, so that the client's single dependency is its HTTP library. What a field may be: ``str``,
``int``, ``float``, ``bool``, ``Decimal`` (a JSON number by its digits), ``date``, aware ``datetime``, a model,
``tuple[X, ...]``, ``dict[str, Any]``, ``Any``, and each of them or ``None``. A name that is a word of Python has an
underscore behind it: ``from_`` is read from ``from``.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from attribution_client.problems import ProtocolError

T = TypeVar("T")
Decode: TypeAlias = Callable[[Any], Any]

#: JSON types that a Python type is read from; ``bool`` is no number here.
_PLAIN: Final[dict[type, tuple[type, ...]]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def decode(kind: type[T], value: Any) -> T:
    """The value as ``kind``.

    Raises:
        ProtocolError: it does not fit; names the place.
    """
    try:
        return cast("T", _decoder(cast("Any", kind))(value))
    except _MisfitError as error:
        place = ".".join(reversed(error.path)) or "the answer"
        raise ProtocolError(f"{place} of {kind.__name__} {error.reason}: is the service of another version?") from None


class _MisfitError(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


@cache
def _decoder(kind: Any) -> Decode:
    if dataclasses.is_dataclass(kind):
        return _of_model(cast("type", kind))
    if kind in _PLAIN:
        return _of_plain(kind)
    if kind in _TEXTS:
        return _typed(str, _TEXTS[kind])
    return _of_special(kind)


def _of_special(kind: Any) -> Decode:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        (inner,) = (a for a in arguments if a is not type(None))
        wanted = _decoder(inner)
        return lambda value: None if value is None else wanted(value)
    if origin is tuple:
        return _of_array(_decoder(arguments[0]))
    if kind is Decimal:
        return _typed((int, float), _decimal)
    return _typed(dict, _same) if origin is dict else _same


def _of_model(kind: type) -> Decode:
    hints = get_type_hints(kind)
    fields = [
        (f.name.rstrip("_"), f.name, f.default is dataclasses.MISSING, _decoder(hints[f.name]))
        for f in dataclasses.fields(kind)
    ]

    def read(value: dict[str, Any]) -> Any:
        found = {}
        for name, own, is_required, wanted in fields:
            if name in value:
                try:
                    found[own] = wanted(value[name])
                except _MisfitError as error:
                    error.path.append(name)
                    raise
            elif is_required:
                raise _MisfitError(f"has no {name}")
        return kind(**found)

    return _typed(dict, read)


def _of_array(wanted: Decode) -> Decode:
    def read(value: list[Any]) -> tuple[Any, ...]:
        return tuple(wanted(item) for item in value)

    return _typed(list, read)


def _of_plain(kind: type) -> Decode:
    def read(value: Any) -> Any:
        if isinstance(value, bool) and kind is not bool:
            raise _MisfitError("is a boolean")
        return kind(value)

    return _typed(_PLAIN[kind], read)


def _typed(accepted: type | tuple[type, ...], read: Decode) -> Decode:
    def checked(value: Any) -> Any:
        if not isinstance(value, accepted):
            raise _MisfitError(f"is {type(value).__name__}")
        return read(value)

    return checked


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _date(value: str) -> date:
    return _parsed(date.fromisoformat, value)


def _time(value: str) -> datetime:
    found = _parsed(datetime.fromisoformat, value)
    if found.tzinfo is None:
        raise _MisfitError("is a time without a zone")
    return found


def _parsed(parse: Callable[[str], T], value: str) -> T:
    try:
        return parse(value)
    except ValueError:
        raise _MisfitError("is no ISO-8601 text") from None


def _same(value: Any) -> Any:
    return value


#: Types that are a text in JSON.
_TEXTS: Final[dict[type, Decode]] = {date: _date, datetime: _time}
