"""One run as the table ``runs`` describes it, and what is asked about runs. Times are microseconds, money is micros."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from attribution.window import ALL, Window
from clickhouse.errors import RunError


@dataclass(frozen=True, slots=True)
class Run:
    """One row of ``runs``; the migration says what the fields mean. ``config`` is ``AttributionConfig.as_dict()``."""

    run_id: int
    name: str
    models: tuple[str, ...]
    config_hash: str
    config: Mapping[str, Any]
    status: str = "complete"
    source: str = "topics"
    group_id: str = ""
    window: Window = ALL
    plan: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    detail: str = ""
    created_us: int = 0
    finished_us: int = 0
    is_active: bool = False

    @property
    def has_feeder(self) -> bool:
        """Whether a worker can go on where the run ends: it was made from the topics, and of all conversions."""
        return self.source == "topics" and not any(self.window)

    def refuse_to_show(self, *, frozen: bool) -> None:
        """Whether it may be promoted.

        Args:
            frozen: take a run that no worker can keep up to date.

        Raises:
            RunError: it is not complete, or nobody could feed it and ``frozen`` was not said.
        """
        if self.status != "complete":
            raise RunError(
                f"run {self.name} is {self.status}, only a complete run can be promoted: "
                f"finish it by the `attribution replay` command that began it"
            )
        if not self.has_feeder and not frozen:
            made = "from the facts" if self.source != "topics" else "of a part of the time (--from, --to)"
            raise RunError(
                f"run {self.name} was made {made}: no worker can add new conversions to it. "
                f"Give --frozen to show it as it is, or replay from the topics without --from and --to"
            )

    def refuse_if_active(self) -> None:
        """For what must not happen to the run that is shown.

        Raises:
            RunError: it is.
        """
        if self.is_active:
            raise RunError(f"run {self.name} is the active one: promote another run first")


class Checksum(NamedTuple):
    """Equal for equal rows in any order; as text it can be compared and copied."""

    credit_rows: int
    hash_sum: int
    hash_xor: int

    def __str__(self) -> str:
        return f"{self.hash_sum:016x}{self.hash_xor:016x}"


class Comparison(NamedTuple):
    """Two runs side by side: rows by model and currency, credits by channel, the conversions that differ most."""

    models: list[dict[str, Any]]
    channels: list[dict[str, Any]]
    conversions: list[dict[str, Any]]


def common_window(a: Run, b: Run) -> Window:
    """The time that both runs hold."""
    ends = [w.to_us for w in (a.window, b.window) if w.to_us]
    return Window(max(a.window.from_us, b.window.from_us), min(ends, default=0))


def from_row(row: Mapping[str, Any]) -> Run:
    """A row of the query ``runs_list``."""
    return Run(
        run_id=row["run_id"],
        name=row["label"],
        models=tuple(row["models"]),
        config_hash=row["config_hash"],
        config=json.loads(row["config"] or "{}"),
        status=row["status"] or "complete",
        source=row["source"] or "topics",
        group_id=row["group_id"],
        window=Window(row["from_us"], row["to_us"]),
        plan=json.loads(row["plan"] or "{}"),
        done=row["done"],
        total=row["total"],
        detail=row["detail"],
        created_us=row["created_us"],
        finished_us=row["finished_us"],
        is_active=bool(row["is_active"]),
    )
