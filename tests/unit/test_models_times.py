"""Points in time at the border of the core."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import InvalidParameterError
from attribution.times import to_us

_US = 1_772_323_200_123_456


@pytest.mark.parametrize(
    ("value", "us"),
    [
        (datetime(2026, 3, 1, 0, 0, 0, 123_456, tzinfo=UTC), _US),
        (datetime(2026, 3, 1, 0, 0, 0, 123_456), _US),  # noqa: DTZ001 - a naive datetime is the case
        (datetime(2026, 3, 1, 2, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=2))), _US),
        (pd.Timestamp("2026-03-01T00:00:00.123456789Z"), _US),
        ("2026-03-01T00:00:00.123456Z", _US),
        ("2026-03-01 02:00:00.123456+02:00", _US),
        ("2026-03-01", _US - 123_456),
        ("20260301", _US - 123_456),
        (_US, _US),
        (str(_US), _US),
        (_US // 1_000, _US - 456),
        (_US // 1_000_000, _US - 123_456),
        (_US * 1_000 + 999, _US),
        (1_772_323_200.123456, _US),
        (Decimal("1772323200.1234569"), _US),
    ],
)
def test_a_time_is_read_to_the_microsecond(value: object, us: int) -> None:
    """Every accepted form of one instant."""
    assert to_us(value) == us


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "1970-01-01",
        "1969-12-31T23:59:59Z",
        0,
        -5,
        10**20,
        float("nan"),
        float("inf"),
        Decimal("1e999999"),
        True,
        None,
        pd.NaT,
        [1],
        "9" * 30,
    ],
)
def test_what_is_no_time_is_refused_with_the_field(value: object) -> None:
    """Zero is a missing field, never 1970."""
    with pytest.raises(InvalidParameterError, match=r"^when: .* such as 2026"):
        to_us(value, "when")


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - naive on purpose
def test_a_datetime_and_its_text_are_one_time(at: datetime) -> None:
    assert to_us(at) == to_us(at.isoformat()) == to_us(at.replace(tzinfo=UTC))
