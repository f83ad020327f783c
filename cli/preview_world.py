"""A made-up company for ``attribution dashboards preview``: weeks of simulated customers up to now, in a database.

Events come from ``loadgen``; credits are computed by the product's own core and written by its own writer, as workers
do, and the rollups are built by its roller. Only two things are told instead of measured: when a record was received,
and when its row became readable.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa

from attribution.config import DAY_US, AttributionConfig
from attribution.conversions import own_key
from attribution.recompute import recomputer
from attribution.types import ConversionEvent, Touch
from clickhouse import fx, rows
from clickhouse.rollups import Roller
from clickhouse.tables import TIMESTAMP_MS, TIMESTAMP_US
from clickhouse.writer import Writer
from loadgen.config import CHANNELS, PERSONAS, Channel, PopulationConfig
from loadgen.population import Population
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent
from stream_app.grouping import to_conversion_event, to_touch

if TYPE_CHECKING:
    from clickhouse.rows import CustomerCredits, DeadLetter, Progress
    from loadgen.records import Record

LIVE_RUN: Final = 1
#: Beside the live run: the same events with a half-life of two weeks, not finished yet.
REPLAY_RUN: Final = 2
_REPLAYED: Final = 0.8
_PARTITIONS: Final = 4
#: Such that most channels return a few times what they cost.
_LARGEST_DEAL: Final = 1_200.0
_CLICK_COSTS: Final = {
    "Paid Search": 3_400_000,
    "Paid Social": 2_600_000,
    "Email": 400_000,
    "Display": 1_300_000,
    "Affiliates": 2_200_000,
    "SMS": 900_000,
}
#: Tags that no rule knows.
_UNASSIGNED: Final = Channel("Unassigned", 0.05, 0.02, 0.02, 0.2, "qr", "poster", "visit")
#: An insert takes at least that long.
_INSERT_US: Final = 15_000
#: From the broker's time of a record to its row; most are fast.
_WRITTEN_AFTER_US: Final = (180_000, 90_000, 1_400_000)


@dataclass
class World:
    """Events up to ``now``, each received at a time of its own, and what became of records that are none."""

    now: datetime
    days: int
    touches: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    config: AttributionConfig = field(default_factory=AttributionConfig)

    @property
    def first_day(self) -> date:
        """The first day with events."""
        return (self.now - timedelta(days=self.days)).date()

    def core_touches(self) -> list[tuple[str, Touch]]:
        """``(customer id, touch)``, as the batch reference takes them."""
        return [(e.customer_id, to_touch(e)) for e in self.touches]

    def core_conversions(self) -> list[tuple[str, ConversionEvent]]:
        """``(customer id, event)``, as the batch reference takes them."""
        return [(e.customer_id, to_conversion_event(e)) for e in self.conversions]


def imagine(now: datetime, *, days: int = 75, events_per_day: float = 1_200.0, seed: int = 7) -> World:
    """A world that ends at ``now`` (aware, UTC); equal arguments give an equal one."""
    config = PopulationConfig(
        customers=int(days * events_per_day),
        events_per_day=events_per_day,
        late=0.02,
        malformed=0.004,
        channels=(*(replace(c, click_cost_micros=_CLICK_COSTS.get(c.name, 0)) for c in CHANNELS), _UNASSIGNED),
        personas=tuple(replace(p, value=min(p.value, _LARGEST_DEAL)) for p in PERSONAS),
    )
    world = World(now, days)
    end_us = round(now.timestamp() * 1_000_000)
    population = Population(config, seed=seed, start_at_us=end_us - days * DAY_US)
    clock_us = population.start_at_us
    rng = random.Random(seed)  # noqa: S311 - made-up delays
    for number, record in enumerate(population.records()):
        clock_us = max(clock_us, getattr(record.event, "occurred_at_us", 0))
        if clock_us > end_us:
            return world
        received_us = clock_us + rng.randrange(30_000)
        _take(world, record, received_us, number)
    raise AssertionError("a population has no end")


def _now() -> datetime:
    return datetime.now(UTC)


def fill(client: Any, world: World, clock: Callable[[], datetime] = _now) -> None:
    """Writes everything into a migrated, empty database, and builds the rollups.

    Args:
        client: of that database.
        world: what is written.
        clock: until when the workers are told to have come, asked last.

    Raises:
        StoreError: the engine refuses or does not answer.
    """
    writer, run_id = Writer(client), LIVE_RUN
    live = _credits(world, world.config)
    slow = replace(world.config, half_life_us=2 * world.config.half_life_us)
    writer.write(
        {
            "touchpoints": rows.touchpoint_rows(world.touches),
            "conversions": rows.conversion_rows(world.conversions),
            "spend": rows.spend_rows(world.spend),
            "runs": _run_row(run_id, "live", world.config, {}),
            "dead_letters": rows.dead_letter_rows(world.dead),
        }
    )
    for number, config, wanted in ((run_id, world.config, live), (REPLAY_RUN, slow, _credits(world, slow))):
        part = wanted if number == run_id else wanted[: int(len(wanted) * _REPLAYED)]
        writer.write(_credit_tables(world, part, number, config))
    writer.write({"runs": _replay_row(world, slow)})
    fx.import_rates(client, list(_rates(world)), base="EUR", source="made up")
    Roller(client).drain()
    writer.write({"worker_progress": rows.progress_rows("attribution", list(_progress(world, clock())), run_id=run_id)})


def _take(world: World, record: Record, received_us: int, number: int) -> None:
    event = record.event
    if record.is_duplicate:
        return
    if record.expected_reason is not None:
        origin = (record.topic, number % _PARTITIONS, number)
        world.dead.append(
            rows.DeadLetter(
                *origin, str(record.expected_reason), "", "", "decode", received_us, received_us + 40_000, 1
            )
        )
    elif isinstance(event, TouchpointEvent):
        world.touches.append(msgspec.structs.replace(event, received_at_us=received_us, offset=number))
    elif isinstance(event, ConversionWireEvent):
        world.conversions.append(msgspec.structs.replace(event, received_at_us=received_us, offset=number))
    elif isinstance(event, SpendEvent):
        world.spend.append(msgspec.structs.replace(event, received_at_us=received_us, offset=number))


def _credits(world: World, config: AttributionConfig) -> list[CustomerCredits]:
    """By customer, in the order of their conversions' time."""
    touches: dict[str, list[Touch]] = defaultdict(list)
    events: dict[str, list[ConversionEvent]] = defaultdict(list)
    for customer, touch in world.core_touches():
        touches[customer].append(touch)
    for customer, event in world.core_conversions():
        events[customer].append(event)
    recompute = recomputer(config)
    found = [(who, credit) for who, mine in events.items() for credit in recompute(touches.get(who, []), mine)]
    return sorted(found, key=lambda pair: (pair[1].conversion.at_us, pair[1].conversion.conversion_id))


