"""Prints what the core makes of random input: two processes, one compiled and one not, must print the same.

    python core_trace.py SEED

Journeys are built event by event, with duplicates, contradictions, corrections, negative values, late events and small
bounds; each step prints the stored bytes, the credits of every model, and what is appended without an object. The
first line names the core.
"""

# ruff: noqa: T201  # what it prints is what it is for

from __future__ import annotations

import random
import sys
from dataclasses import replace
from decimal import Decimal

from attribution._compiled import DESCRIPTION
from attribution.attribute import Attributor
from attribution.config import DAY_US, AttributionConfig
from attribution.errors import AttributionError
from attribution.journey import Journey
from attribution.journey_bytes import append_touches
from attribution.models.registry import model_ids
from attribution.money import split_micros, to_micros
from attribution.types import ConversionEvent, Status, Touch

CHANNELS = ("email", "Direct", "paid_search", "affiliate", "größe")
TYPES = ("purchase", "lead_created", "opportunity_created", "signup")
STATUSES: tuple[Status, ...] = ("completed", "completed", "completed", "refunded", "cancelled")
CONFIGS = (
    AttributionConfig(models=model_ids()),
    AttributionConfig(max_touchpoints=4, lookback_us=5 * DAY_US, allowed_lateness_us=3 * DAY_US),
    AttributionConfig(
        models=model_ids(),
        exclude_channels=frozenset({"affiliate"}),
        reset_on_conversion=frozenset({"purchase"}),
        conversion_retention_us=10 * DAY_US,
        custom_weights=(Decimal(0), Decimal(1), Decimal(0)),
    ),
)


def touch(rng: random.Random) -> Touch:
    """One of few ids and times, so that they meet."""
    at_us = rng.randrange(1, 40) * DAY_US + rng.choice((0, 0, 1, 999_999))
    return (at_us, f"t{rng.randrange(60)}", rng.choice(CHANNELS), rng.choice(("", "spring")))


def event(rng: random.Random) -> ConversionEvent:
    """A conversion or a correction."""
    return ConversionEvent(
        rng.randrange(1, 40) * DAY_US,
        f"c{rng.randrange(12)}",
        rng.choice(TYPES),
        rng.choice(("", "", "o1", "o2")),
        rng.choice((0, 1, 7, 10**6 + 1, rng.randrange(1 << 62))),
        rng.choice(("EUR", "USD")),
        rng.choice(STATUSES),
        rng.choice(("", "", "", "o1", "c3")),
        rng.choice((0, 0, 5, 6)),
    )


def trace_journey(rng: random.Random, config: AttributionConfig) -> None:
    """A journey from its first event on, stored and read again after each step."""
    attributor, raw = Attributor(config), None
    for _ in range(rng.randrange(1, 12)):
        touches = [touch(rng) for _ in range(rng.randrange(4))]
        events = [event(rng) for _ in range(rng.randrange(3))] if rng.random() < 0.5 or not touches else []
        journey = Journey() if raw is None else Journey.from_bytes(raw)
        applied = journey.apply(touches, events, config)
        for conversion in applied.affected:
            for found in (conversion, replace(conversion, value_micros=-conversion.value_micros)):
                print(attributor.attribute(journey, found))
        print(applied)
        journey.prune(applied.newest_before_us, config)
        stored = journey.to_bytes()
        if touches and not events:
            appended = append_touches(raw, touches, config)
            print("appended", appended is not None)
            assert appended in {None, stored}, (raw, touches)
        raw = stored
        print(raw.hex())


def trace_money(rng: random.Random) -> None:
    """Amounts, and their division."""
    numerators = [rng.choice((0, 1, 1, 3, rng.randrange(1 << 62))) for _ in range(rng.randrange(1, 9))]
    value = rng.choice((1, -1)) * rng.randrange(1 << rng.choice((4, 20, 63)))
    if total := sum(numerators):
        parts = split_micros(value, numerators, total)
        assert sum(parts) == value, (value, numerators)
        print(parts)
    for amount in (
        rng.random() * 10**6,
        f"{rng.randrange(10**9)}e-{rng.randrange(12)}",
        "1_0",
        "",
        float("nan"),
        True,
        None,
    ):
        try:
            print(to_micros(amount))
        except AttributionError as error:
            print(repr(error), error)


def main() -> None:
    """Both, many times."""
    print(DESCRIPTION)
    rng = random.Random(int(sys.argv[1]))
    for n in range(1_200):
        trace_journey(rng, CONFIGS[n % len(CONFIGS)])
        trace_money(rng)


if __name__ == "__main__":
    main()
