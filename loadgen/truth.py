"""The truth file: every valid event once in canonical form, every malformed record with its reason, and the causes.

JSON Lines: first ``population`` (settings), then ``touchpoint``, ``conversion``, ``spend`` and ``malformed`` in order
of sending, last ``summary`` (counts and causal truth). Bytes are base64. A file without its summary was cut off, and
reading it raises ``TruthFileError``, as does any line that is not of this form.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, cast

import msgspec

from attribution.types import ConversionEvent, Status, Touch
from loadgen.tally import Tally
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from loadgen.causal import CausalReport
    from loadgen.population import Population
    from loadgen.records import Event, Record

FORMAT_VERSION: Final = 1
_EVENTS: Final[dict[str, type[Event]]] = {
    "touchpoint": TouchpointEvent,
    "conversion": ConversionWireEvent,
    "spend": SpendEvent,
}
_FIELDS: Final = {kind: kind.__struct_fields__ for kind in _EVENTS.values()}


class TruthFileError(ValueError):
    """The file is no complete truth file; says which line and why."""


class MalformedRecord(NamedTuple):
    """A record that must become a dead letter with these bytes and this reason."""

    topic: str
    key: bytes
    value: bytes
    reason: str


class TruthWriter:
    """Writes a truth file while records are sent; a context manager. Without ``finish`` the file stays incomplete."""

    def __init__(self, path: Path, population: Population) -> None:
        self._file = path.open("wb")
        self.tally = Tally()
        self._write(
            {
                "type": "population",
                "format": FORMAT_VERSION,
                "seed": population.seed,
                "start_at_us": population.start_at_us,
                "config": population.config.as_dict(),
                "effects": {c.name: c.effect for c in population.config.channels},
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, record: Record) -> None:
        """Note a record that was sent; a redelivery is only counted."""
        self.tally.add(record)
        if record.is_duplicate:
            return
        if record.event is None:
            self._write(
                {
                    "type": "malformed",
                    "topic": record.topic,
                    "key": b64encode(record.key).decode(),
                    "value": b64encode(record.value).decode(),
                    "reason": record.expected_reason,
                }
            )
            return
        event = record.event
        given = {name: value for name in _FIELDS[type(event)] if (value := getattr(event, name)) is not None}
        self._write({"type": record.kind, "event": given})

    def finish(self, causal: CausalReport) -> None:
        """Write the summary; everything before it was sent."""
        self._write({"type": "summary", **self.tally.as_dict(), "causal": asdict(causal)})
        self._file.flush()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")


@dataclass(slots=True)
class Truth:
    """What was sent. Events are distinct and in order of sending: of two spend events of a key the later one holds."""

    population: dict[str, Any] = field(default_factory=dict)
    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    malformed: list[MalformedRecord] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def touches(self) -> Iterator[tuple[str, Touch]]:
        """``(customer_id, touch)`` of each touchpoint, as the batch core takes them."""
        for e in self.touchpoints:
            yield e.customer_id, (e.occurred_at_us, e.event_id, e.channel, e.campaign or "")

    def conversion_events(self) -> Iterator[tuple[str, ConversionEvent]]:
        """``(customer_id, event)`` of each conversion and correction, as the batch core takes them."""
        for e in self.conversions:
            yield (
                e.customer_id,
                ConversionEvent(
                    at_us=e.occurred_at_us,
                    event_id=e.event_id,
                    conversion_type=e.conversion_type,
                    order_id=e.order_id or "",
                    value_micros=e.value_micros,
                    currency=e.currency,
                    status=cast("Status", e.status),
                    adjusts=e.adjusts or "",
                ),
            )

    def spend_by_key(self) -> dict[tuple[int, str, str], int]:
        """Cost in micros by (day since 1970, channel, campaign), restatements applied."""
        return {(e.spend_day, e.channel, e.campaign or ""): e.cost_micros for e in self.spend}


def read_truth(path: Path) -> Truth:
    """Read a complete truth file.

    Raises:
        TruthFileError: a line is broken or unknown, or the summary is missing.
    """
    truth = Truth()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if truth.summary:
                raise TruthFileError(f"{path}:{number}: there is a line after the summary")
            try:
                _take(truth, msgspec.json.decode(line))
            except (msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
                raise TruthFileError(f"{path}:{number}: {type(error).__name__}: {error}") from None
    if not truth.summary:
        raise TruthFileError(f"{path}: ends without a summary: the run was cut off; run it again")
    return truth


def _take(truth: Truth, line: dict[str, Any]) -> None:
    kind = line["type"]
    if kind == "population":
        if line["format"] != FORMAT_VERSION:
            raise ValueError(f"format {line['format']}, this program reads {FORMAT_VERSION}; write the file anew")
        truth.population = line
    elif kind == "summary":
        truth.summary = line
    elif kind == "malformed":
        truth.malformed.append(
            MalformedRecord(line["topic"], b64decode(line["key"]), b64decode(line["value"]), line["reason"])
        )
    elif kind == "touchpoint":
        truth.touchpoints.append(msgspec.convert(line["event"], TouchpointEvent))
    elif kind == "conversion":
        truth.conversions.append(msgspec.convert(line["event"], ConversionWireEvent))
    elif kind == "spend":
        truth.spend.append(msgspec.convert(line["event"], SpendEvent))
    else:
        raise ValueError(f"unknown type {kind!r}")
