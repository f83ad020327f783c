"""Single values: each unit of an epoch, rounding of money, limits."""

from decimal import Decimal
from typing import Any

import pytest

from schemas import values
from schemas.records import InvalidRecordError, shown

AT_US = 1_766_601_000_250_000


@pytest.mark.parametrize(
    "raw",
    [
        1_766_601_000_250,
        AT_US,
        AT_US * 1_000,
        Decimal("1766601000.25"),
        1_766_601_000.25,
        "1766601000250",
        "2025-12-24T18:30:00.250Z",
        "2025-12-24T18:30:00.250",
        " 2025-12-24T19:30:00.250+01:00 ",
        "20251224T183000.250Z",
    ],
)
def test_every_spelling_of_one_instant_is_the_same_microsecond(raw: Any) -> None:
    assert values.time_us("occurred_at", raw) == AT_US


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "bad_timestamp"),
        ("yesterday", "bad_timestamp"),
        ("2025-02-30", "bad_timestamp"),
        (Decimal("1e30"), "bad_timestamp"),
        (float("nan"), "bad_timestamp"),
        (True, "wrong_type"),
        ([1], "wrong_type"),
        (None, "missing_field"),
    ],
)
def test_what_is_no_time_has_its_reason(raw: Any, reason: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        values.time_us("occurred_at", raw)
    assert (caught.value.reason, caught.value.field) == (reason, "occurred_at")


def test_a_time_is_plausible_from_2000_to_one_day_after_the_record_inclusive() -> None:
    record_ms = 1_766_601_000_000
    latest = (record_ms + 86_400_000) * 1_000
    for accepted in (946_684_800_000_000, latest):
        assert values.plausible("occurred_at", accepted, record_ms) == accepted
    for refused in (946_684_799_999_999, latest + 1, 0, -1):
        with pytest.raises(InvalidRecordError, match="occurred_at"):
            values.plausible("occurred_at", refused, record_ms)


def test_a_record_without_a_broker_timestamp_has_no_upper_bound_of_time() -> None:
    assert values.plausible("occurred_at", values.EARLIEST_US * 4, -1) == values.EARLIEST_US * 4


@pytest.mark.parametrize(
    ("raw", "micros"),
    [
        ("0.1", 100_000),
        (Decimal("19.99"), 19_990_000),
        (19.99, 19_990_000),
        (12, 12_000_000),
        ("1.5e2", 150_000_000),
        ("0.0000005", 0),
        ("0.0000015", 2),
        (Decimal("0.00000050000000000000000000000000000001"), 1),
        ("9223372036854.775807", values.INT64_MAX),
        ("1e-999", 0),
        ("-0", 0),
    ],
)
def test_money_is_exact_and_rounds_once_half_to_even(raw: Any, micros: int) -> None:
    assert values.micros("value", raw) == micros


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("NaN", "bad_amount"),
        ("Infinity", "bad_amount"),
        ("12,50", "bad_amount"),
        ("1_000", "bad_amount"),
        ("", "bad_amount"),
        ("9223372036854.775808", "bad_amount"),
        (Decimal("1e999999"), "bad_amount"),
        ("-0.01", "negative_value"),
        (-5, "negative_value"),
        (True, "wrong_type"),
        ({}, "wrong_type"),
    ],
)
def test_what_is_no_amount_has_its_reason(raw: Any, reason: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        values.micros("value", raw)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("raw", "reason"), [(-1, "negative_value"), (2**63, "bad_amount"), (1.5, "wrong_type"), ("x", "wrong_type")]
)
def test_micros_are_whole_int64(raw: Any, reason: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        values.whole("cost_micros", raw)
    assert caught.value.reason == reason
    assert values.whole("cost_micros", "9223372036854775807") == values.INT64_MAX


def test_a_text_may_have_as_many_bytes_as_its_limit_and_no_more() -> None:
    assert values.text("event_id", "é" * 256, 512) == "é" * 256
    with pytest.raises(InvalidRecordError, match="513 bytes, at most 512"):
        values.text("event_id", "é" * 256 + "x", 512)


def test_a_map_keeps_texts_and_writes_other_values_as_json() -> None:
    given = {"a": "x", "b": 1, "c": True, "d": Decimal("1.50"), "e": {"f": [Decimal("2.5"), None]}, "g": None}
    assert values.text_map("properties", given) == {
        "a": "x",
        "b": "1",
        "c": "true",
        "d": "1.50",
        "e": '{"f":[2.5,null]}',
    }
    assert values.text_map("properties", {"g": None}) is None


def test_a_message_never_shows_more_than_80_characters_of_a_value() -> None:
    assert len(shown("x" * 10_000)) == 80
    with pytest.raises(InvalidRecordError) as caught:
        values.time_us("occurred_at", "z" * 10_000)
    assert len(caught.value.detail) < 200
