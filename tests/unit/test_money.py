"""Money: borders and exact division."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from attribution.money import MAX_MICROS, MIN_MICROS, from_micros, split_micros, to_micros

_numerators = st.lists(st.integers(0, 2**62), min_size=1, max_size=12).filter(any)
_int64 = st.integers(MIN_MICROS, MAX_MICROS)


@given(value=_int64, numerators=_numerators)
def test_parts_sum_to_the_value_and_are_less_than_one_micro_off(value: int, numerators: list[int]) -> None:
    """Conservation and fairness over the whole of int64."""
    total = sum(numerators)

    parts = split_micros(value, numerators, total)

    assert sum(parts) == value
    assert all(abs(p - Fraction(value * n, total)) < 1 for p, n in zip(parts, numerators, strict=True))


@given(value=_int64, numerators=_numerators)
def test_leftover_micros_go_to_the_largest_remainders_then_to_the_earlier(value: int, numerators: list[int]) -> None:
    """A part that was rounded up has a larger remainder than one that was not, or an equal one and comes first."""
    total = sum(numerators)
    parts = split_micros(abs(value), numerators, total)
    ranks = [(-(abs(value) * n % total), i) for i, n in enumerate(numerators)]
    raised = [p > abs(value) * n // total for p, n in zip(parts, numerators, strict=True)]

    assert max((r for r, up in zip(ranks, raised, strict=True) if up), default=(-total, 0)) < min(
        (r for r, up in zip(ranks, raised, strict=True) if not up), default=(1, 0)
    )


@given(value=_int64, numerators=_numerators)
def test_a_negative_value_is_the_mirror(value: int, numerators: list[int]) -> None:
    total = sum(numerators)

    assert split_micros(-value, numerators, total) == tuple(-p for p in split_micros(value, numerators, total))


@pytest.mark.parametrize(
    ("value", "numerators", "parts"),
    [
        (100, (1, 1, 1), (34, 33, 33)),
        (1, (2, 1, 2), (1, 0, 0)),
        (2, (1, 1, 1), (1, 1, 0)),
        (-100, (1, 1, 1), (-34, -33, -33)),
        (0, (1, 2), (0, 0)),
        (7, (0, 1), (0, 7)),
        (MAX_MICROS, (1, 1), (2**62, 2**62 - 1)),
    ],
)
def test_known_splits(value: int, numerators: tuple[int, ...], parts: tuple[int, ...]) -> None:
    """Hand-computed, with ties."""
    assert split_micros(value, numerators, sum(numerators)) == parts


@given(micros=_int64)
def test_micros_survive_the_way_out_and_back_in_any_decimal_context(micros: int) -> None:
    with localcontext(prec=3):
        amount = from_micros(micros)

        assert to_micros(amount) == to_micros(str(amount)) == micros
    assert amount * 1_000_000 == micros


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        (0.1, 100_000),
        (100.0, 100_000_000),
        (1e-7, 0),
        (33.333333333333336, 33_333_333),
        (12, 12_000_000),
        (" 12.50 ", 12_500_000),
        ("1e3", 1_000_000_000),
        ("0.0000005", 0),
        ("0.0000015", 2),
        (Decimal("1e-999999"), 0),
        (Decimal("-3.5"), -3_500_000),
        ("9223372036854.775807", MAX_MICROS),
        ("-9223372036854.775808", MIN_MICROS),
    ],
)
def test_amounts_are_read_exactly(amount: Decimal | str | float, micros: int) -> None:
    """Floats as they print; the seventh decimal is rounded half to even."""
    assert to_micros(amount) == micros


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "abc",
        "1_000",
        "1,5",
        "9" * 65,
        float("nan"),
        float("inf"),
        Decimal("sNaN"),
        Decimal("1e999999999"),
        True,
        None,
        [1],
        "9223372036854.775808",
        "-9223372036854.775809",
        10**13,
    ],
)
def test_what_is_no_amount_is_refused_with_the_field(amount: object) -> None:
    """The message names the field and shows a valid amount."""
    with pytest.raises(InvalidParameterError, match=r"^price: .* such as 12\.50") as caught:
        to_micros(amount, "price")

    assert caught.value.field == "price"
