"""Money is an integer of micros, 1e-6 of a currency unit; ``Decimal`` for people, never a float.

``revenue = Money()`` in an answer shows its field ``revenue_micros`` as an exact ``Decimal`` of currency units.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Self, TypeAlias, overload

#: What an amount may be given as: units as ``Decimal``, ``int`` or text such as ``"12.50"``.
Amount: TypeAlias = Decimal | int | str
#: Digits of a unit that micros keep.
PLACES: Final = 6


def to_decimal(micros: int) -> Decimal:
    """Currency units, exact in any decimal context."""
    return Decimal((micros < 0, tuple(map(int, str(abs(micros)))), -PLACES))


def to_text(amount: Amount) -> str:
    """The amount as the API takes it: all digits, no exponent.

    Raises:
        TypeError: a float or a boolean; a float has lost the cents already.
        ValueError: no number.
    """
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise TypeError(f"an amount is a Decimal, an int or a text such as '12.50', not {type(amount).__name__}")
    try:
        found = Decimal(amount)
    except ArithmeticError:
        raise ValueError(f"{amount!r} is no amount; give one such as '12.50'") from None
    if not found.is_finite():
        raise ValueError(f"{amount!r} is no amount; give one such as '12.50'")
    return format(found, "f")


class Money:
    """The field ``<name>_micros`` in currency units."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._field = f"{name}_micros"

    @overload
    def __get__(self, answer: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, answer: object, owner: Any) -> Decimal: ...
    def __get__(self, answer: object, owner: Any) -> Self | Decimal:
        """Exact units."""
        return self if answer is None else to_decimal(getattr(answer, self._field))


class MoneyOrNone(Money):
    """The same of a field that may be None."""

    @overload  # type: ignore[override]  # None where the field is
    def __get__(self, answer: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, answer: object, owner: Any) -> Decimal | None: ...
    def __get__(self, answer: object, owner: Any) -> Self | Decimal | None:
        """Exact units, or None."""
        if answer is not None and getattr(answer, self._field) is None:
            return None
        return super().__get__(answer, owner)
