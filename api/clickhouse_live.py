"""``live_store.LiveStore`` over ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.live_store import Inserted, LiveRow, Position


class ClickHouseLive:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def inserted(self, from_us: int, overlap_us: int) -> Inserted:
        """Inserts from a time on."""
        (row,) = self._run("live_inserted", from_us=from_us, overlap_us=overlap_us)
        return Inserted(row["run_id"], row["now_us"], [(stamp, digest) for stamp, digest in row["inserts"]])

    def inserted_rows(
        self, run_id: int, stamps: Sequence[int], from_us: int, after: Position, limit: int
    ) -> list[LiveRow]:
        """Rows behind a position."""
        rows = self._run(
            "live_rows",
            run_id=run_id,
            stamps=list(stamps),
            from_us=from_us,
            after_us=after.stamp_us,
            after_id=after.conversion_id,
            after_rev=after.rev,
            after_deleted=int(after.is_removed),
            limit=limit,
        )
        return [_row(r) for r in rows]


def _row(r: dict[str, Any]) -> LiveRow:
    return LiveRow(
        Position(r["stamp_us"], r["conversion_id"], r["rev"], bool(r["is_deleted"])),
        r["customer_id"],
        r["conversion_type"],
        r["converted_at"],
        r["value_micros"],
        r["currency"],
        tuple(r["models"]),
        tuple(r["ids"]),
        tuple(r["ats"]),
        tuple(r["channels"]),
        tuple(r["campaigns"]),
        tuple(map(tuple, r["weights"])),
        tuple(map(tuple, r["micros"])),
        r["config_hash"],
        r["emitted_at"],
    )
