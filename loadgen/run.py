"""One run: a population or a pool, sent, counted and, if asked, written down as truth."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from loadgen.tally import Tally
from loadgen.truth import TruthWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from loadgen.pool import Pool
    from loadgen.population import Population
    from loadgen.producer import Sender, SendReport
    from loadgen.records import Record


@dataclass(frozen=True, slots=True)
class RunReport:
    """What was sent and how fast; ``generate_rate`` is set when all records were made before the first was sent."""

    tally: Tally
    send: SendReport
    generate_rate: float | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self.tally.as_dict(), "send": asdict(self.send), "generate_rate": self.generate_rate}


def run(
    population: Population,
    sender: Sender,
    *,
    events: int | None,
    rate: float | None,
    truth: Path | None = None,
    is_preloaded: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Tally], None] = lambda _tally: None,
    on_step: Callable[[int, float], None] | None = None,
) -> RunReport:
    """Send the first ``events`` records (``None``: until ``should_stop``), duplicates and malformed ones included.

    The truth file tells of what was sent even if the run is stopped; it has no summary if the run fails.
    ``is_preloaded`` makes all records first, so that only sending is timed. ``on_progress`` is called every
    1,000 records, ``on_step`` as ``Sender.send`` says.

    Raises:
        DeliveryError: records were not stored.
        OSError: the truth file cannot be written.
    """
    records: Iterable[Record] = population.records(events)
    generate_rate = None
    if is_preloaded and events is not None:
        start = time.perf_counter()
        records = list(records)
        generate_rate = len(records) / (time.perf_counter() - start)
    with TruthWriter(truth, population) if truth else nullcontext() as writer:
        tally = writer.tally if writer else Tally()
        note = writer.add if writer else tally.add

        def on_sent(record: Record) -> None:
            note(record)
            if tally.records % 1_000 == 0:
                on_progress(tally)

        report = sender.send(records, rate=rate, on_sent=on_sent, on_step=on_step, should_stop=should_stop)
        if writer:
            writer.finish(population.causal(report.sent))
    return RunReport(tally, report, generate_rate)


def run_pool(
    pool: Pool,
    sender: Sender,
    *,
    events: int | None,
    rate: float | None,
    truth: Path | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[int, float], None] | None = None,
) -> RunReport:
    """Send a pool over and over, ``events`` records in all (``None``: until ``should_stop``).

    The truth file is written after the last record, by making the events anew; it has no summary if the run fails.

    Raises:
        DeliveryError: records were not stored.
        OSError: the truth file cannot be written.
    """
    with TruthWriter(truth, pool.population) if truth else nullcontext() as writer:
        outgoing = islice(pool.outgoing(), events)
        report = sender.send(outgoing, rate=rate, on_step=on_step, should_stop=should_stop)
        if writer:
            for record in pool.records(report.sent):
                writer.add(record)
            writer.finish(pool.causal(report.sent))
    return RunReport(pool.tally(report.sent), report, None)


def write_truth(population: Population, events: int, path: Path) -> Tally:
    """The truth of the first ``events`` records without sending them; the same file as a run of that many writes."""
    with TruthWriter(path, population) as writer:
        for record in population.records(events):
            writer.add(record)
        writer.finish(population.causal(events))
    return writer.tally


def sample(population: Population, size: int) -> Iterator[dict[str, Any]]:
    """The first ``size`` records in readable form: text as text, other bytes in hexadecimal."""
    for record in islice(population.records(), size):
        is_text = record.value[:1] != b"\x00" and record.value.isascii()
        yield {
            "topic": record.topic,
            "key": record.key.decode(),
            "value": record.value.decode() if is_text else record.value.hex(),
            "duplicate": record.is_duplicate,
            "malformed": record.expected_reason,
        }
