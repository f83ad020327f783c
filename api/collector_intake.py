"""From the collector's events to records of Kafka, under the same checks as bulk intake; the rest are dead letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from api.collector_letters import letter
from api.intake import checked
from api.producer import OutRecord
from attribution.channels import ChannelRules
from collector.mapped import Mapped, Read
from schemas.reasons import DROP_REASONS
from schemas.records import InvalidRecordError
from schemas.topics import topic_of


class Refused(NamedTuple):
    """A message that became a dead letter. ``at`` counts messages of the request from 0."""

    at: int
    message: object
    refusal: InvalidRecordError


@dataclass(slots=True)
class Collected:
    """``records`` of events and of dead letters. Each message counts once: accepted, ignored or refused."""

    records: list[OutRecord] = field(default_factory=list)
    accepted: int = 0
    ignored: int = 0
    refused: list[Refused] = field(default_factory=list)


def collect(reads: Sequence[Read], rules: ChannelRules, now: datetime, topic_named: Callable[[str], str]) -> Collected:
    """Check every message at the time ``now``.

    Args:
        reads: what the collector made of the messages.
        rules: how channels are derived.
        now: aware UTC.
        topic_named: the workspace's name of a topic.
    """
    found, now_ms = Collected(), int(now.timestamp() * 1000)
    linked: set[object] = set()
    for at, read in enumerate(reads):
        try:
            if read.refusal is not None:
                raise read.refusal
            records = _records(read.events, rules, now_ms, linked)
        except InvalidRecordError as refusal:
            topic = topic_named(topic_of(read.kind).topic)
            found.records.append(letter(read, refusal, topic=topic, now=now))
            found.refused.append(Refused(at, read.message, refusal))
            continue
        if records is None:
            found.ignored += 1
        else:
            found.accepted += 1
            found.records += records
    return found


def _records(events: Sequence[Mapped], rules: ChannelRules, now_ms: int, linked: set[object]) -> list[OutRecord] | None:
    """Records of one message, all or none; None when there is nothing to attribute in it.

    A visit that returns from the own site or a payment gateway is no touch, as in the worker. A link that an earlier
    message of the request gave already is not written again.
    """
    records: list[OutRecord] | None = None
    fresh: set[object] = set()
    for kind, fields in events:
        try:
            _, record = checked(kind, fields, rules, now_ms)
        except InvalidRecordError as error:
            if error.reason in DROP_REASONS:
                continue
            raise
        records = records or []
        if kind == "identity":
            name = fields["event_id"]
            if name in linked:
                continue
            fresh.add(name)
        records.append(record)
    linked |= fresh
    return records
