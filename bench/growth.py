"""Whether the worker's cost per event stays as journeys, customers, partitions and single customers grow.

    python bench/growth.py --quick                 # below 3 minutes
    python bench/growth.py --plots                 # all of it; also draws docs/img/growth-*.svg (needs matplotlib)
    python bench/growth.py --only bot --only hot   # some series; figures of the others stay as they are
    python bench/growth.py --draw                  # draws again what is stored

One worker's step without broker and engine, through the worker's own classes: decode JSON records, apply them to
journeys in RocksDB, attribute, store. CPU is that of the process, RocksDB's threads included; records are made outside
the measured time. 95 % of the events are touches in order, 5 % purchases. The cost of an event is what one second of
the worker's time is made of, so an event waits no longer than the cost of those before it adds up to: a customer slows
the others down exactly if its own events cost more than theirs. ``marginal`` is that cost: what an epoch takes with
the special customer, less what it takes without, divided by the special customer's events.

Prints a markdown table (microseconds of CPU, journeys and bytes written, all per event) and stores
``docs/performance/growth.json`` (``--quick`` stores nothing unless ``--store``).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import rocksdict

from attribution.config import AttributionConfig
from attribution.journey import Journey
from schemas.channel_rules import load_channel_rules
from schemas.codec import Codec, LocalSchemas
from stream_app.decoding import Decoder, Source, Sources
from stream_app.journeys import JourneyStep
from stream_app.suppression import Suppression
from stream_app.tables import PartitionState

ROOT: Final = Path(__file__).resolve().parent.parent
STORED: Final = ROOT / "docs" / "performance" / "growth.json"
IMAGES: Final = ROOT / "docs" / "img"
START_US: Final = 1_780_000_000_000_000
CHANNELS: Final = ("Paid Search", "Email", "Organic Search", "Paid Social", "Direct")
PARTITIONS: Final = 4
CONVERSION_EVERY: Final = 20
#: Of the special customers' events in an epoch; the rest are the others'.
HOT_SHARE: Final = 10
CACHE_BYTES: Final = 256 << 20


class Record(NamedTuple):
    """What the codec reads of a record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Figure:
    """One measured point; costs are microseconds of CPU per event, ``parts`` those of the steps."""

    series: str
    at: str
    us: float
    events: int
    journeys_written: float
    bytes_written: float
    parts: dict[str, float] = field(default_factory=dict)
    marginal_us: float | None = None


