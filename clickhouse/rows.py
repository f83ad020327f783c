"""Events and credits as Arrow tables, column by column. Pure: no IO, no clock.

Units: names ending in ``_us`` are microseconds since the epoch; money is int64 micros. Each function returns a table
whose columns are declared in ``clickhouse.tables``. Columns that hold nothing but absent values are left out, the
table's defaults apply. An empty input gives a table of no rows. Raises ``ValueError`` for a struct without a field that
the table needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from attribution.config import DAY_US
from clickhouse.tables import (
    CONVERSIONS,
    DEAD_LETTERS,
    DIRTY_DAYS,
    IDENTITIES,
    RUNS,
    SPEND,
    TIMESTAMP_MS,
    TIMESTAMP_US,
    TOUCHPOINTS,
    WORKER_PROGRESS,
    Column,
    Table,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from attribution.types import ConversionCredits

#: ``(customer_id, credits)``
CustomerCredits: TypeAlias = "tuple[str, ConversionCredits]"

#: Room for offsets below the milliseconds in ``spend.version``: 44 bits of time + 20 bits of offset fit UInt64.
_OFFSET_SPAN: Final = 1 << 20
#: Structs whose fields are taken apart together: what that needs stays in the processor's cache.
_AT_ONCE: Final = 2_000
#: ``Date`` counts days in 16 bits; earlier and later times are held at its ends, as ``toDate`` does.
_LAST_DAY: Final = (1 << 16) - 1
#: The unit in which a day's sums are built anew while it is written to, and part of the key of ``attributions``.
MINUTE_US: Final = 60_000_000
_MINUTES_PER_DAY: Final = 1_440
#: More changed minutes than this in one write, and whole days are marked: nobody waits for them one by one.
MOST_UNITS: Final = 256


class Progress(NamedTuple):
    """How far a worker is: ``offset`` is the next one to be read, ``watermark_us`` the newest event time there."""

    topic: str
    partition: int
    offset: int
    watermark_us: int


class DeadLetter(NamedTuple):
    """Origin and reason of a refused record; ``recorded_at_us`` is the broker's time of the record."""

    topic: str
    partition: int
    offset: int
    reason: str
    field: str
    detail: str
    stage: str
    recorded_at_us: int
    failed_at_us: int
    attempts: int


