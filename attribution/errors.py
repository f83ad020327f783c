"""Everything that the core raises on purpose. Each message names the field, the value and the way out.

::

    AttributionError
    ├── InvalidParameterError (ValueError)      a parameter of a model, a window or an amount
    │   └── UnknownModelError                   no model has this id or alias
    ├── InvalidTouchpointError (ValueError)     one item of a touchpoint list; has ``index`` and ``field``
    ├── MissingPackageError (ImportError)       an optional package is needed for what was asked
    ├── DuplicateConversionError (ValueError)   two customers claim one conversion id
    └── LawBrokenError (AssertionError)         a model does not keep a law of ``attribution.checks``
"""

from __future__ import annotations

from collections.abc import Iterable


class AttributionError(Exception):
    """Base of every error of the core."""


class InvalidParameterError(AttributionError, ValueError):
    """A value that cannot be used.

    Attributes:
        field: name of the parameter.
        value: what was given.
        way_out: what to give instead.
    """

    def __init__(self, field: str, value: object, way_out: str) -> None:
        super().__init__(f"{field}: {value!r} cannot be used; {way_out}")
        self.field = field
        self.value = value
        self.way_out = way_out


class UnknownModelError(InvalidParameterError):
    """No model has this id or alias."""

    def __init__(self, value: object, valid: Iterable[str]) -> None:
        super().__init__("model", value, f"valid models: {', '.join(valid)}")


class InvalidTouchpointError(AttributionError, ValueError):
    """One item of a touchpoint list is incomplete or wrong.

    Attributes:
        index: its place in the list, from 0.
        field: the field at fault.
        value: what that field holds.
        way_out: what it should hold.
    """

    def __init__(self, index: int, field: str, value: object, way_out: str) -> None:
        super().__init__(f"touchpoints[{index}].{field}: {value!r} cannot be used; {way_out}")
        self.index = index
        self.field = field
        self.value = value
        self.way_out = way_out


class MissingPackageError(AttributionError, ImportError):
    """An optional package is needed for what was asked."""


class DuplicateConversionError(AttributionError, ValueError):
    """Two customers claim one conversion id, which is the key of its rows."""


class LawBrokenError(AttributionError, AssertionError):
    """A model does not keep a law."""
