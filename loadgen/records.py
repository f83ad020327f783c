"""What a population yields: one Kafka record, and what must become of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.events import ConversionWireEvent, IdentityEvent, SpendEvent, TouchpointEvent
from schemas.reasons import Reason

Kind: TypeAlias = Literal["touchpoint", "conversion", "spend", "identity"]
Event: TypeAlias = TouchpointEvent | ConversionWireEvent | SpendEvent | IdentityEvent

KINDS: Final[tuple[Kind, ...]] = ("touchpoint", "conversion", "spend")


class Record(NamedTuple):
    """One record in arrival order.

    ``event`` is what the codec must decode it to (apart from offset and time of receipt), ``None`` if it is malformed;
    then ``expected_reason`` says why it must be rejected. ``is_duplicate``: delivered before, same bytes.
    """

    kind: Kind
    topic: str
    key: bytes
    value: bytes
    is_malformed: bool
    expected_reason: Reason | None
    event: Event | None
    is_duplicate: bool = False
