"""Laws of the simulated population: reproducible, valid, true to its truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.attribute import Attributor
from attribution.batch import attribute_all
from attribution.config import AttributionConfig
from attribution.journey import Journey
from loadgen.clocks import Season
from loadgen.config import PopulationConfig
from loadgen.population import Population
from loadgen.run import write_truth
from loadgen.truth import TruthFileError, read_truth
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas, Rejected
from schemas.events import SpendEvent, TouchpointEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import DrawFn

    from loadgen.records import Record
    from schemas.codec import RawRecord
    from schemas.events import Event

START_US = 1_760_000_000_000_000
DAY_US = 86_400_000_000
RECEIVED_MS = START_US // 1000 + 100 * 86_400_000


def population(seed: int = 1, live_rate: float | None = None, **config: float) -> Population:
    return Population(
        PopulationConfig(**({"events_per_day": 1_000.0} | config)),  # type: ignore[arg-type]  # shares and sizes by name
        seed=seed,
        start_at_us=START_US,
        live_rate=live_rate,
    )


@st.composite
def configs(draw: DrawFn) -> PopulationConfig:
    share = st.floats(0, 0.3)
    return PopulationConfig(
        customers=draw(st.integers(1, 5_000)),
        events_per_day=draw(st.floats(200, 50_000)),
        duplicates=draw(share),
        out_of_order=draw(share),
        late=draw(share),
        late_conversions=draw(share),
        refunds=draw(share),
        cancellations=draw(share),
        restatements=draw(share),
        malformed=draw(share),
        avro=draw(st.floats(0, 1)),
        derived_channels=draw(st.floats(0, 1)),
        without_order_id=draw(st.floats(0, 1)),
    )


@pytest.fixture(scope="module")
def decode() -> Callable[[Record], Event | Rejected]:
    rules = load_channel_rules()
    codecs = {
        kind: Codec(kind, channel_rules=rules, schemas=LocalSchemas()) for kind in ("touchpoint", "conversion", "spend")
    }

    def one(record: Record) -> Event | Rejected:
        raw = SimpleNamespace(
            topic=record.topic,
            partition=0,
            offset=0,
            timestamp=RECEIVED_MS,
            key=record.key,
            value=record.value,
            headers=(),
        )
        return codecs[record.kind].decode(cast("RawRecord", raw))

    return one


@settings(max_examples=8, deadline=None)
@given(config=configs(), seed=st.integers(0, 2**32))
def test_every_valid_record_decodes_to_its_event_and_every_other_has_its_reason(
    decode: Callable[[Record], Event | Rejected], config: PopulationConfig, seed: int
) -> None:
    """What the population calls valid or broken, the codec does too."""
    reasons = set()
    for record in Population(config, seed=seed, start_at_us=START_US).records(4_000):
        got = decode(record)
        if record.is_malformed:
            assert isinstance(got, Rejected), record
            assert got.reason == record.expected_reason, record
            reasons.add(got.reason)
        else:
            assert not isinstance(got, Rejected), (record, got)
            assert record.event is not None
            assert got == msgspec.structs.replace(record.event, received_at_us=RECEIVED_MS * 1000), record
    assert len(reasons) >= 8 or config.malformed < 0.02


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 3_000))
def test_the_same_seed_gives_the_same_bytes_and_a_longer_run_begins_like_a_shorter_one(seed: int, size: int) -> None:
    """A run is reproducible from its seed, and does not depend on how much of it is taken."""
    short = list(population(seed).records(size))
    long = list(population(seed).records(size + 2_000))

    assert len(short) == size
    assert long[:size] == short


def test_other_seeds_and_other_starts_share_no_event() -> None:
    """Two runs never collide in ids, so one cannot swallow the other as duplicates."""
    runs = [
        population(1),
        population(2),
        Population(PopulationConfig(events_per_day=1_000.0), seed=1, start_at_us=START_US + 1),
    ]

    ids = [{r.event.event_id for r in run.records(3_000) if r.event} for run in runs]

    assert len(set.union(*ids)) == sum(map(len, ids))


@settings(max_examples=6, deadline=None)
@given(config=configs(), seed=st.integers(0, 2**32))
def test_a_redelivery_is_a_true_copy_of_an_earlier_record_and_nothing_else_repeats(
    config: PopulationConfig, seed: int
) -> None:
    """Every duplicate was delivered before with the same key and bytes; all other records are new."""
    delivered: set[tuple[str, bytes, bytes]] = set()
    ids = set()
    for record in Population(config, seed=seed, start_at_us=START_US).records(5_000):
        same = (record.topic, record.key, record.value)
        if record.is_duplicate:
            assert same in delivered
        elif record.event is not None:
            assert record.event.event_id not in ids
            ids.add(record.event.event_id)
        delivered.add(same)


@pytest.mark.parametrize(
    ("share", "counted"),
    [
        ("duplicates", lambda records: sum(r.is_duplicate for r in records) / sum(not r.is_duplicate for r in records)),
        ("malformed", lambda records: sum(r.is_malformed for r in records) / len(records)),
        ("avro", lambda records: _mean(r.value[:1] == b"\0" for r in records if r.event and r.kind != "spend")),
        ("derived_channels", lambda records: _mean(b'"channel"' not in r.value for r in _json_touches(records))),
    ],
)
def test_a_share_is_kept(share: str, counted: Callable[[list[Record]], float]) -> None:
    """The records hold each share that the configuration asks for, within the noise of its size."""
    records = list(population(3, **{share: 0.2}).records(20_000))

    assert counted(records) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("share", ["duplicates", "malformed", "avro", "refunds", "cancellations", "restatements"])
def test_a_share_of_zero_leaves_none(share: str) -> None:
    """0 means never, not seldom."""
    records = list(population(3, **{share: 0.0}).records(10_000))

    found = {
        "duplicates": any(r.is_duplicate for r in records),
        "malformed": any(r.is_malformed for r in records),
        "avro": any(r.event and r.value[:1] == b"\0" for r in records),
        "refunds": any(b'"refunded"' in r.value and r.event for r in records),
        "cancellations": any(b'"cancelled"' in r.value and r.event for r in records),
        "restatements": population(3, restatements=0.0).config.restatements,
    }
    assert not found[share]


def test_touches_come_out_of_order_only_if_asked() -> None:
    """With the share at 0 only seconds of latency remain; at 0.3 many touches are overtaken in their own journey."""
    calm = _overtaken(population(5, out_of_order=0.0, late=0.0, duplicates=0.0, malformed=0.0))
    wild = _overtaken(population(5, out_of_order=0.3, late=0.0, duplicates=0.0, malformed=0.0))

    assert calm < 0.02
    assert wild > calm + 0.1


def test_late_touches_arrive_after_their_conversion() -> None:
    """The share moves touches behind the conversion that they earned."""

    def late_share(late: float) -> float:
        converted: dict[str, int] = {}
        flags = []
        for r in population(6, late=late, duplicates=0.0, malformed=0.0, customers=100_000).records(15_000):
            if r.kind == "conversion" and r.event is not None:
                converted[r.key.decode()] = r.event.occurred_at_us  # type: ignore[union-attr]  # kind says which
            elif isinstance(r.event, TouchpointEvent):
                flags.append(r.event.occurred_at_us < converted.get(r.event.customer_id, 0))
        return _mean(flags)

    assert late_share(0.5) > late_share(0.0) + 0.05


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), per_day=st.floats(100, 100_000))
def test_a_run_covers_the_period_asked_for(seed: int, per_day: float) -> None:
    """``n`` records at ``events_per_day`` span ``n / events_per_day`` days; day and night move them by hours."""
    size = 6_000
    times = [_at(r) for r in population(seed, events_per_day=per_day).records(size) if r.event and r.kind != "spend"]

    assert min(times) >= START_US - 1_000
    assert max(times) <= START_US + size / per_day * DAY_US + DAY_US / 4


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.floats(10, 100_000))
def test_a_live_event_never_happens_after_it_is_sent(seed: int, rate: float) -> None:
    """Record ``i`` of a live run, due ``i / rate`` seconds after the start, is not from the future."""
    stream = population(seed, live_rate=rate)
    ages = [
        START_US + i / rate * 1e6 - _at(r)
        for i, r in enumerate(stream.records(12_000))
        if r.event is not None and r.kind != "spend"
    ]

    # Spend reports stand between the records without being paced, so the clock may be ahead by a report's length.
    assert min(ages) >= -200 / rate * 1e6
    assert np.median(ages) < 0.2 * 12_000 / rate * 1e6


@given(start_us=st.integers(0, 4 * 10**15), seconds=st.lists(st.floats(0, 1e8), min_size=2, max_size=30))
def test_seasons_keep_the_order_and_the_weeks(start_us: int, seconds: list[float]) -> None:
    """Bent time is monotone, starts at 0, keeps whole weeks and moves nothing by half a day."""
    season = Season(start_us)
    even = np.sort(np.array([0.0, *seconds]))
    bent = season.bend(even)

    assert (np.diff(bent) >= -1e-6).all()
    assert bent[0] == pytest.approx(0, abs=1e-3)
    assert season.bend(even + 7 * 86_400) == pytest.approx(bent + 7 * 86_400, abs=1e-3)
    assert np.abs(bent - even).max() < 86_400


def test_evenings_are_busier_than_nights() -> None:
    """Events follow the hours of the day."""
    hours = Counter(
        _at(r) // 3_600_000_000 % 24 for r in population(4).records(20_000) if r.event and r.kind != "spend"
    )

    assert sum(hours[h] for h in (19, 20, 21)) > 5 * sum(hours[h] for h in (2, 3, 4))


def test_spend_is_what_the_clicks_cost() -> None:
    """A spend report equals the costs of the clicks of its day, channel and campaign that were delivered before it."""
    costs: dict[tuple[int, str, str], int] = defaultdict(int)
    reports = 0
    for record in population(7, events_per_day=300.0).records(20_000):
        event = record.event
        if isinstance(event, TouchpointEvent) and not record.is_duplicate:
            costs[event.occurred_at_us // DAY_US, event.channel, event.campaign or ""] += event.cost_micros
        elif isinstance(event, SpendEvent):
            reports += 1
            assert event.cost_micros == costs[event.spend_day, event.channel, event.campaign or ""]

    assert reports > 200


def test_buyers_of_businesses_pass_their_milestones_in_order() -> None:
    """Every closed deal of a journey has a lead and an opportunity before it."""
    stages: dict[str, dict[str, int]] = defaultdict(dict)
    sales = 0
    for r in population(8, customers=10**6, late_conversions=0.0).records(40_000):
        if r.kind == "conversion" and r.event is not None and not r.event.adjusts:  # type: ignore[union-attr]  # kind says which
            stages[r.event.customer_id][r.event.conversion_type] = _at(r)  # type: ignore[union-attr]  # same
    for times in stages.values():
        if "closed_won" in times:
            sales += 1
            assert times["lead_created"] <= times["opportunity_created"] <= times["closed_won"]

    assert sales > 10


def test_the_truth_holds_every_valid_event_once_and_every_broken_record(tmp_path: Path) -> None:
    """Reading the truth file back gives exactly what the stream held."""
    write_truth(population(9, malformed=0.05), 12_000, tmp_path / "truth.jsonl")
    truth = read_truth(tmp_path / "truth.jsonl")
    records = list(population(9, malformed=0.05).records(12_000))
    once = [r.event for r in records if r.event and not r.is_duplicate]

    assert [*truth.touchpoints, *truth.conversions, *truth.spend] == sorted(
        once, key=lambda e: (isinstance(e, SpendEvent), not isinstance(e, TouchpointEvent))
    )
    assert [(m.topic, m.key, m.value, m.reason) for m in truth.malformed] == [
        (r.topic, r.key, r.value, r.expected_reason) for r in records if r.is_malformed
    ]
    assert truth.summary["records"] == 12_000
    assert truth.summary["duplicates"] == sum(r.is_duplicate for r in records)
    assert sum(truth.summary["malformed"].values()) == len(truth.malformed)


@pytest.mark.parametrize("damage", ["cut", "extra", "unknown"])
def test_a_damaged_truth_file_is_refused(tmp_path: Path, damage: str) -> None:
    """A run that was cut off, or lines of another kind, never pass as truth."""
    path = tmp_path / "truth.jsonl"
    write_truth(population(), 500, path)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "cut": lines[:-1],
        "extra": [*lines, lines[1]],
        "unknown": [lines[0], b'{"type":"surprise"}\n', *lines[1:]],
    }
    path.write_bytes(b"".join(changed[damage]))

    with pytest.raises(TruthFileError, match=r"truth\.jsonl"):
        read_truth(path)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_streaming_the_population_equals_the_batch_over_its_truth(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """No valid event is too late or too much for a default journey, so a worker can reach the truth exactly."""
    config = AttributionConfig()
    path = tmp_path_factory.mktemp("truth") / "truth.jsonl"
    shape = {"customers": 600, "events_per_day": 150.0, "late": 0.2, "late_conversions": 0.2, "refunds": 0.3}
    write_truth(population(seed, **shape), 6_000, path)
    truth = read_truth(path)
    journeys: dict[str, Journey] = defaultdict(Journey)
    conversions = dict(zip((e.event_id for e in truth.conversions), truth.conversion_events(), strict=True))
    for record in population(seed, **shape).records(6_000):
        event = record.event
        if isinstance(event, TouchpointEvent):
            touch = (event.occurred_at_us, event.event_id, event.channel, event.campaign or "")
            journeys[event.customer_id].apply([touch], [], config)
        elif record.kind == "conversion" and event is not None:
            customer_id, conversion = conversions[event.event_id]
            journeys[customer_id].apply([], [conversion], config)
    attributor = Attributor(config)

    streamed = {c.conversion_id: attributor.attribute(j, c) for j in journeys.values() for c in j.conversions()}

    assert streamed == attribute_all(truth.touches(), truth.conversion_events(), config)
    assert len(streamed) > 100


def test_what_channels_caused_matches_what_happened() -> None:
    """Conversions are as many as the chances say; a channel without effect causes none, the strongest the most."""
    stream = population(10, customers=10**6)
    sent = sum(1 for _ in stream.records(60_000))
    causal = stream.causal(sent)
    caused = causal.incremental_conversions

    assert causal.converted == pytest.approx(causal.expected_conversions, abs=4 * causal.converted**0.5)
    assert caused["Direct"] == 0
    assert max(caused, key=lambda name: caused[name]) == "Paid Search"
    assert 0 < sum(caused.values()) < causal.converted


def _overtaken(stream: Population) -> float:
    newest: dict[bytes, int] = {}
    flags = []
    for record in stream.records(15_000):
        if record.kind == "touchpoint":
            flags.append(_at(record) < newest.get(record.key, 0))
            newest[record.key] = max(newest.get(record.key, 0), _at(record))
    return _mean(flags)


def _at(record: Record) -> int:
    event = record.event
    assert event is not None
    assert not isinstance(event, SpendEvent)
    return event.occurred_at_us


def _json_touches(records: list[Record]) -> list[Record]:
    return [r for r in records if r.kind == "touchpoint" and r.event and r.value[:1] == b"{"]


def _mean(flags: object) -> float:
    return float(np.mean(list(flags)))  # type: ignore[call-overload]  # any iterable of truth values
