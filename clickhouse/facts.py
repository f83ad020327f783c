"""Raw facts back as events of the core, customer by customer, in bounded memory.

Customers are cut into buckets by a hash of their id. Within a bucket touches and conversions are read as two streams in
the order of the customer id and joined on the way, so memory holds a few blocks and one customer. Ids that were merged
belong together and may lie in any bucket: they are read by name, with the bucket of the id that survives. Raises the
errors of ``clickhouse.errors``.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.identity import Link, resolve_links
from attribution.types import ConversionEvent, Touch
from clickhouse import queries
from clickhouse.errors import translate

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

#: Merged ids that are read in one query.
_IDS_PER_QUERY: Final = 1_000

_Row: TypeAlias = tuple[Any, ...]


class CustomerFacts(NamedTuple):
    """Everything that is known of one customer."""

    customer_id: str
    touches: Sequence[Touch]
    events: Sequence[ConversionEvent]


def count(client: Client) -> int:
    """Rows that ``customers`` reads over all buckets; a little more while duplicates wait to be merged."""
    return int(queries.run(client, "facts_count")[0]["facts"])


def survivors(client: Client) -> dict[str, str]:
    """Surviving id of every id that was merged into another."""
    links = [Link(*row) for row in _rows(client, "facts_links", {})]
    return {name: root for name, root in resolve_links(links).survivors.items() if name != root}


def customers(client: Client, *, bucket: int, buckets: int, roots: Mapping[str, str]) -> Iterator[CustomerFacts]:
    """The customers of a bucket.

    Args:
        client: where.
        bucket: which one, from 0.
        buckets: of how many.
        roots: customer id -> surviving id, for ids that were merged.
    """
    merged = {*roots, *roots.values()}
    part = {"bucket": bucket, "buckets": buckets}
    touches = _rows(client, "facts_touchpoints", part)
    events = _rows(client, "facts_conversions", part)
    for customer_id, mine, known in _joined(touches, events):
        if customer_id not in merged:
            yield CustomerFacts(customer_id, [_touch(r) for r in mine], [_event(r) for r in known])
    yield from _merged(client, roots, bucket, buckets)


def _merged(client: Client, roots: Mapping[str, str], bucket: int, buckets: int) -> Iterator[CustomerFacts]:
    members: dict[str, list[str]] = defaultdict(list)
    for customer_id in sorted({*roots, *roots.values()}):
        root = roots.get(customer_id, customer_id)
        if zlib.crc32(root.encode()) % buckets == bucket:
            members[root].append(customer_id)
    chunk: list[str] = []
    for root, ids in members.items():
        chunk.append(root)
        if sum(len(members[r]) for r in chunk) + len(ids) > _IDS_PER_QUERY:
            yield from _named(client, {r: members[r] for r in chunk})
            chunk = []
    if chunk:
        yield from _named(client, {r: members[r] for r in chunk})


def _named(client: Client, members: Mapping[str, Sequence[str]]) -> Iterator[CustomerFacts]:
    root_of = {customer_id: root for root, ids in members.items() for customer_id in ids}
    wanted = {"customers": list(root_of)}
    found: dict[str, tuple[list[Touch], list[ConversionEvent]]] = {root: ([], []) for root in members}
    for row in _rows(client, "facts_touchpoints_of", wanted):
        found[root_of[row[0]]][0].append(_touch(row))
    for row in _rows(client, "facts_conversions_of", wanted):
        found[root_of[row[0]]][1].append(_event(row))
    for root, (touches, events) in found.items():
        yield CustomerFacts(root, touches, events)


def _joined(touches: Iterator[_Row], events: Iterator[_Row]) -> Iterator[tuple[str, list[_Row], list[_Row]]]:
    """Both streams are sorted by customer; the engine's order of bytes is the order of code points here."""
    by_customer = itemgetter(0)
    touch_groups = ((key, list(group)) for key, group in groupby(touches, by_customer))
    event_groups = ((key, list(group)) for key, group in groupby(events, by_customer))
    mine, known = next(touch_groups, None), next(event_groups, None)
    while mine is not None or known is not None:
        if known is None or (mine is not None and mine[0] < known[0]):
            assert mine is not None  # noqa: S101  # the loop's condition  # nosec B101
            yield mine[0], mine[1], []
            mine = next(touch_groups, None)
        elif mine is None or known[0] < mine[0]:
            yield known[0], [], known[1]
            known = next(event_groups, None)
        else:
            yield mine[0], mine[1], known[1]
            mine, known = next(touch_groups, None), next(event_groups, None)


def _touch(row: _Row) -> Touch:
    return (row[1], row[2], row[3], row[4])


def _event(row: _Row) -> ConversionEvent:
    return ConversionEvent(*row[1:])


def _rows(client: Client, name: str, parameters: Mapping[str, Any]) -> Iterator[_Row]:
    """Rows of a query, block by block, in columns' order."""
    try:
        with client.query_arrow_stream(queries.load(name), parameters=dict(parameters), use_strings=True) as blocks:
            for block in blocks:
                yield from zip(*(column.to_pylist() for column in block.columns), strict=True)
    except ClickHouseError as error:
        raise translate(error, f"query {name}") from error
