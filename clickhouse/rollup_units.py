"""The sums of a day in pieces, kept by the roller in memory, so that a change costs a piece and not the day.

A day is cut into *slots*: its newest minutes one by one, earlier ones by half hours. Every minute is in exactly one
slot, and the day is the sum of its slots. A mark that names a minute has its slot read again, as a whole: what left it
is gone, what came is there, and nothing is ever added to or subtracted from the sums of a minute.

This is a cache and nothing else. It holds up to which mark it was read, and reads what was marked later, whoever has
built the day meanwhile; a roller that ends takes nothing with it. Money is int64 micros, summed exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from clickhouse import queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from clickhouse_connect.driver.client import Client

#: In a mark, instead of a minute.
WHOLE_DAY: Final = 0
UNITS: Final = 1_440
_EPOCH_ORDINAL: Final = 719_163
#: Minutes in one slot where nothing is new any more, and how many of the newest are slots by themselves.
_COARSE: Final = 30
_FINE: Final = 10
_FIRST_COARSE: Final = 10_000
#: Of the pieces; ``touch_day`` in days since 1970-01-01.
_SCHEMA: Final = pa.schema(
    [
        ("touch_day", pa.int32()),
        *((name, pa.string()) for name in ("model", "channel", "campaign", "currency", "conversion_type")),
        ("conversions", pa.float64()),
        ("value_micros", pa.int64()),
        ("touchpoints", pa.uint64()),
    ]
)
_KEYS: Final = _SCHEMA.names[:6]
_SUMS: Final = _SCHEMA.names[6:]


class DayUnits:
    """The slots of one day of one run.

    Args:
        client: the database.
        run_id: the run.
        day: the day.
    """

    def __init__(self, client: Client, run_id: int, day: date) -> None:
        self._client, self._run_id, self._day = client, run_id, day
        self._slots: dict[int, pa.Table] = {}
        self._fine_from = 1
        self._rest: tuple[frozenset[int], pa.Table | None] = (frozenset(), None)
        #: Marks up to then are in the slots; microseconds since the epoch. 0: nothing was read yet.
        self.read_to_us = 0

    def refresh(self, marks_us: Mapping[int, int], *, settled_us: int) -> pa.Table:
        """Reads the slots of the marked minutes again, all of them the first time, and sums the day.

        Args:
            marks_us: the newest mark of each minute that was marked after ``read_to_us``; no ``WHOLE_DAY``.
            settled_us: marks stamped up to then were visible for certain when ``marks_us`` was read.

        Returns:
            The sums of the day by day of the touch: the columns of ``rollup_touch_day`` without ``run_id`` and ``day``,
            ``touch_day`` in days since 1970-01-01.

        Raises:
            StoreError: as ``queries.run``.
        """
        newest = max(marks_us, default=1)
        is_first = not self.read_to_us
        if is_first:
            self._fine_from = _fine_from(newest)
            changed = set(map(self._slot_of, range(1, UNITS + 1)))
        else:
            self._fold(_fine_from(newest))
            changed = set(map(self._slot_of, marks_us))
        appeared = frozenset(changed - self._slots.keys())
        self._read(changed)
        self.read_to_us = max(self.read_to_us, min(max(marks_us.values(), default=0), settled_us))
        return _sum(self._slots.values()) if is_first else self._sum_with(frozenset(changed), appeared)

    def _slot_of(self, unit: int) -> int:
        return unit if unit >= self._fine_from else _FIRST_COARSE + (unit - 1) // _COARSE

    def _read(self, slots: Iterable[int]) -> None:
        units = sorted(unit for slot in slots for unit in _units_of(slot))
        midnight = (self._day.toordinal() - _EPOCH_ORDINAL) * UNITS
        found = queries.arrow(
            self._client,
            "rollups_slots",
            run_id=self._run_id,
            day=self._day,
            units=units,
            first=midnight + units[0] - 1,
            last=midnight + units[-1] - 1,
            fine_from=self._fine_from,
        )
        by_slot = _split(found)
        for slot in slots:
            self._slots.pop(slot, None)
        self._slots.update(by_slot)

    def _fold(self, fine_from: int) -> None:
        """Sums minutes that are no longer new by half hours."""
        for start in range(self._fine_from, fine_from, _COARSE):
            minutes = [self._slots.pop(unit) for unit in range(start, start + _COARSE) if unit in self._slots]
            if minutes:
                self._slots[_FIRST_COARSE + (start - 1) // _COARSE] = _sum(minutes)
        if fine_from > self._fine_from:
            self._fine_from = fine_from
            if any(slot < fine_from for slot in self._rest[0]):
                self._rest = (frozenset(), None)

    def _sum_with(self, changed: frozenset[int], appeared: frozenset[int]) -> pa.Table:
        """The day's sums; what did not change is summed once for as long as the same slots change."""
        without, rest = self._rest
        if rest is None or not changed - without <= appeared:
            rest = _sum(table for slot, table in self._slots.items() if slot not in changed)
        elif without - changed:  # a minute is over
            rest = _sum([rest, *(self._slots[slot] for slot in without - changed if slot in self._slots)])
        self._rest = (changed, rest)
        return _sum([rest, *(self._slots[slot] for slot in changed if slot in self._slots)])


def _fine_from(newest: int) -> int:
    """The first minute that is a slot by itself; a half hour begins there."""
    return max(0, newest - _FINE) // _COARSE * _COARSE + 1


def _units_of(slot: int) -> range:
    first = (slot - _FIRST_COARSE) * _COARSE + 1
    return range(slot, slot + 1) if slot < _FIRST_COARSE else range(first, first + _COARSE)


def _split(found: pa.Table) -> dict[int, pa.Table]:
    """Rows, which come by slot, in one table for each."""
    sums = found.select(_SCHEMA.names).cast(_SCHEMA)
    slots = found.column("slot").to_numpy()
    ends = np.append(np.flatnonzero(np.diff(slots)) + 1, len(slots))
    begins = np.append(0, ends[:-1])
    return {
        int(slots[begin]): sums.slice(begin, end - begin)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        if end > begin
    }


def _sum(tables: Iterable[pa.Table]) -> pa.Table:
    """One row per key."""
    every: list[Any] = list(tables)
    if not every:
        return _SCHEMA.empty_table()
    grouped = pa.concat_tables(every).group_by(_KEYS).aggregate([(name, "sum") for name in _SUMS])
    return grouped.select([*_KEYS, *(f"{name}_sum" for name in _SUMS)]).rename_columns(_SCHEMA.names)
