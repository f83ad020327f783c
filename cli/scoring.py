"""One simulated world, attributed by every model, and each model's credit by channel beside what was truly caused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from attribution.config import DAY_US, DEFAULT_MODELS, AttributionConfig
from attribution.models.base import Path
from attribution.recompute import recomputer
from attribution.types import ConversionCredits, ConversionEvent, Touch
from datadriven import fit as fits
from datadriven.bootstrap import customer_keys
from datadriven.coalitions import SetCounts
from datadriven.counts import TransitionCounts
from datadriven.credits import CreditRule
from datadriven.fit import Terms
from datadriven.learned import Journeys
from datadriven.paths import PathCounts
from loadgen.config import SHARES, PopulationConfig
from loadgen.population import Population
from schemas.events import ConversionWireEvent, TouchpointEvent
from stream_app.grouping import to_conversion_event, to_touch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datadriven.parameters import Parameters

#: What a sale is; milestones are no sales.
SALES: Final = frozenset({"purchase", "closed_won"})
START_US: Final = 1_780_000_000_000_000
#: Every fault that a stream may have; what is left decides the world.
_CLEAN: Final = {name: 0.0 for name in SHARES if name not in {"without_order_id", "fatigue"}}


@dataclass(frozen=True, slots=True)
class World:
    """Credit in conversions by model and channel, what was caused by channel, and the channels that cost money."""

    credits: Mapping[str, Mapping[str, float]]
    caused: Mapping[str, float]
    bought: frozenset[str]
    conversions: int
    nulls: int


@dataclass(frozen=True, slots=True)
class _Journey:
    customer: str
    touches: tuple[Touch, ...]
    credits: ConversionCredits | None


def world(seed: int, *, records: int, lookback_days: float, per_day: float) -> World:
    """Simulate and attribute; the same for the same arguments.

    Args:
        seed: of the world.
        records: how many are drawn.
        lookback_days: window, and how long after its last touch a journey has come to nothing.
        per_day: records in a day; with ``records``, how long the world lasts.
    """
    config = PopulationConfig(events_per_day=per_day, **_CLEAN)  # type: ignore[arg-type]  # shares, all floats
    population = Population(config, seed=seed, start_at_us=START_US)
    rules = AttributionConfig(models=DEFAULT_MODELS, lookback_us=round(lookback_days * DAY_US))
    journeys = _journeys(population, records, rules)
    won = [j.credits for j in journeys if j.credits is not None]
    by_model = {model: _by_channel(won, m) for m, model in enumerate(rules.models)}
    fitted = _fits(journeys)
    by_model |= {name: _divided(found, won, rules) for name, found in fitted.items() if found.status == "ok"}
    bought = frozenset(c.name for c in config.channels if c.click_cost_micros)
    caused = population.causal(records).incremental_conversions
    return World(by_model, caused, bought, len(won), len(journeys) - len(won))


def _journeys(population: Population, records: int, rules: AttributionConfig) -> list[_Journey]:
    touches: dict[str, list[Touch]] = defaultdict(list)
    events: dict[str, list[ConversionEvent]] = defaultdict(list)
    end_us = START_US
    for record in population.records(records):
        match record.event:
            case TouchpointEvent() as event:
                touches[event.customer_id].append(to_touch(event))
                end_us = max(end_us, event.occurred_at_us)
            case ConversionWireEvent() as event:
                events[event.customer_id].append(to_conversion_event(event))
    recompute, found = recomputer(replace(rules, max_touchpoints=100_000)), list[_Journey]()
    for customer in sorted(touches.keys() | events.keys()):
        sales = [
            c
            for c in recompute(touches[customer], events[customer])
            if c.conversion.is_live and c.conversion.conversion_type in SALES and c.touches[0][1]
        ]
        found += [_Journey(customer, c.touches, c) for c in sales]
        credited = {t[1] for c in sales for t in c.touches}
        found += [
            _Journey(customer, run, None) for run in _lost(touches[customer], credited, rules.lookback_us, end_us)
        ]
    return found


def _lost(touches: Iterable[Touch], credited: set[str], closed_us: int, end_us: int) -> list[tuple[Touch, ...]]:
    """Runs of touches that no sale credits and that are over."""
    runs: list[list[Touch]] = []
    for touch in sorted(t for t in touches if t[1] not in credited):
        if not runs or touch[0] - runs[-1][-1][0] > closed_us:
            runs.append([])
        runs[-1].append(touch)
    return [tuple(run) for run in runs if run[-1][0] + closed_us < end_us]


def _fits(journeys: Sequence[_Journey]) -> dict[str, Parameters]:
    names = sorted({t[2] for j in journeys for t in j.touches})
    place = {name: i for i, name in enumerate(names)}
    offsets = np.cumsum([0, *(len(j.touches) for j in journeys)])
    steps = np.array([place[t[2]] for j in journeys for t in j.touches], np.int64)
    converted = np.array([int(j.credits is not None) for j in journeys], np.int64)
    paths = PathCounts.from_columns(names, offsets, steps, converted)
    times = np.array([t[0] for j in journeys for t in j.touches], np.int64)
    terms = Terms(0, 1, 1)
    return {
        "markov": fits.fit_markov(TransitionCounts.from_paths(paths, 1), terms),
        "markov_2": fits.fit_markov(TransitionCounts.from_paths(paths, 2), terms),
        "shapley": fits.fit_shapley(SetCounts.from_paths(paths), terms),
        "learned": fits.fit_learned(Journeys(paths, times, customer_keys([j.customer for j in journeys])), terms),
    }


def _by_channel(won: Sequence[ConversionCredits], m: int) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for credits_ in won:
        for touch, weight in zip(credits_.touches, credits_.weights[m], strict=True):
            found[touch[2]] += weight
    return dict(found)


def _divided(parameters: Parameters, won: Sequence[ConversionCredits], rules: AttributionConfig) -> dict[str, float]:
    """Each sale divided over its own touches, as the rows of the stream are."""
    rule, found = CreditRule(parameters), defaultdict[str, float](float)
    for credits_ in won:
        numerators = rule.shares(Path(credits_.touches, credits_.conversion), rules).numerators
        total = sum(numerators)
        for touch, numerator in zip(credits_.touches, numerators, strict=True):
            found[touch[2]] += numerator / total
    return dict(found)
