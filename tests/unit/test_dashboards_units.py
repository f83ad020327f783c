"""Numbers of the preview look like Grafana's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.units import text, ticks


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "shown"),
    [
        (None, "short", None, "-"),
        (float("nan"), "s", None, "-"),
        (0, "short", None, "0"),
        (1_350_000, "short", 2, "1.35 Mil"),
        (20_000, "short", None, "20 K"),
        (-1_500, "short", 1, "-1.5 K"),
        (1_234_567.5, "locale", 0, "1,234,568"),
        (0.1234, "percentunit", 1, "12.3%"),
        (0.5, "percentunit", None, "50%"),
        (4.5, "suffix:x", 2, "4.50x"),
        (0.02, "suffix:/s", None, "0.02/s"),
        (0.05, "s", None, "50 ms"),
        (59.96, "s", 1, "60.0 s"),
        (90, "s", 1, "1.5 mins"),
        (7_200, "s", None, "2 hours"),
        (86_400, "s", None, "1 day"),
        (1_536, "bytes", 1, "1.5 KiB"),
        (12_345, "none", None, "12345"),
        ("Email", "short", None, "Email"),
        (datetime(2026, 11, 1, 9, 5, tzinfo=UTC), "dateTimeAsIso", None, "2026-11-01 09:05:00"),
    ],
)
def test_a_value_in_its_unit(value: object, unit: str, decimals: int | None, shown: str) -> None:
    assert text(value, unit, decimals) == shown


@pytest.mark.parametrize("high", [0.003, 0.7, 1, 9, 13, 99, 4_321, 1e9])
def test_ticks_are_few_and_round(high: float) -> None:
    found = ticks(0, high)
    step = found[1] - found[0]

    assert found[0] == 0
    assert found[-1] <= high < found[-1] + step
    assert 3 <= len(found) <= 7
    assert f"{step:.0e}"[0] in "125" or f"{step:.1e}".startswith("2.5")
