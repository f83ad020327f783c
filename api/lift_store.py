"""The part of the store that is about experiments: lift tests, and the credit that they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from clickhouse.lifts import RecordedTest


class LiftStore(Protocol):
    """Lift tests of one workspace. Calls block and raise like the store."""

    def lift_tests(self) -> list[RecordedTest]:
        """All, the newest period first, then by id."""

    def record_lift_tests(self, tests: Sequence[RecordedTest]) -> None:
        """Keep them; the same id again replaces."""

    def drop_lift_test(self, test_id: str) -> bool:
        """Take one back; False: there is none of this id."""

    def lift_credit(self, start: date, end: date, model: str, conversion_type: str) -> dict[str, float]:
        """Conversions that a model credits to each channel on these conversion days, of all currencies."""
