"""A line that the API passes on as it is stands for the same event as the one that it would write anew."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.intake import Taken, take, take_lines
from api.producer import OutRecord
from loadgen.config import PopulationConfig
from loadgen.population import Population
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, EventKind, LocalSchemas
from schemas.lines import json_row
from simulated import START_US

RULES = load_channel_rules(None)
NOW_MS = START_US // 1_000 + 90 * 86_400_000
_POPULATION = Population(PopulationConfig(customers=50, avro=0.0, malformed=0.0), seed=5, start_at_us=START_US)
LINES = {
    kind: [r.value for r in _POPULATION.again().records(2_000) if r.kind == kind]
    for kind in ("touchpoint", "conversion")
}
ODD: list[Any] = [None, "", " ", "x" * 600, 0, -1, 1.5, 2**63, True, [], {}, {"a": 1}, "EUR", "eur", "refunded", "12.5",
                  "2026-09-02T10:00:00", "unattributed", "\ud800", "é"]  # fmt: skip
FIELDS = ["event_id", "customer_id", "occurred_at", "channel", "campaign", "cost", "cost_micros", "value_micros",
          "value", "currency",
          "status", "adjusts", "order_id", "conversion_type", "properties", "click_ids", "touch_type",
          "userId", "messageId", "unknown", "sent_at", "page_url", "referrer"]  # fmt: skip


class _Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def meaning(kind: EventKind, record: OutRecord) -> Any:
    """The event that a worker makes of a record."""
    codec = Codec(kind, channel_rules=RULES, schemas=LocalSchemas())
    return codec.decode(_Record(record.topic, 0, 0, NOW_MS, record.key, record.value))


def both(kind: EventKind, lines: list[bytes]) -> tuple[Taken, Taken]:
    numbered = list(enumerate(lines, 1))
    return take_lines(kind, numbered, RULES, NOW_MS), take(kind, [(n, json_row(x)) for n, x in numbered], RULES, NOW_MS)


@st.composite
def lines(draw: st.DrawFn, kind: str) -> list[bytes]:
    found = []
    for raw in draw(st.lists(st.sampled_from(LINES[kind]), max_size=6)):
        fields = json.loads(raw) | draw(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(ODD), max_size=2))
        for name in draw(st.lists(st.sampled_from(FIELDS), max_size=1)):
            fields.pop(name, None)
        found.append(json.dumps(fields).encode())
    return found + draw(st.lists(st.sampled_from([b"{", b"[]", b"\xff", b"{}", b'{"customer_id": 1}']), max_size=2))


@pytest.mark.parametrize("kind", ["touchpoint", "conversion"])
@given(data=st.data())
def test_quick_and_ordinary_way_agree(kind: EventKind, data: st.DataObject) -> None:
    quick, ordinary = both(kind, data.draw(lines(kind)))
    assert quick.errors == ordinary.errors
    assert (quick.indices, quick.event_ids) == (ordinary.indices, ordinary.event_ids)
    for mine, other in zip(quick.records, ordinary.records, strict=True):
        assert (mine.topic, mine.key) == (other.topic, other.key)
        assert meaning(kind, mine) == meaning(kind, other)


@pytest.mark.parametrize("kind", ["touchpoint", "conversion"])
def test_a_good_part_goes_the_quick_way(kind: EventKind) -> None:
    """Else the law above says nothing."""
    quick, _ = both(kind, LINES[kind])
    assert not quick.errors
    passed = sum(record.value is raw for record, raw in zip(quick.records, LINES[kind], strict=True))
    assert 0.1 < passed / len(LINES[kind]) < 1
