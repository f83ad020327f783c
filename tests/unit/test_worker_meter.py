"""What a worker counts of an epoch, how far it says it is behind, and that money which does not add up is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from attribution.types import Conversion, ConversionCredits
from clickhouse.conservation import error_micros
from clickhouse.rows import attribution_rows
from schemas.events import ConversionWireEvent, TouchpointEvent
from schemas.records import Rejected
from stream_app.batch import Batch, Stages
from stream_app.fetch import Record
from stream_app.lag import Arrivals, Lag, Place, lag_of
from stream_app.measuring import SAMPLES, WorkerMeter, sampled
from stream_app.readiness import Readiness
from stream_app.transport import Epoch

NOW_US = 1_795_000_000_000_000
T, C = TP("t", 0), TP("c", 1)
MICROS = st.integers(-(10**12), 10**12)


def record(offset: int, age_s: float = 1.0, tp: TP = T) -> Record:
    return Record(tp.topic, tp.partition, offset, NOW_US // 1_000 - round(age_s * 1_000), b"k", b"v", ())


def seen(meter: WorkerMeter, prefix: str = "attribution_worker_") -> dict[str, float]:
    """Samples without buckets, labels behind the name."""
    found = {}
    for family in text_string_to_metric_families(meter.metrics.text()):
        for sample in family.samples:
            if sample.name.startswith(prefix) and "le" not in sample.labels:
                labels = ",".join(sample.labels.values())
                found[sample.name.removeprefix(prefix) + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def test_an_epoch_is_counted_by_topic_kind_reason_and_stage() -> None:
    meter = WorkerMeter(lambda: NOW_US)
    chunks = {T: [record(i, 2.0) for i in range(3)], C: [record(7, 60.0, C)]}
    batch = Batch(
        Epoch(0, chunks, {T: 0, C: 7}),
        touchpoints=[TouchpointEvent("e", "c", 1, "Email")],
        conversions=[ConversionWireEvent("k", "c", 1)],
        rejected=[
            Rejected(record(1), "too_late", "occurred_at", ""),
            Rejected(record(2), "excluded_referrer", "referrer", ""),
        ],
        newest_us={("t", 0): NOW_US - 5_000_000},
        erasures=2,
        duplicates=4,
    )
    meter.epoch(batch, Stages(0.1, 0.2, 0.3, 0.4, 0.5))
    batch.newest_us = {("t", 0): NOW_US - 9_000_000}  # an older epoch's events: the watermark stays
    meter.epoch(batch, Stages(0.1, 0.2, 0.3, 0.4, 0.5))
    found = seen(meter)
    want = {
        "records_total{t}": 6,
        "records_total{c}": 2,
        "events_total{touchpoint}": 2,
        "events_total{erasure}": 4,
        "events_total{spend}": 0,
        "duplicates_total": 8,
        "late_total{t}": 2,
        "dropped_total{excluded_referrer}": 2,
        "dropped_total{erased}": 0,
        "epoch_records_sum": 8,
        "epoch_records_count": 2,
        "event_age_seconds_count": 8,
        "event_age_seconds_sum": 2 * (3 * 2 + 60),
        "commit_timestamp_seconds": NOW_US / 1e6,
        "conservation_error_micros_total": 0,
    }
    assert {name: found[name] for name in want} == pytest.approx(want)
    assert found["epoch_seconds_sum{durable}"] == pytest.approx(0.6)
    assert [v for n, v in found.items() if n.startswith("dead_letters_total")] == [2]
    assert found["watermark_timestamp_seconds{0,t}"] == pytest.approx(NOW_US / 1e6 - 5)


@given(st.integers(1, 5_000))
def test_samples_of_a_chunk_are_few_stand_for_all_and_reach_both_ends(count: int) -> None:
    """So that an epoch costs the same whatever it holds."""
    records = range(count)
    found = sampled(records)
    assert len(found) == min(count, SAMPLES)
    assert sum(weight for _, weight in found) == pytest.approx(count)
    offsets = [cast(int, r) for r, _ in found]
    assert offsets == sorted(set(offsets))
    assert (offsets[0], offsets[-1]) == (0, count - 1)


def test_a_worker_says_its_state_restore_and_partitions_when_asked(tmp_path: Path) -> None:
    meter, readiness = WorkerMeter(lambda: NOW_US), Readiness(tmp_path, lambda: 0.0)
    meter.watch_readiness(readiness)
    assert seen(meter)["state{starting}"] == 1
    readiness.clear()
    readiness.restoring({"0": {"records": 5, "total": 10}, "1": {"records": 1, "total": 2}})
    found = seen(meter)
    assert (found["restore_records"], found["restore_total_records"], found["ready"]) == (6, 12, 0)
    assert found["state{recovering}"] == 1
    readiness.set({0, 1, 2})
    found = seen(meter)
    assert (found["ready"], found["partitions"], found["state{recovering}"]) == (1, 3, 0)


def test_lag_and_sizes_are_those_of_the_partitions_it_has_now() -> None:
    """What went is shown no more."""

    class Reader:
        found: dict[TP, Lag] = {T: Lag(7, 2.5)}  # noqa: RUF012 - replaced below

        def look(self) -> None:
            """The broker answers at once."""

        def lags(self, _now_ms: int) -> dict[TP, Lag]:
            return self.found

    meter, reader = WorkerMeter(lambda: NOW_US), Reader()
    meter.watch_broker_and_store(reader, dict)
    found = seen(meter)
    assert (found["lag_records{0,t}"], found["lag_seconds{0,t}"]) == (7, 2.5)
    reader.found = {C: Lag(0, 0.0)}
    assert [name for name in seen(meter) if name.startswith("lag_")] == ["lag_records{1,c}", "lag_seconds{1,c}"]


#: Fetches as gaps and lengths, and how much of it all is committed, in thousandths.
fetches = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=12)


@settings(max_examples=100)
@given(fetches, st.lists(st.integers(0, 1_000), max_size=5))
def test_the_oldest_record_is_never_younger_than_the_truth_and_of_the_same_fetch(
    found: list[tuple[int, int]], commits: list[int]
) -> None:
    """Whatever was committed meanwhile; beside a plain list of all records."""
    arrivals, records, offset = Arrivals(), list[tuple[int, int]](), 0
    begins: dict[int, int] = {}
    for number, (gap, length) in enumerate(found):
        offset += gap
        arrivals.note(T, offset, number * 10)
        for i in range(length):
            records.append((offset + i, number * 10 + i))
            begins[offset + i] = number * 10
        offset += length
    for done in sorted(round(share * offset / 1_000) for share in commits):
        arrivals.committed(T, done)
        left = [(at, ms) for at, ms in records if at >= done]
        if left:
            oldest = arrivals.oldest_ms(T, done)
            assert oldest is not None
            assert oldest <= left[0][1]
            assert oldest <= begins[left[0][0]]
            assert begins[left[0][0]] - oldest <= 10  # at a gap the fetch before it may be named


@pytest.mark.parametrize(
    ("place", "end", "first_unread_ms", "want"),
    [
        (Place(10, 10, None), 10, None, Lag(0, 0.0)),
        (Place(10, 10, None), 0, None, Lag(0, 0.0)),  # the broker was not asked yet
        (Place(10, 15, 4_000), 12, None, Lag(5, 6.0)),  # fetched since it was asked
        (Place(10, 10, 1), 30, None, Lag(20, 0.0)),  # there, not fetched, age not known yet
        (Place(10, 10, 1), 30, 7_000, Lag(20, 3.0)),
        (Place(10, 15, 11_000), 15, None, Lag(5, 0.0)),  # the broker's clock is ahead
    ],
)
def test_lag_counts_what_is_not_committed_and_is_as_old_as_the_oldest(
    place: Place, end: int, first_unread_ms: int | None, want: Lag
) -> None:
    assert lag_of(place, end, first_unread_ms, 10_000) == want


@st.composite
def some_credits(draw: st.DrawFn) -> ConversionCredits:
    """Any sums, right or wrong."""
    models = tuple(draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True)))
    is_live = draw(st.booleans())
    n = draw(st.integers(1, 4)) if is_live else 0
    value = draw(MICROS)
    micros = tuple(draw(st.one_of(st.just((value, *[0] * (n - 1))), st.tuples(*[MICROS] * n))) for _ in models)
    return ConversionCredits(
        Conversion("k", "purchase", 1_000_000, value, "USD", is_live=is_live),
        1,
        models,
        tuple((1, "t", "Email", "") for _ in range(n)),
        tuple((1.0,) * n for _ in models) if is_live else (),
        micros if is_live else (),
        ("",) * len(models),
    )


@given(st.lists(some_credits(), max_size=8))
def test_the_error_of_an_epoch_is_that_of_its_conversions_one_by_one(found: list[ConversionCredits]) -> None:
    """Exact, whatever models and paths are mixed; deleted rows do not count."""
    table = attribution_rows([("c", c) for c in found], run_id=1, config_hash="h", emitted_at_us=0)
    want = sum(
        abs(sum(micros) - c.conversion.value_micros) for c in found if c.conversion.is_live for micros in c.micros
    )
    assert error_micros(table) == want


def test_an_error_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    meter = WorkerMeter(lambda: NOW_US)
    meter.conservation_error(0)
    assert not caplog.records
    meter.conservation_error(3)
    assert seen(meter)["conservation_error_micros_total"] == 3
    assert "3 micros" in caplog.text


def test_duplicates_are_what_raised_no_rev() -> None:
    """Through the step that applies events: known ones, the same twice in an epoch; not late or refused ones."""
    from tests.unit import test_stream_pipeline as world  # noqa: PLC0415 - its fakes

    parts = world.Parts()
    line = world.pipeline(parts, world.NO_LIMITS, most=2)

    def duplicates(*records: Any) -> tuple[int, Mapping[str, int]]:
        batch = line.compute(world.epoch(*records))
        assert batch is not None
        parts.stored |= {k: v for found in batch.journeys.values() for k, v in found.items() if v is not None}
        return batch.duplicates, batch.event_counts()

    first = world.touch(0, "t1", "2026-10-01T00:00:00Z")
    assert duplicates(first)[0] == 0
    assert duplicates(world.touch(1, "t2", "2026-10-02T00:00:00Z"))[0] == 0
    again = (first, world.touch(2, "t3", "2026-10-03T00:00:00Z"), world.touch(3, "t3", "2026-10-03T00:00:00Z"))
    assert duplicates(*again)[0] == 2
    late = world.touch(4, "late", "2026-01-01T00:00:00Z")
    count, events = duplicates(late, first)
    assert (count, events["touchpoint"]) == (1, 1)
    orders = [world.order(i, f"k{i}", f"2026-10-0{i + 4}T00:00:00Z") for i in range(3)]
    count, events = duplicates(*orders)  # the third is beyond the bound
    assert (count, events["conversion"]) == (0, 2)
    assert duplicates(orders[0])[0] == 1
