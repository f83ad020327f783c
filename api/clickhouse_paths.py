"""``paths_store.Paths`` over ClickHouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from api.paths_store import (
    LAG_BOUNDS_S,
    Assists,
    Part,
    PathLengths,
    PathsAsked,
    PathsShown,
    PathSum,
    Step,
    TimeLags,
    TopPaths,
)

_NOTHING = Part(0, 0)


class ClickHousePaths:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def top_paths(self, asked: PathsAsked, shown: PathsShown) -> TopPaths:
        """The paths behind a position, and the sum of all."""
        rows = self._run(
            "analytics_top_paths",
            **asked._asdict(),
            channel=shown.channel,
            by_campaign=int(shown.by_campaign),
            collapse=int(shown.collapse),
            has_after=int(shown.after is not None),
            after_conversions=shown.after.conversions if shown.after else 0,
            after_id=shown.after.path_id if shown.after else "",
            limit=shown.limit,
        )
        paths = [
            PathSum(row["path_id"], _steps(row["channels_shown"], row["campaigns_shown"], shown), _touched(row))
            for row in rows
            if row["path_id"]
        ]
        total = next((_touched(row) for row in rows if not row["path_id"] and row["has_usable"]), _NOTHING)
        return TopPaths(*_currencies(rows), tuple(paths), total)

    def path_lengths(self, asked: PathsAsked, longest: int) -> PathLengths:
        """Conversions by number of touches."""
        rows = self._run("analytics_path_length", **asked._asdict(), longest=longest)
        return PathLengths(*_currencies(rows), {row["of_length"]: _touched(row) for row in rows if row["has_usable"]})

    def time_lags(self, asked: PathsAsked) -> TimeLags:
        """Conversions by time from touches."""
        (row,) = self._run("analytics_time_lag", **asked._asdict(), bounds_s=list(LAG_BOUNDS_S))
        pairs = {(first, last): Part(n, micros) for first, last, n, micros in row["buckets"]}
        has_touch = any(first for first, _ in pairs)
        quantiles = (tuple(row[name]) if has_touch else None for name in ("first_s", "last_s"))
        return TimeLags(*_currencies([row]), pairs, *quantiles)

    def assists(self, asked: PathsAsked) -> Assists:
        """What part channels have in conversions."""
        rows = self._run("analytics_assists", **asked._asdict())
        of: dict[str, dict[str, Part]] = {"first": {}, "last": {}, "assist": {}, "none": {}}
        for row in rows:
            if row["has_usable"]:
                of[row["role"]][row["of_channel"]] = Part(row["conversions"], row["value_micros"])
        untouched = next(iter(of["none"].values()), _NOTHING)
        return Assists(*_currencies(rows), of["first"], of["last"], of["assist"], untouched)


def _steps(channels: Sequence[str], campaigns: Sequence[str], shown: PathsShown) -> tuple[Step, ...]:
    names = campaigns if shown.by_campaign else [""] * len(channels)
    # without a touch there is no channel, but a campaign
    every = [Step(*step) for step in zip(channels, names, strict=False)]
    return tuple(step for step, _ in groupby(every)) if shown.collapse else tuple(every)


def _touched(row: dict[str, Any]) -> Part:
    return Part(row["conversions"], row["value_micros"], row["all_touches"])


def _currencies(rows: Iterable[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    every = list(rows)
    left_out, converted = (
        tuple(sorted({currency for row in every for currency in row[name]})) for name in ("left_out", "converted")
    )
    return left_out, converted
