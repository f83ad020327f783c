"""The part of the store that the live feed reads: rows of credits in the order in which the engine took them.

A row's stamp is the engine's own time at the beginning of its insert, microseconds; it becomes visible later, so a
reader looks at the last moments again and again. Raises like the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

#: What names one version of a conversion: its id, ``rev``, and whether it was removed.
Version: TypeAlias = tuple[str, int, bool]


class Position(NamedTuple):
    """Where a row stands among all of its run."""

    stamp_us: int
    conversion_id: str = ""
    rev: int = 0
    is_removed: bool = False


class Inserted(NamedTuple):
    """The run that is shown, the engine's time, and inserts by stamp, each with a digest of what is visible."""

    run_id: int
    now_us: int
    inserts: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One version of a conversion; ``weights`` and ``micros`` hold for each touch a list over ``models``."""

    position: Position
    customer_id: str
    conversion_type: str
    converted_at: datetime
    value_micros: int
    currency: str
    models: tuple[str, ...]
    ids: tuple[str, ...]
    ats: tuple[datetime, ...]
    channels: tuple[str, ...]
    campaigns: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    micros: tuple[tuple[int, ...], ...]
    config_hash: str
    emitted_at: datetime

    @property
    def version(self) -> Version:
        """What names it."""
        return self.position[1:]


class LiveStore(Protocol):
    """Inserts of one workspace. Calls block."""

    def inserted(self, from_us: int, overlap_us: int) -> Inserted:
        """Inserts from ``from_us`` on; 0: of the last ``overlap_us``."""

    def inserted_rows(
        self, run_id: int, stamps: Sequence[int], from_us: int, after: Position, limit: int
    ) -> list[LiveRow]:
        """At most ``limit`` rows behind a position, from ``from_us`` on; of these inserts, or of all."""
