"""Money as int64 micros (1e-6 of a currency unit), and its exact division.

No float takes part in a sum. A float is accepted at the border only, and is read as the number that Python
prints for it: ``0.1`` is 100,000 micros. Raises ``InvalidParameterError`` for what is not an amount of money.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

from attribution.errors import InvalidParameterError

MICROS: Final = 1_000_000
MAX_MICROS: Final = 2**63 - 1
MIN_MICROS: Final = -(2**63)

#: Longest text read as an amount: an int64 of micros has 19 digits; the rest is room for fractions.
_MAX_TEXT: Final = 64
_HINT: Final = "give a decimal number such as 12.50, between -9223372036854.775808 and 9223372036854.775807"
#: Wide enough that the only rounding is the one to six decimals, whatever context the caller has set.
_EXACT: Final = Context(prec=100, rounding=ROUND_HALF_EVEN)
_SIX_PLACES: Final = Decimal("0.000001")


def split_micros(value: int, numerators: Sequence[int], total: int) -> tuple[int, ...]:
    """Divide ``value`` in proportion to ``numerators`` by largest remainder; the parts sum to ``value`` exactly.

    Each share is first rounded down; the micros left over go, one each, to the largest fractional parts, ties
    to the earlier position. A negative value is split like its absolute value, with the signs turned.

    Args:
        value: micros, any integer.
        numerators: non-negative integers.
        total: their sum, greater than 0.
    """
    if total == 1:
        return tuple([value if numerator else 0 for numerator in numerators])
    amount = rest = value if value >= 0 else -value
    parts: list[int] = []
    remainders: list[int] = []
    before = -1
    part = remainder = 0
    for numerator in numerators:
        if numerator != before:  # neighbours are often equal, as the middle of a path
            before = numerator
            part, remainder = divmod(amount * numerator, total)
        parts.append(part)
        remainders.append(remainder)
        rest -= part
    if rest == 1:
        parts[remainders.index(max(remainders))] += 1
    elif rest:
        for position in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:rest]:
            parts[position] += 1
    return tuple(parts) if value >= 0 else tuple([-p for p in parts])


def to_micros(value: object, field: str = "value") -> int:
    """Micros of an amount in currency units; more than six decimals are rounded half to even.

    Args:
        value: ``Decimal``, ``int``, a decimal text, or a ``float`` (read as its shortest decimal form).
        field: name for the error message.

    Raises:
        InvalidParameterError: not a number, not finite, or beyond int64 micros.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | str | int | float):
        raise InvalidParameterError(field, value, _HINT)
    if isinstance(value, str) and (len(value) > _MAX_TEXT or "_" in value):
        raise InvalidParameterError(field, value[:_MAX_TEXT], _HINT)
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise InvalidParameterError(field, value, _HINT) from None
    # 14 integer digits are beyond int64 micros; tested first, since an exponent may be astronomically large
    if not amount.is_finite() or (amount and amount.adjusted() > 13):
        raise InvalidParameterError(field, value, _HINT)
    micros = int(amount.quantize(_SIX_PLACES, context=_EXACT).scaleb(6, context=_EXACT))
    if not MIN_MICROS <= micros <= MAX_MICROS:
        raise InvalidParameterError(field, value, _HINT)
    return micros


def from_micros(micros: int) -> Decimal:
    """The amount in currency units, exact, with six decimals."""
    return Decimal(f"{micros}E-6")
