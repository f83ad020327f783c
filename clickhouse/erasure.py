"""Forgets customers: their facts and credits are removed from the parts on disk, in all runs, and a receipt stays.

``delete`` removes everything. ``anonymize`` keeps the credits under ids that lead nowhere, so that totals stay.

The ids travel in a table in memory that lives as long as the work: a mutation's text is kept on disk, so it must not
name anybody. Doing the same erasure again, after a crash for instance, ends in the same state: the days whose sums
change are in the receipt before the first row goes. The engine drops replaced parts some minutes after the mutation.

Raises ``SinkUnavailable`` (call again) and ``SinkRejected``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.times import from_us
from clickhouse import queries
from clickhouse.errors import translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Statements that remove rows; facts first, so that a fact-based replay never sees half of a customer.
_DELETES: Final = (
    "erasure_delete_touchpoints",
    "erasure_delete_conversions",
    "erasure_delete_identities",
    "erasure_delete_attributions",
)
#: Names of tables with ids to forget begin so.
_QUEUE: Final = "erasing_"


class Customer(NamedTuple):
    """Somebody to forget; ``digest`` (hex) is all that is remembered.

    ``salt`` makes the ids under which ``anonymize`` keeps credits; it is stored nowhere, and the same each time.
    """

    customer_id: str
    digest: str
    requested_at_us: int
    policy: str
    salt: str = ""


class Eraser:
    """Forgets customers in one database."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def digests(self) -> list[str]:
        """Digests (hex) of everybody who was forgotten."""
        return [row["digest"] for row in queries.run(self._client, "erasure_digests")]

    def erase(self, customers: Sequence[Customer]) -> None:
        """Remove all rows of these customers. Blocks until the parts on disk are rewritten.

        A table with ids that an attempt left behind (it broke off, and the engine may still be using it) is dropped by
        a later call, an hour after; a mutation that lost its table is given up first: it would hold up all others.
        """
        self._clear_away()
        customers = list({(c.customer_id, c.digest): c for c in customers}.values())
        names = sorted({c.digest for c in customers})
        queue = f"{_QUEUE}{uuid.uuid4().hex}"
        queries.execute(self._client, "erasure_queue_create", queue=queue)
        asked = [(c.customer_id, c.digest, c.policy, c.salt) for c in customers]
        self._insert(queue, asked, ("customer_id", "digest", "policy", "salt"))
        days = self._days(queue, names)
        counts = self._counts(queue, names)
        self._receipts(customers, "started", days, counts)
        queries.execute(self._client, "erasure_anonymize", queue=queue)
        for statement in _DELETES:
            queries.execute(self._client, statement, queue=queue)
        self._mark(days)
        self._insert(
            "suppressions", [(c.digest, from_us(c.requested_at_us)) for c in customers], ("digest", "requested_at")
        )
        self._receipts(customers, "done", days, counts)
        queries.execute(self._client, "erasure_queue_drop", queue=queue)

    def _clear_away(self) -> None:
        left = queries.run(self._client, "erasure_queues_left", prefix=_QUEUE)
        if queries.run(self._client, "erasure_mutations_stuck", prefix=_QUEUE):
            queries.execute(self._client, "erasure_mutations_kill", prefix=_QUEUE)
        for row in left:
            queries.execute(self._client, "erasure_queue_drop", queue=row["name"])

    def _days(self, queue: str, digests: Sequence[str]) -> list[tuple[int, date]]:
        """Days that lose rows, and those of an erasure that was begun before."""
        rows = [
            *queries.run(self._client, "erasure_days", queue=queue),
            *queries.run(self._client, "erasure_days_begun", digests=list(digests)),
        ]
        return sorted({(row["run_id"], row["day"]) for row in rows})

    def _counts(self, queue: str, digests: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        """Rows that go, or went in an earlier attempt: doing it again must not make the receipt say nothing."""
        found: dict[str, tuple[int, int, int]] = {}
        for row in [
            *queries.run(self._client, "erasure_counts", queue=queue),
            *queries.run(self._client, "erasure_counts_before", digests=list(digests)),
        ]:
            counted = (row["touchpoints"], row["conversions"], row["attributions"])
            before = found.get(row["digest"], (0, 0, 0))
            found[row["digest"]] = (max(counted[0], before[0]), max(counted[1], before[1]), max(counted[2], before[2]))
        return found

    def _receipts(
        self,
        customers: Sequence[Customer],
        status: str,
        days: Sequence[tuple[int, date]],
        counts: dict[str, tuple[int, int, int]],
    ) -> None:
        runs, dates = [run for run, _ in days], [day for _, day in days]
        self._insert(
            "erasure_receipts",
            [
                (c.digest, from_us(c.requested_at_us), c.policy, status, runs, dates, *counts.get(c.digest, (0, 0, 0)))
                for c in customers
            ],
            (
                "digest",
                "requested_at",
                "policy",
                "status",
                "run_ids",
                "days",
                "touchpoints",
                "conversions",
                "attributions",
            ),
        )

    def _mark(self, days: Sequence[tuple[int, date]]) -> None:
        if days:
            self._insert("dirty_days", days, ("run_id", "day"))

    def _insert(self, table: str, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
        try:
            self._client.insert(table, rows, column_names=columns)
        except ClickHouseError as error:
            raise translate(error, f"insert into {table}") from error
