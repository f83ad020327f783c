"""The double's lift tests: a dictionary, and the credit of what was stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from math import fsum

from api.store import ResultRow
from clickhouse.lifts import RecordedTest


class MemoryLifts:
    """Mixed into the double."""

    __slots__ = ()

    stored: dict[str, list[ResultRow]]
    lifted: dict[str, RecordedTest]
    ping: Callable[[], None]

    def lift_tests(self) -> list[RecordedTest]:
        """All of them."""
        self.ping()
        return sorted(self.lifted.values(), key=lambda test: (-test.end.toordinal(), test.test_id))

    def record_lift_tests(self, tests: Sequence[RecordedTest]) -> None:
        """Keep them."""
        self.ping()
        at = datetime.now(UTC)
        self.lifted |= {test.test_id: test._replace(recorded_at=at) for test in tests}

    def drop_lift_test(self, test_id: str) -> bool:
        """Take one back."""
        self.ping()
        return self.lifted.pop(test_id, None) is not None

    def lift_credit(self, start: date, end: date, model: str, conversion_type: str) -> dict[str, float]:
        """By channel."""
        self.ping()
        found: dict[str, list[float]] = defaultdict(list)
        for row in (row for rows in self.stored.values() for row in rows):
            is_asked = row.model == model and start <= row.converted_at.date() <= end
            if is_asked and conversion_type in {"", row.conversion_type}:
                for credit in row.credits:
                    found[credit.channel].append(credit.weight)
        return {channel: fsum(weights) for channel, weights in found.items()}
