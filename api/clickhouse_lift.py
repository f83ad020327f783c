"""``lift_store.LiftStore`` over ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from api.store import Unavailable
from clickhouse import lifts
from clickhouse.errors import SinkRejected, SinkUnavailable, StoreError
from clickhouse.lifts import RecordedTest

T = TypeVar("T")


class ClickHouseLifts:
    """Mixed into the store, which has the connection."""

    def _connected(self) -> Any:
        raise NotImplementedError

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def lift_tests(self) -> list[RecordedTest]:
        """All of them."""
        return [RecordedTest(*row.values()) for row in self._run("lift_tests")]

    def record_lift_tests(self, tests: Sequence[RecordedTest]) -> None:
        """Keep them."""
        self._written(lambda client: lifts.record(client, tests))

    def drop_lift_test(self, test_id: str) -> bool:
        """Take one back."""
        found = [test for test in self.lift_tests() if test.test_id == test_id]
        if found:
            self._written(lambda client: lifts.record(client, found, is_deleted=True))
        return bool(found)

    def lift_credit(self, start: date, end: date, model: str, conversion_type: str) -> dict[str, float]:
        """By channel."""
        rows = self._run("lift_credit", start=start, end=end, model=model, conversion_type=conversion_type)
        return {row["of_channel"]: row["credited"] for row in rows}

    def _written(self, write: Callable[[Any], T]) -> T:
        try:
            return write(self._connected())
        except SinkUnavailable as error:
            raise Unavailable("clickhouse", "it cannot be reached or has no room for the insert now") from error
        except SinkRejected as error:
            raise Unavailable(
                "clickhouse", "the API's user may not write lift tests, or its tables are old: attribution migrate"
            ) from error
        except StoreError as error:
            raise Unavailable("clickhouse", "it cannot keep lift tests now") from error
