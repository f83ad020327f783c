"""Whether what was imported arrived, and whether the credits are those of the batch; for ``attribution bench import``.

The batch is ``attribution.batch``, which shares no rule with the worker, over the events that the population makes
anew. Customers are looked at in slices, so that a million events fit into memory.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from zlib import crc32

from attribution.batch import attribute_all
from attribution.types import ConversionEvent, Status, Touch
from clickhouse import queries
from schemas.events import ConversionWireEvent, TouchpointEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attribution.config import AttributionConfig
    from attribution.types import ConversionCredits
    from loadgen.records import Record

SLICES: Final = 8
_Row = tuple[int, list[str], list[str], list[str], list[list[float]], list[list[int]]]


class Facts(NamedTuple):
    """Of one kind of event, without regard to order."""

    events: int
    ids: int
    checksum: int
    micros: int


class Truth:
    """The events that were sent, by slice of their customers, and what they add up to."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._touches: dict[int, list[tuple[str, Touch]]] = defaultdict(list)
        self._conversions: dict[int, list[tuple[str, ConversionEvent]]] = defaultdict(list)
        seen: dict[str, dict[str, int]] = {"touchpoint": {}, "conversion": {}}
        for record in records:
            event = record.event
            if not isinstance(event, TouchpointEvent | ConversionWireEvent):
                raise TypeError(f"a {record.kind} without an event is nothing to import")
            slice_ = crc32(event.customer_id.encode()) % SLICES
            if isinstance(event, TouchpointEvent):
                seen["touchpoint"][event.event_id] = event.cost_micros
                touch = (event.occurred_at_us, event.event_id, event.channel, event.campaign or "")
                self._touches[slice_].append((event.customer_id, touch))
            else:
                seen["conversion"][event.event_id] = event.value_micros
                self._conversions[slice_].append((event.customer_id, _core(event)))
        self.facts = {
            kind: Facts(len(ids), len(ids), sum(crc32(i.encode()) for i in ids), sum(ids.values()))
            for kind, ids in seen.items()
        }

    def credits(self, slice_: int, config: AttributionConfig) -> dict[str, ConversionCredits]:
        """Of the customers of a slice, by conversion id."""
        found = attribute_all(self._touches[slice_], self._conversions[slice_], config)
        return {conversion_id: credits_ for conversion_id, credits_ in found.items() if credits_.conversion.is_live}


def check(client: Any, truth: Truth, config: AttributionConfig) -> int:
    """Compares facts and rows; returns the number of rows, each of which holds every model.

    Raises:
        RuntimeError: something differs; says what.
    """
    found = {row["kind"]: Facts(*list(row.values())[1:]) for row in queries.run(client, "bench_import_facts")}
    if found != truth.facts:
        raise RuntimeError(f"ClickHouse holds {found}, sent was {truth.facts}")
    count = 0
    for slice_ in range(SLICES):
        bound: dict[str, Any] = {"slices": SLICES, "slice": slice_}
        got = {row["conversion_id"]: _stored(row) for row in queries.run(client, "bench_import_rows", **bound)}
        want = {name: _expected(found) for name, found in truth.credits(slice_, config).items()}
        if got != want:
            wrong = sorted(name for name in got.keys() | want.keys() if got.get(name) != want.get(name))
            name = wrong[0]
            raise RuntimeError(
                f"{len(wrong)} conversions differ, {name}: {got.get(name)}, by the batch {want.get(name)}"
            )
        count += len(got)
    return count


def _stored(row: dict[str, Any]) -> _Row:
    return (
        row["value_micros"],
        list(row["models"]),
        list(row["ids"]),
        list(row["channels"]),
        [list(w) for w in row["weights"]],
        [list(m) for m in row["micros"]],
    )


def _expected(found: ConversionCredits) -> _Row:
    return (
        found.conversion.value_micros,
        list(found.models),
        [touch[1] for touch in found.touches],
        [touch[2] for touch in found.touches],
        [list(w) for w in zip(*found.weights, strict=True)],  # the table holds them by touch
        [list(m) for m in zip(*found.micros, strict=True)],
    )


def _core(e: ConversionWireEvent) -> ConversionEvent:
    order, adjusts, status = e.order_id or "", e.adjusts or "", cast("Status", e.status)
    return ConversionEvent(
        e.occurred_at_us, e.event_id, e.conversion_type, order, e.value_micros, e.currency, status, adjusts
    )
