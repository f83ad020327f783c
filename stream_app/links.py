"""Identity events and handovers in the core's own form, by the id they are for.

The record of an identity event is kept beside its link in the journey: whether the link closes a cycle may be known
only later, when another worker's links arrive, and the dead letter then still has its original bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from attribution.identity import Link
from attribution.merging import Arrived, Handover, Outcome
from schemas.codec import RawRecord, Rejected
from schemas.events import IdentityEvent


class KeptRecord(msgspec.Struct, array_like=True, frozen=True):
    """A record as the broker handed it over; has the shape of ``RawRecord``."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptRecord).decode


def keep(record: RawRecord) -> bytes:
    """A record as bytes."""
    headers = tuple((name, value) for name, value in record.headers or ())
    return _encode(
        KeptRecord(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers)
    )


def by_id(
    identities: Sequence[IdentityEvent], handovers: Sequence[Handover], records: Sequence[RawRecord]
) -> dict[str, Arrived]:
    """Links by surviving id and handovers by receiver; ``records`` is the chunk the identity events come from."""
    todo: dict[str, Arrived] = {}
    if identities:
        by_offset = {record.offset: record for record in records}
        for event in identities:
            link = Link(event.occurred_at_us, event.event_id, event.previous_id, event.customer_id)
            todo.setdefault(event.customer_id, Arrived()).links.append((link, keep(by_offset[event.offset])))
    for handover in handovers:
        todo.setdefault(handover.receiver, Arrived()).handovers.append(handover)
    return todo


def beyond_bound(outcome: Outcome) -> set[int]:
    """Offsets of identity events that were not taken; they are no facts."""
    return {_decode(raw).offset for raw in outcome.too_many}


def refused(outcome: Outcome, max_ids: int) -> Iterator[Rejected]:
    """Records whose links were not followed."""
    for raw in outcome.refused:
        detail = "the surviving id is a former id of this one already: the link is not followed"
        yield Rejected(_decode(raw), "identity_cycle", "previous_id", detail)
    for raw in outcome.too_many:
        detail = f"the person would have more than {max_ids} ids; raise ATTRIBUTION_MAX_LINKED_IDS if that is right"
        yield Rejected(_decode(raw), "too_many_ids", "previous_id", detail)
