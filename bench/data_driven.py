"""Times the data-driven models on one core: a million journeys over 100 channels, and over 15.

    python bench/data_driven.py [--journeys 1000000] [--rounds 5] [--json figures.json]

Journeys are drawn with a seed: 1 to 50 touches, geometric with a mean of 3.3, channels after Zipf, 3 % convert. The
process is bound to one core and linear algebra to one thread. What is timed begins with columns in memory, as
ClickHouse or Arrow hand them over, and ends with the result; every round does it again. Medians, with minimum and
maximum; CPU seconds beside, since the machine is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from threadpoolctl import threadpool_limits

from datadriven import bootstrap, markov, shapley
from datadriven.coalitions import SetCounts
from datadriven.counts import TransitionCounts
from datadriven.paths import PathCounts

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS: Final = 30
REPLICATES: Final = 10


@dataclass(frozen=True, slots=True)
class Columns:
    """Journeys as a database gives them."""

    channels: list[str]
    offsets: np.ndarray
    steps: np.ndarray
    converted: np.ndarray

    def paths(self, journeys: int | None = None) -> PathCounts:
        """Checked columns of the first journeys."""
        n = len(self.converted) if journeys is None else journeys
        steps = self.steps[: self.offsets[n]]
        return PathCounts.from_columns(self.channels, self.offsets[: n + 1], steps, self.converted[:n])


def drawn(journeys: int, channels: int) -> Columns:
    """The workload."""
    random = np.random.default_rng(channels)
    lengths = np.minimum(random.geometric(0.3, journeys), 50)
    offsets = np.concatenate(([0], lengths.cumsum()))
    chance = 1 / np.arange(1, channels + 1)
    steps = random.choice(channels, offsets[-1], p=chance / chance.sum())
    return Columns(
        [f"channel {i:03}" for i in range(channels)], offsets, steps, (random.random(journeys) < 0.03).astype(np.int64)
    )


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journeys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with threadpool_limits(1):
        figures = {name: _timed(work, args.rounds) for name, work in _works(args.journeys).items()}
    print(f"{args.journeys:,} journeys, {args.rounds} rounds, {platform.processor() or platform.machine()}")
    print(f"{'':58} {'median s':>9} {'min':>7} {'max':>7} {'CPU s':>7}")
    for name, (median, low, high, cpu) in figures.items():
        print(f"{name:58} {median:9.3f} {low:7.3f} {high:7.3f} {cpu:7.3f}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


def _timed(work: Callable[[], object], rounds: int) -> tuple[float, float, float, float]:
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), min(walls), max(walls), statistics.median(cpus)


def _works(journeys: int) -> dict[str, Callable[[], object]]:
    many, few = drawn(journeys, 100), drawn(journeys, 15)
    day = journeys // DAYS
    known = TransitionCounts.from_paths(many.paths())
    sets = SetCounts.from_paths(many.paths())
    keys = bootstrap.uniform(np.arange(journeys, dtype=np.uint64), 0)

    def one_more_day() -> object:
        return markov.fit(known + TransitionCounts.from_paths(many.paths(day)))

    def replicates() -> object:
        return [markov.fit(c) for c in bootstrap.replicate_counts(many.paths(), keys, REPLICATES)]

    return {
        "100 channels, order 1: columns to counts": lambda: TransitionCounts.from_paths(many.paths()),
        "100 channels, order 1: solve, 100 removal effects": lambda: markov.fit(known),
        "100 channels, order 1: counts, solve, removal effects": lambda: markov.fit(
            TransitionCounts.from_paths(many.paths())
        ),
        f"100 channels, order 1: one more day ({day:,}) and refit": one_more_day,
        "100 channels, order 2: counts, solve, removal effects": lambda: markov.fit(
            TransitionCounts.from_paths(many.paths(), 2)
        ),
        "15 channels, exact Shapley: columns to values": lambda: shapley.fit(SetCounts.from_paths(few.paths())),
        "100 channels, sampled Shapley: columns to sets": lambda: SetCounts.from_paths(many.paths()),
        "100 channels, sampled Shapley: 1,000 permutations": lambda: shapley.fit(sets),
        f"100 channels, order 1: {REPLICATES} bootstrap replicates, fitted": replicates,
    }


if __name__ == "__main__":
    main()
