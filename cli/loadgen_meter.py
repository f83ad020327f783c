"""What ``attribution simulate`` counts."""

from __future__ import annotations

from telemetry.metrics import Metrics
from telemetry.program_metrics import LOADGEN, LoadgenMetric


class LoadgenMeter:
    """The counts of one run that keeps ``rate`` records a second; 0: as fast as possible."""

    def __init__(self, rate: float) -> None:
        self.metrics: Metrics[LoadgenMetric] = Metrics(LOADGEN, "loadgen")
        self.metrics.put("attribution_loadgen_target_records_per_second", rate)

    def step(self, sent: int, behind_s: float) -> None:
        """So many records are handed over, and the next one is overdue by so much."""
        self.metrics.put("attribution_loadgen_records_total", sent)
        self.metrics.put("attribution_loadgen_behind_seconds", behind_s)
