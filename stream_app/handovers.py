"""What workers tell each other on the internal topic: links and events of ids of one person, and requests to forget.

A notice is keyed by the id it is for, so it reaches the worker that holds that id's journey. It must be acknowledged
before the journey that gave it is stored (see ``attribution.merging``). Long handovers travel in several notices: sets
merge in any order.

Layout: u8 format, msgpack array ``[kind, …]``. Raises ``HandoverError`` when a notice is not acknowledged, and
``UnreadableHandoverError`` for bytes that are no notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, TypeAlias

import msgspec
from confluent_kafka import KafkaError, Message

from attribution.identity import Link
from attribution.merging import Handover
from attribution.types import ConversionEvent, Touch
from stream_app.producing import careful_producer

FORMAT_VERSION: Final = 1
TIMEOUT_S: Final = 30.0
#: Most events in one notice: about 1 MB.
_EVENTS: Final = 5_000
_HANDOVER, _FORGET = "handover", "forget"


class HandoverError(RuntimeError):
    """A notice could not be written; the epoch must not become durable."""


class UnreadableHandoverError(ValueError):
    """Bytes on the internal topic that no worker of this version wrote."""


class Forget(NamedTuple):
    """``receiver`` is a former or surviving id of somebody who asked to be forgotten; ``told`` are ids that know."""

    receiver: str
    requested_at_us: int
    policy: str
    told: tuple[str, ...] = ()


Notice: TypeAlias = Handover | Forget

_encode = msgspec.msgpack.Encoder().encode
_kind = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw]).decode
_handover = msgspec.msgpack.Decoder(
    tuple[
        str,
        str,
        tuple[tuple[str, int], ...],
        tuple[Link, ...],
        tuple[Touch, ...],
        tuple[ConversionEvent, ...],
        bool,
    ]
).decode
_forget = msgspec.msgpack.Decoder(Forget).decode


def encode(notice: Notice) -> bytes:
    """The value of one record."""
    if isinstance(notice, Forget):
        body: object = (_FORGET, notice)
    else:
        parts = (notice.sender, notice.receiver, notice.revs, notice.links, notice.touches, notice.events)
        body = (_HANDOVER, (*parts, notice.truncated))
    return bytes([FORMAT_VERSION]) + _encode(body)


def decode(raw: bytes) -> Notice:
    """Read what ``encode`` wrote.

    Raises:
        UnreadableHandoverError: another format, or no notice at all.
    """
    if raw[:1] != bytes([FORMAT_VERSION]):
        raise UnreadableHandoverError(f"no notice of format {FORMAT_VERSION}; only workers may write to this topic")
    try:
        kind, body = _kind(raw[1:])
        if kind == _FORGET:
            return _forget(body)
        return Handover(*_handover(body))
    except msgspec.DecodeError as error:
        raise UnreadableHandoverError(f"broken notice: {error}") from None


def in_pieces(handover: Handover) -> Iterator[Handover]:
    """The same handover as one or more that are small enough for a record."""
    count = max(len(handover.touches), len(handover.events))
    if count <= _EVENTS:
        yield handover
        return
    for start in range(0, count, _EVENTS):
        piece = slice(start, start + _EVENTS)
        yield replace(handover, touches=handover.touches[piece], events=handover.events[piece])


class HandoverWriter:
    """Producer of the internal topic."""

    def __init__(self, servers: str, topic: str) -> None:
        self._topic = topic
        self._producer = careful_producer(servers, max_bytes=8 << 20)

    def write(self, notices: Sequence[Notice]) -> None:
        """Send all and await every acknowledgement. Blocking.

        Raises:
            HandoverError: one was refused or not acknowledged in time.
        """
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                errors.append(error)

        for notice in notices:
            for piece in (notice,) if isinstance(notice, Forget) else in_pieces(notice):
                self._producer.produce(
                    self._topic, key=piece.receiver.encode(), value=encode(piece), on_delivery=delivered
                )
            self._producer.poll(0)
        left = self._producer.flush(TIMEOUT_S)
        if left or errors:
            first = errors[0].str() if errors else f"no answer in {TIMEOUT_S:.0f} s"
            raise HandoverError(f"{self._topic}: {left + len(errors)} notices not written: {first}")
