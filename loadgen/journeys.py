"""Customers' journeys: touches by a channel Markov chain, conversions by the channels' true effects.

``Journeys.draw`` makes a block of journeys as ``Rows`` that arrive when they occur (``arrivals`` moves them). The
chance to convert is logistic in the contacts, so what each channel truly adds is known: ``incremental`` holds,
per journey and channel, the chance with the channel minus the chance had its contacts not happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadgen.clocks import DAY_S, Floats, Ints
from loadgen.config import AFFINITIES, PopulationConfig
from loadgen.rows import AVRO, CONVERSION, TOUCH, Random, Rows, cents, make, picked

HOUR_S: Final = 3600.0
_PERSONA_NUMBERS: Final = (
    "touches",
    "touches_sigma",
    "gap_hours",
    "gap_sigma",
    "base",
    "value",
    "value_sigma",
    "milestones",
)


@dataclass(frozen=True, slots=True)
class Block:
    """Journeys in full. ``next_contact`` and ``converts_at`` run over ``touches``: NaN where there is none.

    ``decided_at``, ``converted``, ``chance`` and ``incremental`` run over the journeys.
    """

    touches: Rows
    next_contact: Floats
    converts_at: Floats
    conversions: Rows
    decided_at: Floats
    converted: NDArray[np.bool_]
    chance: Floats
    incremental: Floats


class Journeys:
    """Draws journeys of a fixed pool of customers; who is which persona depends on the customer's number alone."""

    def __init__(self, config: PopulationConfig) -> None:
        self._config = config
        channels, personas = config.channels, config.personas
        bias = np.ones((len(personas), len(channels)))
        names = [c.name for c in channels]
        for i, persona in enumerate(personas):
            for name, factor in persona.bias:
                if name in names:
                    bias[i, names.index(name)] = factor
        self._start = _cumulated(bias * np.array([c.start for c in channels]))
        follow = np.tile(np.array([c.follow for c in channels]), (len(channels), 1))
        for source, target, factor in AFFINITIES:
            if source in names and target in names:
                follow[names.index(source), names.index(target)] *= factor
        self._follow = _cumulated(bias[:, None, :] * follow[None, :, :])
        self._stay = np.array([c.stay for c in channels])
        self._effects = np.array([c.effect for c in channels])
        self._clicks = np.array([c.click_cost_micros for c in channels], dtype=np.int64)
        self._campaigns = np.array([c.campaigns for c in channels], dtype=np.int64)
        self._persona_edges = np.cumsum([p.share for p in personas]) / sum(p.share for p in personas)
        self._is_bot = np.array([p.base == -np.inf for p in personas])
        self._p = {name: np.array([getattr(p, name) for p in personas]) for name in _PERSONA_NUMBERS}

    def events_per_journey(self) -> float:
        """Roughly how many records one journey makes, redeliveries included; sets the pace of the population."""
        p, config = self._p, self._config
        mean = np.minimum(p["touches"] * np.exp(p["touches_sigma"] ** 2 / 2), config.max_touches)
        bots = np.minimum(p["touches"] * np.exp(p["touches_sigma"] ** 2 / 2), config.max_bot_touches)
        shares = np.diff(self._persona_edges, prepend=0.0)
        each = np.where(self._is_bot, bots, mean + 0.3)
        return max(float(each @ shares) * (1 + config.duplicates) / (1 - config.malformed), 0.1)

    def personas(self, customers: Ints) -> Ints:
        """Index of each customer's persona: spread evenly over the numbers by the golden ratio."""
        place = (customers * 0.6180339887498949 + 0.5) % 1.0
        found = np.searchsorted(self._persona_edges, place, side="right")
        return np.minimum(found, len(self._persona_edges) - 1).astype(np.int64)

    def draw(self, rng: Random, starts: Floats, first_event: int) -> Block:
        """Journeys that begin at ``starts``; their events are numbered from ``first_event`` on."""
        customers = rng.integers(self._config.customers, size=len(starts))
        personas = self.personas(customers)
        counts = self._counts(rng, personas)
        journey = np.repeat(np.arange(len(starts)), counts)
        offsets = np.cumsum(counts) - counts
        position = np.arange(len(journey)) - offsets[journey]
        channels = self._chain(rng, personas, counts)[position, journey]
        at = self._times(rng, starts, personas, journey, position)
        touches = self._touches(rng, customers[journey], channels, at, first_event)

        size = len(self._effects)
        contacts = np.bincount(journey * size + channels, minlength=len(starts) * size).reshape(-1, size)
        fatigue = self._config.fatigue
        exposure = contacts if fatigue == 1.0 else (1 - fatigue**contacts) / (1 - fatigue)
        logit = self._p["base"][personas] + exposure @ self._effects
        chance = _logistic(logit)
        with np.errstate(invalid="ignore"):
            incremental = chance[:, None] - _logistic(logit[:, None] - exposure * self._effects)
        converted = rng.random(len(starts)) < chance

        decided = starts.copy()
        decided[counts > 0] = at[(offsets + counts - 1)[counts > 0]]
        decided += np.minimum(rng.lognormal(np.log(0.3), 1.2, len(starts)), 72.0) * HOUR_S
        conversions = self._conversions(
            rng, customers, personas, starts, decided, converted, first_event + len(touches)
        )
        last = position == counts[journey] - 1
        return Block(
            touches=touches,
            next_contact=np.where(last, np.nan, np.roll(at, -1)) if len(at) else at,
            converts_at=np.where(converted, decided, np.nan)[journey],
            conversions=conversions,
            decided_at=decided,
            converted=converted,
            chance=chance,
            incremental=incremental,
        )

    def _counts(self, rng: Random, personas: Ints) -> Ints:
        drawn = self._p["touches"][personas] * np.exp(
            rng.standard_normal(len(personas)) * self._p["touches_sigma"][personas]
        )
        most = np.where(self._is_bot, self._config.max_bot_touches, self._config.max_touches)[personas]
        some = self._p["touches"][personas] > 0
        return np.where(some, np.clip(np.rint(drawn), 1, most), 0).astype(np.int64)

    def _chain(self, rng: Random, personas: Ints, counts: Ints) -> Ints:
        """Channel of contact ``[position, journey]``; a repeated channel loses its hold with every repetition."""
        longest = int(counts.max(initial=0))
        grid = np.zeros((longest, len(counts)), dtype=np.int64)
        order = np.argsort(-counts, kind="stable")
        active = len(counts) - np.searchsorted(np.sort(counts), np.arange(longest), side="right")
        run = np.zeros(len(counts))
        for step in range(longest):
            who = order[: active[step]]
            draw = rng.random((2, len(who)))
            if step == 0:
                grid[0, who] = _sample(self._start[personas[who]], draw[0])
                continue
            before = grid[step - 1, who]
            stays = draw[0] < self._stay[before] * self._config.fatigue ** run[who]
            moved = _sample(self._follow[personas[who], before], draw[1])
            grid[step, who] = np.where(stays, before, moved)
            run[who] = np.where(grid[step, who] == before, run[who] + 1, 0)
        return grid

    def _times(self, rng: Random, starts: Floats, personas: Ints, journey: Ints, position: Ints) -> Floats:
        who = personas[journey]
        gaps = self._p["gap_hours"][who] * np.exp(rng.standard_normal(len(who)) * self._p["gap_sigma"][who]) * HOUR_S
        gaps = np.where(position == 0, 0.0, np.clip(gaps, 0.2, 30 * DAY_S))
        run = np.cumsum(gaps)
        first = run[np.flatnonzero(position == 0)] if len(run) else run
        seen = np.cumsum(position == 0) - 1
        at: Floats = starts[journey] + run - first[seen]
        return at

    def _touches(self, rng: Random, customers: Ints, channels: Ints, at: Floats, first_event: int) -> Rows:
        size = len(at)
        price = self._clicks[channels] * np.exp(rng.standard_normal(size) * 0.35)
        campaigns = self._campaigns[channels]
        # Earlier campaigns of a channel are bigger: the square of an even draw leans to 0.
        campaign = np.where(campaigns > 0, (rng.random(size) ** 2 * campaigns).astype(np.int64), -1)
        return make(
            size,
            kind=TOUCH,
            occurs=at,
            arrives=at,
            event=np.arange(first_event, first_event + size),
            customer=customers,
            channel=channels,
            campaign=campaign,
            amount=np.rint(price).astype(np.int64),
            form=_forms(rng, size, self._config.avro),
            is_derived=picked(rng, size, self._config.derived_channels),
        )

    def _conversions(
        self,
        rng: Random,
        customers: Ints,
        personas: Ints,
        starts: Floats,
        decided: Floats,
        converted: NDArray[np.bool_],
        first_event: int,
    ) -> Rows:
        size = len(starts)
        value = self._p["value"][personas] * np.exp(rng.standard_normal(size) * self._p["value_sigma"][personas])
        stages = self._p["milestones"][personas].astype(bool)
        # Lost deals stop somewhere on the way: half before a lead, a quarter after it, a quarter after the opportunity.
        lost_at = rng.random(size)
        lead = stages & (converted | (lost_at > 0.5))
        opportunity = stages & (converted | (lost_at > 0.75))
        lead_at = starts + (decided - starts) * (0.15 + 0.3 * rng.random(size))
        opportunity_at = lead_at + (decided - lead_at) * (0.2 + 0.6 * rng.random(size))
        parts = [
            make(int(who.sum()), customer=customers[who], occurs=at[who], amount=amount[who], type=kind[who])
            for who, at, amount, kind in (
                (lead, lead_at, np.zeros(size, np.int64), np.full(size, 1)),
                (opportunity, opportunity_at, np.zeros(size, np.int64), np.full(size, 2)),
                (converted, decided, cents(value), np.where(stages, 3, 0)),
            )
        ]
        rows = np.concatenate(parts)
        rows["kind"] = CONVERSION
        rows["arrives"] = rows["occurs"]
        rows["event"] = np.arange(first_event, first_event + len(rows))
        rows["order"] = np.where(picked(rng, len(rows), self._config.without_order_id), -1, rows["event"])
        rows["form"] = _forms(rng, len(rows), self._config.avro)
        return rows


def _forms(rng: Random, size: int, avro: float) -> NDArray[np.uint8]:
    plain = rng.integers(AVRO, size=size)
    return np.where(picked(rng, size, avro), AVRO, plain).astype(np.uint8)


def _cumulated(weights: Floats) -> Floats:
    edges: Floats = np.cumsum(weights, axis=-1) / np.sum(weights, axis=-1, keepdims=True)
    return edges


def _sample(edges: Floats, draws: Floats) -> Ints:
    found: Ints = (draws[:, None] >= edges).sum(axis=1, dtype=np.int64)
    within: Ints = np.minimum(found, edges.shape[1] - 1)
    return within


def _logistic(x: Floats) -> Floats:
    chance: Floats = 0.5 * (1 + np.tanh(x / 2))
    return chance