def day_of(at_us: int) -> int:
    """Days since 1970-01-01 (UTC), as ClickHouse's ``toDate`` gives it."""
    return min(max(at_us // DAY_US, 0), _LAST_DAY)


def touchpoint_rows(events: Sequence[msgspec.Struct], trace_ids: Mapping[str, str] | None = None) -> pa.Table:
    """``schemas.events.TouchpointEvent`` as rows of ``touchpoints``; ``trace_ids``: by event id, of those with one."""
    return _with_traces(_event_table(TOUCHPOINTS, events), trace_ids)


def conversion_rows(events: Sequence[msgspec.Struct], trace_ids: Mapping[str, str] | None = None) -> pa.Table:
    """``schemas.events.ConversionWireEvent`` as rows of ``conversions``, corrections included; see above."""
    return _with_traces(_event_table(CONVERSIONS, events), trace_ids)


def _with_traces(table: pa.Table, trace_ids: Mapping[str, str] | None) -> pa.Table:
    if not trace_ids:
        return table
    found = [trace_ids.get(event_id, "") for event_id in table["event_id"].to_pylist()]
    return table.append_column("trace_id", pa.array(found, pa.string()))


def identity_rows(events: Sequence[msgspec.Struct]) -> pa.Table:
    """``schemas.events.IdentityEvent`` as rows of ``identities``."""
    return _event_table(IDENTITIES, events)


def spend_rows(events: Sequence[msgspec.Struct]) -> pa.Table:
    """``schemas.events.SpendEvent`` as rows of ``spend``; of two for the same key the one that arrived later wins.

    Arrival is the broker's time in milliseconds; within one millisecond of one partition the higher offset wins.
    """
    return _event_table(SPEND, events)


def progress_rows(app: str, entries: Sequence[Progress], *, run_id: int) -> pa.Table:
    """Rows of ``worker_progress``, stamped by the server."""
    topics, partitions, offsets, watermarks = zip(*entries, strict=True) if entries else ((), (), (), ())
    n = len(entries)
    return _table(
        WORKER_PROGRESS,
        {
            "run_id": [run_id] * n,
            "app": [app] * n,
            "topic": topics,
            "partition": partitions,
            "offset": offsets,
            "watermark_us": watermarks,
        },
    )


def dead_letter_rows(letters: Sequence[DeadLetter]) -> pa.Table:
    """Rows of ``dead_letters``."""
    columns: dict[str, Any] = {name: [getattr(x, name) for x in letters] for name in DeadLetter._fields}
    for name in ("recorded_at", "failed_at"):
        columns[name] = _milliseconds(columns.pop(f"{name}_us"))
    return _table(DEAD_LETTERS, columns)


def dirty_day_rows(credits_: Sequence[CustomerCredits], *, run_id: int) -> pa.Table:
    """What ``attribution_rows`` changes: minutes of days, or days when those are many; stamped by the server."""
    times = {at for _, c in credits_ for at in (c.conversion.at_us, *c.conversion.former_at_us)}
    units = sorted({(day_of(at), _unit_of(at)) for at in times})
    if len(units) > MOST_UNITS:
        return dirty_days(sorted({day for day, _ in units}), run_id=run_id)
    days, minutes = zip(*units, strict=True) if units else ((), ())
    return _table(DIRTY_DAYS, {"run_id": [run_id] * len(units), "day": days, "unit": minutes})


def dirty_days(days: Sequence[int], *, run_id: int) -> pa.Table:
    """Marks for whole days (since 1970-01-01), for instance to rebuild a range."""
    return _table(DIRTY_DAYS, {"run_id": [run_id] * len(days), "day": days})


def _unit_of(at_us: int) -> int:
    """The minute of the day, from 1; 0, the whole day, for the two ends at which other days are held."""
    return at_us // MINUTE_US % _MINUTES_PER_DAY + 1 if 0 < day_of(at_us) < _LAST_DAY else 0


def run_rows(
    run_id: int,
    *,
    label: str,
    models: Sequence[str],
    config_hash: str,
    config_json: str,
    more: Mapping[str, str | int] | None = None,
) -> pa.Table:
    """The one row of ``runs`` that describes a run; stamped by the server, the last one wins.

    Args:
        run_id: which run.
        label: its name.
        models: its models.
        config_hash: of its parameters.
        config_json: its parameters.
        more: values of the optional columns; those that are left out are blank.
    """
    columns = {
        "run_id": [run_id],
        "label": [label],
        "models": [list(models)],
        "config_hash": [config_hash],
        "config": [config_json],
    }
    return _table(RUNS, columns | {name: [value] for name, value in (more or {}).items()})


def attribution_rows(
    credits_: Sequence[CustomerCredits], *, run_id: int, config_hash: str, emitted_at_us: int
) -> pa.Table:
    """Rows of ``attributions``: one per conversion, with lists over its touches and, inside, over its models.

    A conversion that is not live gives a deleted row. So does every former minute of a conversion, because the minute
    is part of the row's key; a former minute equal to the present one gives none. ``rev`` decides between rows of one
    key.
    """
    entries = [*credits_, *_former(credits_)]
    items = [c for _, c in entries]
    conversions = [c.conversion for c in items]
    n = len(items)
    is_live = np.fromiter((c.is_live for c in conversions), np.bool_, n)
    n_models = np.fromiter((len(c.models) for c in items), np.int64, n)
    n_touches = np.fromiter((len(c.touches) if c.conversion.is_live else 0 for c in items), np.int64, n)
    touches = list(chain.from_iterable(c.touches for c in items if c.conversion.is_live))
    at, ids, channels, campaigns = zip(*touches, strict=True) if touches else ((), (), (), ())
    touch_offsets = _offsets(n_touches)
    credit_offsets = _offsets(np.repeat(n_models, n_touches))
    by_touch = _by_touch(n_touches, n_models)

    def touch_list(values: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(touch_offsets, values)

    def credit_list(values: Iterable[Iterable[Iterable[Any]]], kind: type) -> pa.Array:
        flat: npt.NDArray[Any] = np.fromiter(chain.from_iterable(chain.from_iterable(values)), kind, len(by_touch))
        return touch_list(pa.ListArray.from_arrays(credit_offsets, pa.array(flat[by_touch])))

    columns = {
        "run_id": pa.array(np.full(n, run_id, np.uint32)),
        "conversion_id": pa.array([c.conversion_id for c in conversions], pa.string()),
        "customer_id": pa.array([customer_id for customer_id, _ in entries], pa.string()),
        "conversion_type": _repeating([c.conversion_type for c in conversions]),
        "converted_at": pa.array([c.at_us for c in conversions], pa.int64()).cast(TIMESTAMP_US),
        "value_micros": pa.array([c.value_micros for c in conversions], pa.int64()),
        "currency": _repeating([c.currency for c in conversions]),
        "models": _text_lists([c.models for c in items]),
        "fallbacks": _text_lists([c.fallbacks if any(c.fallbacks) else () for c in items]),
        "t.id": touch_list(pa.array(ids, pa.string())),
        "t.at": touch_list(pa.array(at, pa.int64()).cast(TIMESTAMP_US)),
        "t.channel": touch_list(_repeating(channels)),
        "t.campaign": touch_list(_repeating(campaigns)),
        "t.weights": credit_list((c.weights for c in items if c.conversion.is_live), np.float64),
        "t.value_micros": credit_list((c.micros for c in items if c.conversion.is_live), np.int64),
        "truncated": pa.array(np.fromiter((c.truncated for c in items), np.uint8, n)),
        "config_hash": _repeating([config_hash] * n),
        "rev": pa.array([c.rev for c in items], pa.uint64()),
        "is_deleted": pa.array(~is_live).cast(pa.uint8()),
        "emitted_at": pa.array(np.full(n, emitted_at_us // 1_000)).cast(TIMESTAMP_MS),
    }
    if not len(columns["fallbacks"].values):
        del columns["fallbacks"]
    if any(versions := [c.model_version for c in items]):
        columns["model_version"] = _repeating(versions)
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _by_touch(n_touches: npt.NDArray[np.int64], n_models: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each credit is that comes touch by touch, in lists that go model by model; conversions stay in order."""
    n_credits = n_touches * n_models
    begin = np.repeat(np.cumsum(n_credits) - n_credits, n_credits)
    touch, model = np.divmod(np.arange(len(begin)) - begin, np.repeat(n_models, n_credits))
    found: npt.NDArray[np.int64] = begin + model * np.repeat(n_touches, n_credits) + touch
    return found


def _text_lists(values: Sequence[Sequence[str]]) -> pa.Array:
    """Lists of texts of which most are equal."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return pa.ListArray.from_arrays(_offsets(lengths), _repeating(list(chain.from_iterable(values))))


def _former(credits_: Sequence[CustomerCredits]) -> list[CustomerCredits]:
    """A deletion for each minute, other than the present one, in which a conversion was perhaps written."""
    found: list[CustomerCredits] = []
    for customer_id, c in credits_:
        if not c.conversion.former_at_us:
            continue
        by_minute = {at // MINUTE_US: at for at in c.conversion.former_at_us}
        by_minute.pop(c.conversion.at_us // MINUTE_US, None)
        for at in by_minute.values():
            gone = replace(c.conversion, at_us=at, is_live=False, former_at_us=())
            found.append((customer_id, replace(c, conversion=gone, touches=(), weights=(), micros=())))
    return found


def _repeating(values: Iterable[str | None]) -> pa.Array:
    """Texts as indices into the distinct ones (ClickHouse wants them distinct): each text is sent once."""
    return pa.array(values if isinstance(values, Sequence) else list(values), pa.string()).dictionary_encode()


def _offsets(lengths: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _milliseconds(us: Iterable[int]) -> pa.Array:
    return pa.array([x // 1_000 for x in us], pa.int64()).cast(TIMESTAMP_MS)


def _version(received_at_us: Sequence[int], offsets: Sequence[int]) -> pa.Array:
    return pa.array(
        [us // 1_000 * _OFFSET_SPAN + o % _OFFSET_SPAN for us, o in zip(received_at_us, offsets, strict=True)],
        pa.uint64(),
    )


def _days(days: Sequence[int]) -> pa.Array:
    return pa.array(days, pa.int32()).cast(pa.date32())


def _event_table(table: Table, events: Sequence[msgspec.Struct]) -> pa.Table:
    """Columns of ``table`` from the struct fields of the same name; ``x_at`` is read from ``x_at_us``."""
    if not events:
        return _table(table, {column.name: [] for column in table.columns if not column.beside})
    fields = _columns(events)
    if table is SPEND and {"spend_day", "received_at_us", "offset"} <= fields.keys():
        fields["spend_date"] = fields["spend_day"]
        fields["version"] = _version(fields["received_at_us"], fields["offset"])
    names: list[str] = []
    arrays: list[pa.Array] = []
    for column in table.columns:
        if column.beside:
            continue
        values = fields.get(f"{column.name}_us" if column.name.endswith("_at") else column.name)
        if values is None:
            raise ValueError(
                f"{table.name}.{column.name}: {type(events[0]).__name__} has no such field; "
                f"give the event type that belongs to this table"
            )
        if column.optional and not any(values):
            continue
        names.append(column.name)
        arrays.append(_array(column, values))
    return pa.Table.from_arrays(arrays, names=names)


def _columns(events: Sequence[msgspec.Struct]) -> dict[str, list[Any]]:
    """The values of each field, a few thousand structs at a time: tuples of all would be touched for the first time."""
    names = events[0].__struct_fields__
    columns: list[list[Any]] = [[] for _ in names]
    for start in range(0, len(events), _AT_ONCE):
        part = zip(*map(msgspec.structs.astuple, events[start : start + _AT_ONCE]), strict=True)
        for column, values in zip(columns, part, strict=True):
            column.extend(values)
    return dict(zip(names, columns, strict=True))


def _table(table: Table, columns: dict[str, Any]) -> pa.Table:
    """The declared columns that are given, in declared order."""
    present = [column for column in table.columns if column.name in columns]
    return pa.Table.from_arrays(
        [_array(column, columns[column.name]) for column in present], names=[column.name for column in present]
    )


def _array(column: Column, values: Any) -> pa.Array:
    kind = column.arrow_type
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_timestamp(kind):
        times = pa.array(values, pa.int64())
        return (times.fill_null(0) if times.null_count else times).cast(kind)
    if pa.types.is_date(kind):
        return _days(values)
    if pa.types.is_map(kind):
        return pa.array([list(v.items()) if v else [] for v in values], kind)
    return pa.array(values, kind)
