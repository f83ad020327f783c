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
    from collections.abc import Collection, Iterable, Mapping
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
#: More slots than these do not stay apart from the sum of the others.
_MOST_WORKING: Final = 16
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
_BY_TOUCH_DAY: Final = _SCHEMA.names[:6]
_BY_DAY: Final = _SCHEMA.names[1:6]
_SUMS: Final = _SCHEMA.names[6:]


class DayUnits:
    """The slots of one day of one run, by conversion day and by touch day.

    Args:
        client: the database.
        run_id: the run.
        day: the day.
    """

    def __init__(self, client: Client, run_id: int, day: date) -> None:
        self._client, self._run_id, self._day = client, run_id, day
        self._by_day = _Pieces(_BY_DAY)
        self._by_touch_day = _Pieces(_BY_TOUCH_DAY)
        self._fine_from = 1
        #: Slots of which the sums by touch day are older than those by conversion day.
        self._behind: set[int] = set()
        #: Marks up to then are in the slots; microseconds since the epoch. 0: nothing was read yet.
        self.read_to_us = 0

    def refresh(self, marks_us: Mapping[int, int], *, settled_us: int, has_touch: bool) -> None:
        """Reads the slots of the marked minutes again, all of them the first time.

        Args:
            marks_us: the newest mark of each minute that was marked after ``read_to_us``; no ``WHOLE_DAY``.
            settled_us: marks stamped up to then were visible for certain when ``marks_us`` was read.
            has_touch: also the sums by touch day, which are many times as many; False leaves them behind.

        Raises:
            StoreError: as ``queries.run``.
        """
        fine_from = _fine_from(max(marks_us, default=1))
        if not self.read_to_us:
            self._fine_from = fine_from
            changed = set(map(self._slot_of, range(1, UNITS + 1)))
        else:
            self._fold(fine_from)
            changed = set(map(self._slot_of, marks_us))
        self._behind |= changed
        if has_touch:
            self._read(self._behind, has_touch=True)
            self._behind = set()
        else:
            self._read(changed, has_touch=False)
        self.read_to_us = max(self.read_to_us, min(max(marks_us.values(), default=0), settled_us))

    def by_day(self) -> pa.Table:
        """The sums of the day: the columns of ``rollup_day`` without ``run_id`` and ``day``."""
        return self._by_day.total()

    def by_touch_day(self) -> pa.Table:
        """The sums of the day by day of the touch: ``touch_day``, in days since 1970-01-01, and those of ``by_day``."""
        return self._by_touch_day.total()

    def _slot_of(self, unit: int) -> int:
        return unit if unit >= self._fine_from else _FIRST_COARSE + (unit - 1) // _COARSE

    def _fold(self, fine_from: int) -> None:
        """Sums minutes that are no longer new by half hours."""
        if fine_from <= self._fine_from:
            return
        for pieces in (self._by_day, self._by_touch_day):
            pieces.fold(self._fine_from, fine_from)
        self._behind = _folded(self._behind, fine_from)
        self._fine_from = fine_from

    def _read(self, slots: Collection[int], *, has_touch: bool) -> None:
        if not slots:
            return
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
            has_touch=int(has_touch),
        )
        by_slot = _split(found)
        self._by_day.replace(slots, by_slot)
        if has_touch:
            self._by_touch_day.replace(slots, by_slot)


class _Pieces:
    """Sums by slot and by some columns, and their total; what does not change is summed once."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys
        self._slots: dict[int, pa.Table] = {}
        self._changed: set[int] = set()
        #: Slots that change now and then; the others are summed in ``_rest``.
        self._working: set[int] = set()
        self._in_rest: set[int] = set()
        self._rest: pa.Table | None = None

    def replace(self, slots: Collection[int], by_slot: Mapping[int, pa.Table]) -> None:
        """Puts new sums in the place of these slots; a slot that is not in ``by_slot`` is empty now."""
        for slot in slots:
            self._slots.pop(slot, None)
        for slot, table in by_slot.items():
            self._slots[slot] = table if self._keys == _BY_TOUCH_DAY else self._sum([table])
        self._changed.update(slots)

    def fold(self, start: int, end: int) -> None:
        """Sums the minutes from ``start`` to before ``end``, no longer new, by half hours."""
        for first in range(start, end, _COARSE):
            minutes = [self._slots.pop(unit) for unit in range(first, first + _COARSE) if unit in self._slots]
            if minutes:
                self._slots[_FIRST_COARSE + (first - 1) // _COARSE] = self._sum(minutes)
        self._changed, self._working = _folded(self._changed, end), _folded(self._working, end)
        self._rest = None

    def total(self) -> pa.Table:
        """The sums of all slots, one row per key."""
        working = self._working | self._changed
        if len(working) > _MOST_WORKING:
            working = self._changed
        others = self._slots.keys() - working
        if self._rest is None or others != self._in_rest:
            self._rest = self._sum(self._slots[slot] for slot in others)
            self._in_rest = others
        self._working, self._changed = working, set()
        return self._sum([self._rest, *(self._slots[slot] for slot in working & self._slots.keys())])

    def _sum(self, tables: Iterable[pa.Table]) -> pa.Table:
        """One row per key."""
        every: list[Any] = list(tables)
        columns = [*self._keys, *_SUMS]
        if not every:
            return _SCHEMA.empty_table().select(columns)
        grouped = pa.concat_tables(table.select(columns) for table in every).group_by(self._keys)
        sums = grouped.aggregate([(name, "sum") for name in _SUMS])
        return sums.select([*self._keys, *(f"{name}_sum" for name in _SUMS)]).rename_columns(columns)


def _fine_from(newest: int) -> int:
    """The first minute that is a slot by itself; a half hour begins there."""
    return max(0, newest - _FINE) // _COARSE * _COARSE + 1


def _folded(slots: set[int], fine_from: int) -> set[int]:
    """The same slots when minutes before ``fine_from`` are in half hours."""
    return {slot if slot >= fine_from else _FIRST_COARSE + (slot - 1) // _COARSE for slot in slots}


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
