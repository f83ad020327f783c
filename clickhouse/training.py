"""What data-driven models are trained on, from ClickHouse: transitions, channel sets, and journeys themselves.

A training stages its journeys in a table of its own (``Stage``), because nulls are dear to find and several counts are
made of them, and drops it. What is read is the converged state of a run: late touches, late conversions, refunds,
identities and erasures are in it, so counts do not depend on the order in which anything arrived.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickhouse import queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Period:
    """Which journeys are counted.

    Those that ended in ``[start_us, end_us)``: with a live conversion of ``types`` (none: of any type), or in nothing,
    ``closed_us`` after their last touch. ``excluded`` are channels that get no credit, in lower case.
    """

    run_id: int
    start_us: int
    end_us: int
    closed_us: int
    types: Sequence[str] = ()
    excluded: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Stage:
    """The journeys of one training, in ClickHouse."""

    client: Client
    name: str

    def transitions(self, *, depth: int) -> pa.Table:
        """``state`` (list of texts), ``kind`` (channel, conversion, null), ``next``, ``journeys``, ``replicates``."""
        return queries.arrow(self.client, "training_transitions", stage=self.name, depth=depth)

    def sets(self, *, positions: int = 0) -> pa.Table:
        """``channels`` (list of texts), ``conversions``, ``nulls``, ``replicate_conversions``, ``replicate_nulls``.

        With ``positions`` the members are players of the ordered game, as ``datadriven.coalitions.ordered_paths`` names
        them.
        """
        return queries.arrow(self.client, "training_sets", stage=self.name, positions=positions)

    def journeys(self, *, most: int, touches: int) -> pa.Table:
        """``customer`` (key), ``channels`` (list of texts), ``at`` (list of microseconds), ``converted``.

        At most ``most`` touched journeys, the newest ``touches`` of each.
        """
        return queries.arrow(self.client, "training_journeys", stage=self.name, most=most, touches=touches)


@contextmanager
def staged(client: Client, period: Period, *, replicates: int, thresholds: Sequence[int]) -> Iterator[Stage]:
    """The journeys of a period, until the block ends. Raises the errors of ``clickhouse.queries``.

    Args:
        client: the database.
        period: which journeys.
        replicates: of the bootstrap, 0 for none.
        thresholds: of the Poisson distribution (``datadriven.bootstrap.poisson_thresholds``).
    """
    stage = Stage(client, f"training_{uuid.uuid4().hex}")
    bound: dict[str, Any] = {
        "stage": stage.name,
        "run_id": period.run_id,
        "start_us": period.start_us,
        "end_us": period.end_us,
    }
    queries.execute(
        client, "training_create_stage", stage=stage.name, replicates=replicates, thresholds=list(thresholds)
    )
    try:
        queries.execute(client, "training_add_conversions", **bound, types=list(period.types))
        queries.execute(
            client,
            "training_add_nulls",
            **bound,
            closed_us=period.closed_us,
            types=list(period.types),
            excluded=list(period.excluded),
        )
        yield stage
    finally:
        queries.execute(client, "training_drop_stage", stage=stage.name)
