"""What a metric is: kind, labels, unit, meaning.

Names follow Prometheus' conventions: base units, ``_total`` on counters.

No label holds what a caller or a record sent: values are topics, partitions, reasons, templates and names of ours, so
the number of series is bounded and nobody's id or secret is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

#: ``1``: a plain number. Micros are 1e-6 of a unit of money.
Unit: TypeAlias = Literal["1", "seconds", "bytes", "records", "events", "rows", "conversions", "micros"]

#: Seconds of work: from half a millisecond to the longest limits.
WORK_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
#: Seconds of age: from live traffic to a backlog of a day.
AGE_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 86_400.0)
#: Records of an epoch, up to the largest that a setting allows.
RECORDS: Final = (1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0, 200_000.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        kind: as Prometheus knows it.
        labels: in the order in which values are given.
        unit: of its values.
        meaning: one sentence, shown as HELP.
        buckets: upper bounds, of a histogram only.
        series: values of the labels that are known beforehand; these series are there, at 0, from the start.
    """

    kind: Kind
    labels: tuple[str, ...]
    unit: Unit
    meaning: str
    buckets: tuple[float, ...] = ()
    series: tuple[tuple[str, ...], ...] = ()
