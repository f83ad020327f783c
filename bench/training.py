"""Times what `attribution train` asks of ClickHouse, and its fits: a million journeys, staged, counted, fitted.

    python bench/training.py [--journeys 1000000] [--converted 0.2] [--replicates 200]

An engine of its own in a temporary folder, filled by `cli.bench_world` (journeys with a conversion) and
`training_nulls.sql` (without). CPU is the engine's, from the kernel's accounts of its process, and ours.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from attribution.config import DAY_US
from cli import bench_world
from cli.bench_world import World
from cli.fitting import Asked, fit, journeys, set_counts, transition_counts
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from clickhouse.training import Period, staged
from datadriven.bootstrap import poisson_thresholds
from datadriven.fit import Terms
from embedded.clickhouse import ClickHouse

LOOKBACK_DAYS = 30


class Clock:
    """Wall and CPU of the named pieces, printed as they end."""

    def __init__(self, engine: psutil.Process) -> None:
        self._engine, self._own = engine, psutil.Process()

    @contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """Time what is inside."""
        began, before = time.perf_counter(), self._cpu()
        yield
        engine, own = (after - b for after, b in zip(self._cpu(), before, strict=True))
        print(f"{name:58} {time.perf_counter() - began:8.2f} {engine:10.2f} {own:8.2f}", flush=True)

    def _cpu(self) -> tuple[float, float]:
        engine, own = self._engine.cpu_times(), self._own.cpu_times()
        return engine.user + engine.system, own.user + own.system


def main() -> None:
    """Fill, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journeys", type=int, default=1_000_000)
    parser.add_argument("--converted", type=float, default=0.2)
    parser.add_argument("--replicates", type=int, default=200)
    args = parser.parse_args()
    world = World(round(args.journeys * args.converted), datetime.now(UTC).date() - timedelta(days=1))
    with tempfile.TemporaryDirectory() as folder, ClickHouse(Path(folder)) as engine:
        settings = ClickHouseSettings(url=engine.url, database="bench_training", send_receive_timeout_s=600)
        bench_world.build(settings, world, print)
        client = connect(settings)
        sql = Path(__file__).with_name("training_nulls.sql").read_text(encoding="utf-8")
        nulls = {
            "start": world.start,
            "days": world.days - LOOKBACK_DAYS,
            "journeys": args.journeys - world.conversions,
        }
        client.command(sql, parameters=nulls)
        owner = next(c for c in psutil.process_iter() if str(Path(folder)) in " ".join(_command(c)))
        print(f"{'':58} {'wall s':>8} {'engine CPU':>10} {'our CPU':>8}")
        for replicates in (0, args.replicates):
            _timed(client, Clock(owner), world, replicates)


def _timed(client: Any, clock: Clock, world: World, replicates: int) -> None:
    start_us = _us(world.start)
    period = Period(1, start_us, start_us + (world.days + 1) * DAY_US, LOOKBACK_DAYS * DAY_US)
    terms = Terms(period.start_us, period.end_us, period.end_us)
    with clock.piece(f"all of `train`, {replicates} replicates"):
        staging = staged(client, period, replicates=replicates, thresholds=poisson_thresholds())
        with clock.piece("  journeys staged"):
            stage = staging.__enter__()
        with clock.piece("  transitions of order 1, counted and read"):
            first = next(transition_counts(stage.transitions(depth=1), 1))
        with clock.piece("  Markov: counted, fitted, intervals"):
            fit(stage, Asked("markov", 1, replicates), terms)
        with clock.piece("  sets, counted and read"):
            next(set_counts(stage.sets()))
        with clock.piece("  Shapley: counted, fitted, intervals"):
            fit(stage, Asked("shapley", 1, replicates), terms)
        if not replicates:
            with clock.piece("  ordered Shapley, 4 ranks: counted, fitted"):
                fit(stage, Asked("ordered_shapley", 1, 0), terms)
            with clock.piece("  a sample of journeys with their times, read"):
                journeys(stage.journeys(most=200_000, touches=50))
            with clock.piece("  learned: sampled, read, fitted"):
                fit(stage, Asked("learned"), terms)
        staging.__exit__(None, None, None)
    print(f"{first.conversions:,} journeys with a conversion, {first.nulls:,} without")


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _us(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_US


if __name__ == "__main__":
    main()
