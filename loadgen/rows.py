"""Events as one numpy record array, before they have an event time and bytes.

``occurs`` and ``arrives`` are simulated seconds (see ``clocks``); ``amount`` is micros: the cost of a
touch, the value of a conversion. ``event``, ``order`` and ``adjusts`` are event numbers, -1 is none.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.void]
Random: TypeAlias = np.random.Generator

TOUCH: Final = 0
CONVERSION: Final = 1

CONVERSION_TYPES: Final = ("purchase", "lead_created", "opportunity_created", "closed_won")
STATUSES: Final = ("completed", "refunded", "cancelled")

#: How a time is written: epoch ms, epoch us, ISO-8601; or the whole record in Avro.
MILLIS: Final = 0
MICROS: Final = 1
ISO: Final = 2
AVRO: Final = 3

DTYPE: Final = np.dtype(
    [
        ("arrives", "f8"),
        ("occurs", "f8"),
        ("kind", "u1"),
        ("is_duplicate", "u1"),
        ("is_malformed", "u1"),
        ("event", "i8"),
        ("customer", "i8"),
        ("channel", "i2"),  # index into the channels
        ("campaign", "i2"),  # number within the channel, -1: none
        ("amount", "i8"),
        ("form", "u1"),  # MILLIS, MICROS, ISO, AVRO
        ("damage", "i2"),  # number of the damage of a malformed record
        ("is_derived", "u1"),  # touch: its channel is left to the rules
        ("type", "u1"),  # index into CONVERSION_TYPES
        ("status", "u1"),  # index into STATUSES
        ("order", "i8"),  # number of the order: the event that opened it
        ("adjusts", "i8"),  # event corrected
        ("by_order", "u1"),  # the correction names the order, not the event
    ]
)


def make(size: int, **columns: Any) -> Rows:
    """``size`` rows; columns that are not given are 0, references are -1."""
    rows = np.zeros(size, DTYPE)
    for name in ("order", "adjusts", "campaign"):
        rows[name] = -1
    for name, values in columns.items():
        rows[name] = values
    return rows


def picked(rng: Random, size: int, share: float) -> NDArray[np.bool_]:
    """Each of ``size`` with chance ``share``; always draws, so that one share does not move the other draws."""
    return rng.random(size) < share


def cents(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole cents in micros, at least one."""
    return np.maximum(np.rint(amounts * 100.0), 1.0).astype(np.int64) * 10_000
