"""When events arrive, what corrects them, what comes twice and what comes broken.

Every delay stays below ``MAX_DELAY_DAYS``, which is inside the lateness that a default attribution accepts (30 days),
so no valid event of a population is too late to count.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from loadgen.clocks import DAY_S
from loadgen.config import PopulationConfig
from loadgen.journeys import Block
from loadgen.rows import CONVERSION, Random, Rows, cents, make, picked

MAX_DELAY_DAYS: Final = 28.0
_LATENCY_S: Final = 2.0
_LATE_DAYS: Final = 20.0
_OVERTAKEN_DAYS: Final = 3.0
#: Of the refunds: all without an amount, all with the amount; the rest takes a part.
_REFUND_ALL: Final = 0.4
_REFUND_ALL_WITH_AMOUNT: Final = 0.6


def corrections(rng: Random, config: PopulationConfig, conversions: Rows, first_event: int) -> Rows:
    """Refunds, cancellations and restatements of the paid conversions, days after them."""
    size = len(conversions)
    draw = rng.random(size)
    edges = np.cumsum([config.refunds, config.cancellations, config.restatements])
    paid = conversions["amount"] > 0
    chosen = np.flatnonzero(paid & (draw < edges[2]))
    base = conversions[chosen]
    kind = np.searchsorted(edges, draw[chosen], side="right")
    part = rng.random(len(base))
    fraction = 0.1 + 0.8 * rng.random(len(base))
    partial = np.minimum(cents(base["amount"] / 1e6 * fraction), base["amount"])
    refund = np.where(part < _REFUND_ALL, 0, np.where(part < _REFUND_ALL_WITH_AMOUNT, base["amount"], partial))
    restated = cents(base["amount"] / 1e6 * (0.5 + rng.random(len(base))))
    delay = np.minimum(rng.lognormal(np.log(3.0), 0.8, len(base)), 25.0) * DAY_S
    rows = make(
        len(base),
        kind=CONVERSION,
        occurs=base["occurs"] + delay,
        event=np.arange(first_event, first_event + len(base)),
        customer=base["customer"],
        type=base["type"],
        form=base["form"],
        status=np.select([kind == 0, kind == 1], [1, 2], 0),
        amount=np.select([kind == 0, kind == 1], [refund, 0], restated),
        adjusts=base["event"],
    )
    rows["arrives"] = rows["occurs"]
    ordered = base["order"] >= 0
    rows["by_order"] = ordered & picked(rng, len(base), 0.5)
    # A third of those with an order id name it as their own order instead of pointing at the event: the natural key.
    own = ordered & picked(rng, len(base), 0.34)
    rows["order"] = np.where(own, base["order"], -1)
    rows["adjusts"] = np.where(own, -1, rows["adjusts"])
    return rows


def delayed(rng: Random, config: PopulationConfig, block: Block, corrected: Rows) -> Rows:
    """All valid events of a block with their time of arrival."""
    touches, conversions = block.touches, block.conversions
    touches["arrives"] += rng.exponential(_LATENCY_S, len(touches))
    disorder = rng.random(len(touches)) * config.disorder_minutes * 60
    wait = block.next_contact - touches["occurs"]
    moved = np.where(wait < _OVERTAKEN_DAYS * DAY_S, wait, 0.0) + disorder
    touches["arrives"] += np.where(picked(rng, len(touches), config.out_of_order), moved, 0.0)

    behind = block.converts_at + np.minimum(rng.lognormal(np.log(2.0), 1.0, len(touches)), 96.0) * 3600.0
    late = picked(rng, len(touches), config.late) & (block.converts_at - touches["occurs"] < _LATE_DAYS * DAY_S)
    touches["arrives"] = np.where(late, np.fmax(touches["arrives"], behind), touches["arrives"])

    outcomes = np.concatenate([conversions, corrected])
    outcomes["arrives"] += rng.exponential(_LATENCY_S, len(outcomes))
    swapped = rng.random(len(outcomes)) * config.disorder_minutes * 60
    outcomes["arrives"] += np.where(picked(rng, len(outcomes), config.out_of_order), swapped, 0.0)
    lag = np.minimum(rng.lognormal(0.5, 0.9, len(outcomes)), 15.0) * DAY_S
    outcomes["arrives"] += np.where(picked(rng, len(outcomes), config.late_conversions), lag, 0.0)
    return np.concatenate([touches, outcomes])


def redelivered(rng: Random, rows: Rows, share: float) -> Rows:
    """The rows that arrive a second time, minutes later."""
    again = rows[picked(rng, len(rows), share)].copy()
    again["arrives"] += np.minimum(rng.lognormal(np.log(120.0), 1.5, len(again)), DAY_S)
    again["is_duplicate"] = 1
    return again


def damaged(rng: Random, rows: Rows, beside: int, share: float, kinds: int, first_event: int) -> Rows:
    """Copies of random rows under event numbers of their own, each marked with one of ``kinds`` damages.

    They are ``share`` of all, when the others are ``beside`` records.
    """
    count = int(rng.poisson(beside * share / (1.0 - share)))
    bad = rows[rng.integers(max(len(rows), 1), size=count if len(rows) else 0)].copy()
    bad["is_malformed"] = 1
    bad["event"] = np.arange(first_event, first_event + len(bad))
    bad["damage"] = rng.integers(kinds, size=len(bad))
    return bad
