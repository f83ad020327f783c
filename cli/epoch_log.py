"""What the epochs of workers took, stage by stage, out of their logs (log level ``info``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.canaries import quantiles

STAGES: Final = ("waited", "computed", "durable", "inserted", "committed")
_LINE: Final = re.compile(
    r"Epoch of (\d+) records.*waited ([\d.]+) s, computed in ([\d.]+) s, durable ([\d.]+), inserted ([\d.]+), "
    r"committed ([\d.]+)"
)


@dataclass(frozen=True, slots=True)
class LoggedEpoch:
    """Records, and seconds by stage."""

    records: int
    seconds: tuple[float, ...]


class EpochLog:
    """The logs of some workers; reads what was added since it was made."""

    def __init__(self, logs: Sequence[Path]) -> None:
        self._from = {log: log.stat().st_size if log.exists() else 0 for log in logs}

    def epochs(self) -> list[LoggedEpoch]:
        """Those committed since."""
        found = []
        for log, start in self._from.items():
            if log.exists():
                with log.open("rb") as content:
                    content.seek(start)
                    text = content.read().decode(errors="replace")
                found += [LoggedEpoch(int(m[1]), tuple(map(float, m.groups()[1:]))) for m in _LINE.finditer(text)]
        return found


def stages(epochs: Sequence[LoggedEpoch]) -> dict[str, dict[str, float]]:
    """Quantiles of the size and of the seconds of each stage."""
    found = {"records": quantiles([e.records for e in epochs])}
    for place, name in enumerate(STAGES):
        found[name] = quantiles([e.seconds[place] for e in epochs])
    return found