class Clock:
    """Event time: every event is a millisecond later than the one before it."""

    def __init__(self) -> None:
        self.at_us = START_US
        self.offset = 0

    def touch(self, customer: str) -> Record:
        """The next touch."""
        return self._record("t", customer, b'"channel":"' + CHANNELS[self.offset % 5].encode() + b'"')

    def purchase(self, customer: str) -> Record:
        """The next purchase."""
        return self._record("c", customer, b'"value":"49.90","currency":"USD","conversion_type":"purchase"')

    def _record(self, topic: str, customer: str, rest: bytes) -> Record:
        self.offset += 1
        self.at_us += 1_000
        key = customer.encode()
        head = b'{"event_id":"%016x","customer_id":"%b","occurred_at":%d,' % (self.offset, key, self.at_us // 1_000)
        return Record(topic, 0, self.offset, self.at_us // 1_000, key, head + rest + b"}")


class Cpu:
    """CPU seconds of the process by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds what the block takes."""
        began = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began


class Worker:
    """The parts of one worker that this is about."""

    def __init__(self, folder: Path, partitions: int) -> None:
        rules, schemas = load_channel_rules(None), LocalSchemas()
        touches, purchases, other = (
            Codec(kind, channel_rules=rules, schemas=schemas) for kind in ("touchpoint", "conversion", "spend")
        )
        sources = Sources(
            Source("t", touches),
            Source("c", purchases),
            Source("s", other),
            Source("i", other),
            Source("e", other),
            "handovers",
        )
        self.config = AttributionConfig()
        self._decoder, self._step = Decoder(sources), JourneyStep(self.config, sources, Suppression(b""))
        cache = rocksdict.Cache(CACHE_BYTES)
        self.states = [PartitionState(folder / str(p), cache) for p in range(partitions)]
        self.clock = Cpu()
        self.events = self.written = self.bytes_written = 0

    def fill(self, customers: int, touches: int, at_us: int) -> None:
        """Journeys of so many touches for all customers, before the first event."""
        journey = Journey()
        path = [(at_us - (touches - i) * 60_000_000, f"{i:016x}", CHANNELS[i % 5], "") for i in range(touches)]
        journey.apply(path, [], self.config)
        raw = journey.to_bytes()
        batches: list[dict[bytes, bytes | None]] = [{} for _ in self.states]
        for number in range(customers):
            key = name(number).encode()
            batch = batches[crc32(key) % len(batches)]
            batch[key] = raw
            if len(batch) * len(raw) > 8 << 20:
                self.states[crc32(key) % len(batches)].write(batch, 0)
                batch.clear()
        for state, batch in zip(self.states, batches, strict=True):
            state.write(batch, 0)

    def run(self, epoch: Sequence[Record]) -> None:
        """Steps 1, 2 and 4 of an epoch."""
        chunks: list[dict[str, list[Record]]] = [{} for _ in self.states]
        for record in epoch:
            chunks[crc32(record.key) % len(chunks)].setdefault(record.topic, []).append(record)
        for state, records in zip(self.states, chunks, strict=True):
            with self.clock.part("decode"):
                decoded = self._decoder.decode(records)
            with self.clock.part("apply"):
                result = self._step.apply(decoded, Readable(state, self.clock), {})
            with self.clock.part("write"):
                state.write(result.journeys, 0)
            if decoded.rejected or result.rejected:
                raise RuntimeError(f"a record was refused: {(decoded.rejected + result.rejected)[0]}")
            self.written += len(result.journeys)
            self.bytes_written += sum(map(len, filter(None, result.journeys.values())))
        self.events += len(epoch)

    def measure(self, epochs: Iterator[list[Record]]) -> Figure:
        """All epochs but the first; what RocksDB does behind them is waited for and counted."""
        self.run(next(epochs))
        gc.collect()
        gc.freeze()
        self.clock.seconds.clear()
        self.events = self.written = self.bytes_written = 0
        for epoch in epochs:
            self.run(epoch)
        with self.clock.part("behind"):
            time.sleep(0.5)
        n = self.events
        parts = {name: seconds * 1e6 / n for name, seconds in self.clock.seconds.items()}
        cost = sum(parts.values())
        parts["apply"] -= parts["read"]
        return Figure("", "", cost - parts["read"], n, self.written / n, self.bytes_written / n, parts)

    def close(self) -> None:
        """Release the files."""
        for state in self.states:
            state.close()
        gc.unfreeze()


class Readable:
    """The state as the step reads it; reading is a part of its own."""

    def __init__(self, state: PartitionState, clock: Cpu) -> None:
        self.erased, self._get_many, self._clock = state.erased, state.get_many, clock

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """As the state's own."""
        with self._clock.part("read"):
            return self._get_many(keys)


def name(number: int) -> str:
    """A customer id."""
    return f"customer-{number:08d}"


def mixed(clock: Clock, customer: str, count: int) -> Record:
    """A touch, or every twentieth time a purchase."""
    return clock.purchase(customer) if count % CONVERSION_EVERY == 0 else clock.touch(customer)


def uniform(clock: Clock, customers: int, epoch: int, seed: int = 1) -> Iterator[list[Record]]:
    """Endless epochs of events of any customer."""
    rng = random.Random(seed)  # noqa: S311  # a workload, no secret
    while True:
        yield [mixed(clock, name(rng.randrange(customers)), i) for i in range(epoch)]


def with_one(
    clock: Clock, others: Iterator[list[Record]], special: Callable[[Clock, int], Record], each: int
) -> Iterator[list[Record]]:
    """Epochs with ``each`` events of one customer among those of the others."""
    count = 0
    for epoch in others:
        every = max(1, len(epoch) // each)
        found: list[Record] = []
        for i, record in enumerate(epoch):
            found.append(record)
            if i % every == 0 and i // every < each:
                count += 1
                found.append(special(clock, count))
        yield found


def measured(
    partitions: int, customers: int, touches: int, epochs: Callable[[Clock], Iterator[list[Record]]], count: int
) -> Figure:
    """One figure with a state of its own."""
    with tempfile.TemporaryDirectory() as folder:
        worker, clock = Worker(Path(folder), partitions), Clock()
        worker.fill(customers, touches, clock.at_us)
        figure = worker.measure(islice(epochs(clock), count + 1))
        worker.close()
        return figure


def named(figure: Figure, series: str, at: object, marginal_us: float | None = None) -> Figure:
    """The figure under its place in the table."""
    return replace(figure, series=series, at=str(at), marginal_us=marginal_us)


def journeys(quick: bool) -> Iterator[Figure]:
    """Length of all journeys."""
    count, rounds = (3, 1) if quick else (8, 2)
    for touches in (1, 10, 100, 1_000):
        epochs = partial(uniform, customers=4_000, epoch=4_000)
        found = lowest(measured(PARTITIONS, 4_000, touches, epochs, count) for _ in range(rounds))
        yield named(found, "touches per journey", touches)


def customers(quick: bool) -> Iterator[Figure]:
    """Customers in the state, journeys of three touches."""
    count, rounds = (15, 1) if quick else (30, 2)
    for size in (10_000, 100_000, 1_000_000, *(() if quick else (5_000_000,))):
        epochs = partial(uniform, customers=size, epoch=4_000)
        found = lowest(measured(PARTITIONS, size, 3, epochs, count) for _ in range(rounds))
        yield named(found, "customers", size)


def partitions(quick: bool) -> Iterator[Figure]:
    """Partitions of one worker, the same customers and epochs."""
    count, rounds = (15, 1) if quick else (30, 2)
    for number in (1, 2, 4, 8):
        epochs = partial(uniform, customers=100_000, epoch=4_000)
        found = lowest(measured(number, 100_000, 3, epochs, count) for _ in range(rounds))
        yield named(found, "partitions", number)


def lowest(found: Iterable[Figure]) -> Figure:
    """Of rounds of the same work: what is more was the machine's doing."""
    return min(found, key=lambda f: f.us)


def _beside(
    quick: bool, series: str, cases: dict[str, tuple[Callable[[Clock, int], Record], int]], others: int
) -> Iterator[Figure]:
    """The others alone, then with one customer who is something else; rounds take turns (A B A B)."""
    count, rounds = (4, 1) if quick else (20, 2)
    work: dict[str, Callable[[Clock], Iterator[list[Record]]]] = {
        "the others alone": lambda c: uniform(c, 100_000, others)
    }
    for at, (special, each) in cases.items():
        work[at] = partial(_epochs_with, special=special, each=each, others=others)
    found: dict[str, list[Figure]] = {at: [] for at in work}
    for _ in range(rounds):
        for at, epochs in work.items():
            found[at].append(measured(PARTITIONS, 100_000, 3, epochs, count))
    alone = lowest(found.pop("the others alone"))
    yield named(alone, series, "the others alone")
    for at, figures in found.items():
        figure = lowest(figures)
        added = figure.us * figure.events - alone.us * alone.events
        yield named(figure, series, at, added / (figure.events - alone.events))


def _epochs_with(
    clock: Clock, *, special: Callable[[Clock, int], Record], each: int, others: int
) -> Iterator[list[Record]]:
    return with_one(clock, uniform(clock, 100_000, others), special, each)


def hot(quick: bool) -> Iterator[Figure]:
    """One customer with a tenth of all events, purchases among them."""
    crowd = random.Random(2)  # noqa: S311  # a workload, no secret
    each = 5_000
    yield from _beside(
        quick,
        "hot customer",
        {
            "10 % more ordinary events": (lambda c, i: mixed(c, name(crowd.randrange(100_000)), i), each),
            "one customer has 10 %": (lambda c, i: mixed(c, "hot", i), each),
        },
        each * (HOT_SHARE - 1),
    )


def bot(quick: bool) -> Iterator[Figure]:
    """One id with 100,000 touches (quick: 25,000) and no purchase; then one with a few touches in each epoch."""
    each = 5_000
    yield from _beside(
        quick,
        "bot",
        {"5,000 touches an epoch": (lambda c, _: c.touch("bot"), each)},
        each * (HOT_SHARE - 1),
    )
    yield from _trickle(quick)


def _trickle(quick: bool) -> Iterator[Figure]:
    """A bot whose journey is full, one touch in each epoch."""
    count = 200 if quick else 1_000
    with tempfile.TemporaryDirectory() as folder:
        worker, clock = Worker(Path(folder), 1), Clock()
        for _ in range(2):
            worker.run([clock.touch("bot") for _ in range(worker.config.max_touchpoints)])
        found = worker.measure([clock.touch("bot")] for _ in range(count + 1))
        worker.close()
    yield named(found, "bot", "one touch an epoch, journey full")


#: Of a step: ``apply`` is merging and attributing, ``behind`` what RocksDB's threads do after the last epoch.
PARTS: Final = ("decode", "read", "apply", "write", "behind")
ORDER: Final = ("touches per journey", "customers", "partitions", "hot customer", "bot")
SERIES: Final = {f.__name__: f for f in (journeys, customers, partitions, hot, bot)}


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    heads = (
        "Series",
        "At",
        "CPU us per event",
        "against the first",
        *PARTS,
        "of the special customer",
        "journeys",
        "bytes",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    first: dict[str, float] = {}
    for f in figures:
        base = first.setdefault(f.series, f.us)
        cells = [f.series, f"{int(f.at):,}" if f.at.isdigit() else f.at, f"{f.us:.1f}", f"{f.us / base:.2f}x"]
        cells += [f"{f.parts.get(part, 0):.1f}" for part in PARTS]
        cells += ["" if f.marginal_us is None else f"{f.marginal_us:.1f}"]
        cells += [f"{f.journeys_written:.2f}", f"{f.bytes_written:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Where the figures come from."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "machine": platform.machine(),
        "command": "python bench/growth.py",
    }


def draw(figures: Sequence[Figure]) -> None:
    """One SVG per series."""
    import matplotlib as mpl  # noqa: PLC0415  # only who asks for plots needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "growth"  # the same figures give the same file
    import matplotlib.pyplot as plt  # noqa: PLC0415

    IMAGES.mkdir(parents=True, exist_ok=True)
    for series in dict.fromkeys(f.series for f in figures):
        points = [f for f in figures if f.series == series]
        figure, axes = plt.subplots(figsize=(6.4, 3.6))
        if all(f.at.isdigit() for f in points):
            axes.plot([int(f.at) for f in points], [f.us for f in points], marker="o")
            axes.set_xscale("log", base=2 if series == "partitions" else 10)
            axes.set_xlabel(series)
            axes.set_ylabel("CPU µs per event")
        else:
            costs = [f.us if f.marginal_us is None else f.marginal_us for f in points]
            axes.barh([f.at for f in points], costs)
            axes.invert_yaxis()
            axes.set_xlabel("CPU µs per event of this kind")
        axes.set_ylim(bottom=0) if axes.get_ylabel() else axes.set_xlim(left=0)
        figure.tight_layout()
        figure.savefig(IMAGES / f"growth-{series.replace(' ', '-')}.svg", metadata={"Date": None})
        plt.close(figure)


def stored() -> list[Figure]:
    """Figures of the last full run."""
    return [Figure(**item) for item in json.loads(STORED.read_text())["figures"]] if STORED.exists() else []


def main() -> None:
    """Series by series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer events, no 5 M customers; stores nothing")
    parser.add_argument("--only", action="append", choices=SERIES, help="this series; may be repeated")
    parser.add_argument("--store", action="store_true", help="store the figures of a quick run as well")
    parser.add_argument("--plots", action="store_true", help="draw docs/img/growth-*.svg at the end")
    parser.add_argument("--draw", action="store_true", help="draw what is stored, measure nothing")
    args = parser.parse_args()
    if args.draw:
        print(table(stored()))
        draw(stored())
        return
    gc.set_threshold(200_000, 20, 100)  # as the worker does
    figures = []
    for key in args.only or SERIES:
        for figure in SERIES[key](args.quick):
            figures.append(figure)
            print(f"{figure.series}, {figure.at}: {figure.us:.1f} us", file=sys.stderr, flush=True)
    if args.only:
        measured_now = {f.series for f in figures}
        figures = [f for f in stored() if f.series not in measured_now] + figures
        figures.sort(key=lambda f: ORDER.index(f.series))  # stable: what is in a series keeps its order
    print(table(figures))
    if not args.quick or args.store:
        STORED.write_text(json.dumps({**machine(), "figures": [asdict(f) for f in figures]}, indent=1) + "\n")
    if args.plots:
        draw(figures)


if __name__ == "__main__":
    main()
