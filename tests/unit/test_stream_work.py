"""What a partition's step does for a bot or a hot customer, counted: journeys read and written, bytes, credits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from attribution.attribute import JourneyView
from attribution.config import AttributionConfig
from attribution.identity import Link
from attribution.journey import Journey
from attribution.merging import Handover
from attribution.types import Conversion, ConversionCredits, ConversionEvent
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from schemas.events import EventKind
from stream_app import journeys
from stream_app.decoding import Decoded, Decoder, Source, Sources
from stream_app.journeys import JourneyStep, PartitionResult
from stream_app.suppression import Suppression

RULES, SCHEMAS = load_channel_rules(), LocalSchemas()
KINDS: dict[str, EventKind] = {"t": "touchpoint", "c": "conversion", "i": "identity"}
START_MS = 1_790_000_000_000
CONFIG = AttributionConfig(models=("linear",), max_touchpoints=100)


@dataclass
class Record:
    topic: str
    offset: int
    key: bytes
    value: bytes
    partition: int = 0
    timestamp: int = START_MS + 10**9
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Memory:
    """Journeys of one partition."""

    stored: dict[bytes, bytes] = field(default_factory=dict)
    erased: dict[bytes, bytes] = field(default_factory=dict)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.stored.get(key) for key in keys]

    def write(self, journeys: Mapping[bytes, bytes | None]) -> None:
        self.stored |= {key: raw for key, raw in journeys.items() if raw is not None}


@dataclass
class Partition:
    """One partition and what was done for it."""

    work: Counter[str]
    memory: Memory = field(default_factory=Memory)
    offset: int = 0

    def __post_init__(self) -> None:
        touches, purchases, links = (
            Source(topic, Codec(kind, channel_rules=RULES, schemas=SCHEMAS)) for topic, kind in KINDS.items()
        )
        none = Source("-", links.codec)
        self.sources = Sources(touches, purchases, none, links, none, "h")
        self.step = JourneyStep(CONFIG, self.sources, Suppression(b""))
        self._attribute = self.step._attribute
        self.step._attribute = self.attribute  # type: ignore[method-assign, assignment, unused-ignore]

    def attribute(self, journey: JourneyView, conversion: Conversion) -> ConversionCredits:
        """The step's own, counted."""
        self.work["attributed"] += 1
        return self._attribute(journey, conversion)

    def record(self, topic: str, customer: str, **body: Any) -> Record:
        self.offset += 1
        body = {"event_id": f"{topic}{self.offset}", "occurred_at": START_MS + self.offset} | body
        return Record(topic, self.offset, customer.encode(), json.dumps({"customer_id": customer, **body}).encode())

    def touch(self, customer: str) -> Record:
        return self.record("t", customer, channel="Email")

    def purchase(self, customer: str) -> Record:
        return self.record("c", customer, value="1", currency="USD", conversion_type="purchase")

    def run(self, *records: Record, handovers: Sequence[Handover] = ()) -> PartitionResult:
        """One epoch; counts begin anew with it."""
        chunks: dict[str, list[Any]] = {}
        for record in records:
            chunks.setdefault(record.topic, []).append(record)
        decoded: Decoded = Decoder(self.sources).decode(chunks)
        decoded.handovers += handovers
        self.work.clear()
        result = self.step.apply(decoded, self.memory, {})
        assert not decoded.rejected
        assert not result.rejected
        self.memory.write(result.journeys)
        return result


class Written(dict[bytes, bytes | None]):
    """Journeys changed in an epoch; counts how often one was written."""

    def __init__(self, work: Counter[str]) -> None:
        super().__init__()
        self._work = work

    def __setitem__(self, key: bytes, raw: bytes | None) -> None:
        self._work["written"] += 1
        super().__setitem__(key, raw)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Journeys read and written, and conversions attributed. Counted where the step calls the core, compiled or not."""
    found: Counter[str] = Counter()

    class Journeys:
        def __call__(self) -> Journey:
            return Journey()

        def from_bytes(self, raw: bytes) -> Journey:
            found["read"] += 1
            return Journey.from_bytes(raw)

    monkeypatch.setattr(journeys, "Journey", Journeys())
    monkeypatch.setattr(journeys, "PartitionResult", lambda events: PartitionResult(events, Written(found)))
    return found


def test_many_events_of_one_customer_in_one_epoch_are_one_journey_read_and_written(work: Counter[str]) -> None:
    """And each of its conversions is attributed once."""
    partition = Partition(work)
    partition.run(partition.touch("hot"), partition.purchase("hot"))
    events = [partition.purchase("hot") if i % 20 == 0 else partition.touch("hot") for i in range(2_000)]
    result = partition.run(*events)

    assert (work["read"], work["written"]) == (1, 1)
    assert work["attributed"] == len(result.credits) == len({c.conversion.conversion_id for _, c in result.credits})


def test_events_links_and_handovers_of_one_id_are_one_journey_read_and_written(work: Counter[str]) -> None:
    """Whatever comes together for an id is merged together, its conversions are attributed once."""
    partition = Partition(work)
    partition.run(partition.touch("ada"), partition.purchase("ada"))
    link = partition.record("i", "ada", previous_id="device")
    told = Handover(
        "phone",
        "ada",
        (("phone", 2),),
        (Link(1, "l0", "phone", "ada"),),
        ((1, "t0", "email", ""),),
        (ConversionEvent(2, "k0", "purchase", "", 5, "USD", "completed", ""),),
    )
    result = partition.run(partition.touch("ada"), partition.purchase("ada"), link, handovers=[told])

    assert (work["read"], work["written"], work["attributed"]) == (1, 1, 3)
    assert {c.conversion.conversion_id for _, c in result.credits} == {"c2", "c5", "k0"}


def test_a_bot_whose_journey_is_full_is_appended_to_without_being_read(work: Counter[str]) -> None:
    """However many epochs: what a touch costs does not grow with the bound."""
    partition = Partition(work)
    partition.run(*[partition.touch("bot") for _ in range(1_000)])
    for _ in range(5):
        result = partition.run(partition.touch("bot"))
        assert len(result.journeys) == 1
        assert (work["read"], work["written"]) == (0, 1)


def test_a_bot_adds_no_work_for_the_others(work: Counter[str]) -> None:
    """Bytes written for everybody else are the same beside it, and its own are one journey an epoch."""
    seen = []
    for beside in (0, 3_000):
        partition = Partition(work)
        partition.run(*[partition.touch("bot") for _ in range(200)])
        others = [partition.touch(f"customer-{i}") for i in range(200)]
        result = partition.run(*others, *[partition.touch("bot") for _ in range(beside)])
        seen.append({key: len(raw or b"") for key, raw in result.journeys.items()})
        assert work["read"] <= 1

    assert {k: n for k, n in seen[1].items() if k != b"bot"} == seen[0]


def test_a_hot_customer_s_old_conversions_are_not_attributed_again_with_every_touch(work: Counter[str]) -> None:
    """The cap takes touches only from windows that reach back to them; those of older conversions are empty by now."""
    partition = Partition(work)
    spread = 10 * 86_400_000
    for i in range(200):
        at = START_MS - (200 - i) * spread // 2
        partition.run(
            partition.record("c", "hot", value="1", currency="USD", conversion_type="purchase", occurred_at=at),
            *[partition.record("t", "hot", channel="Email", occurred_at=at + n) for n in range(10)],
        )
    partition.run(partition.touch("hot"))

    assert 0 < work["attributed"] < 60