def _credit_tables(
    world: World, credits_: Sequence[CustomerCredits], run_id: int, config: AttributionConfig
) -> dict[str, pa.Table]:
    written = rows.attribution_rows(
        credits_, run_id=run_id, config_hash=config.config_hash(), emitted_at_us=round(world.now.timestamp() * 1e6)
    )
    readable_us = _readable_us(world, written)
    times = {
        "emitted_at": pa.array([(us - _INSERT_US - us % 60_000) // 1_000 for us in readable_us]).cast(TIMESTAMP_MS),
        "inserted_at": pa.array(readable_us).cast(TIMESTAMP_US),
    }
    written = written.drop_columns(["emitted_at"])
    for name, column in times.items():
        written = written.append_column(name, column)
    return {
        "attributions": written,
        "dirty_days": rows.dirty_day_rows(credits_, run_id=run_id),
    }


def _readable_us(world: World, written: pa.Table) -> list[int]:
    """When each row became readable: soon after the newest record that it rests on was received."""
    received: dict[str, int] = {}
    for touch in world.touches:
        received[touch.event_id] = touch.received_at_us
    for event in sorted(world.conversions, key=lambda e: e.received_at_us):
        key = own_key(to_conversion_event(event)) if not event.adjusts else event.adjusts
        received[key] = received[event.event_id] = event.received_at_us
    rng = random.Random(3)  # noqa: S311 - made-up delays
    found = []
    for conversion_id, touch_ids in zip(written["conversion_id"].to_pylist(), written["t.id"].to_pylist(), strict=True):
        newest = max(received.get(key, 0) for key in (conversion_id, *touch_ids))
        usual, jitter, slow = _WRITTEN_AFTER_US
        found.append(newest + usual + int(rng.expovariate(1 / jitter)) + (slow if rng.random() < 0.01 else 0))
    return found


def _run_row(run_id: int, label: str, config: AttributionConfig, more: dict[str, str | int]) -> pa.Table:
    return rows.run_rows(
        run_id,
        label=label,
        models=config.models,
        config_hash=config.config_hash(),
        config_json=json.dumps(config.as_dict()),
        more=more,
    )


def _replay_row(world: World, config: AttributionConfig) -> pa.Table:
    facts = len(world.touches) + len(world.conversions)
    more: dict[str, str | int] = {
        "status": "running",
        "source": "facts",
        "done": int(facts * _REPLAYED),
        "total": facts,
    }
    return _run_row(REPLAY_RUN, "half-life-14", config, more)


def _progress(world: World, reached: datetime) -> Iterator[Progress]:
    newest_us = round(reached.timestamp() * 1_000_000)
    for topic, count in (("touchpoints", len(world.touches)), ("conversions", len(world.conversions))):
        for partition in range(_PARTITIONS):
            behind_us = 700_000 * partition + 1_000_000
            yield rows.Progress(f"attribution.{topic}", partition, count // _PARTITIONS, newest_us - behind_us)


def _rates(world: World) -> Iterator[fx.Rate]:
    """Published on working days, as the ECB does, for one euro."""
    for number in range(world.days + 10):
        day = world.first_day - timedelta(days=8) + timedelta(days=number)
        if day.weekday() < 5 and day <= world.now.astimezone(UTC).date():
            yield fx.Rate(day, "USD", Decimal("1.08") + Decimal(number % 9) / 1_000)
            yield fx.Rate(day, "GBP", Decimal("0.85") + Decimal(number % 7) / 1_000)
