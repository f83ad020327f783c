"""``paths_store.Paths`` over ClickHouse.

Days whose path sums are current are read from those, the others from their conversions (``clickhouse.path_sums``).
Which ones is asked first, so every answer is as new as its question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, TypeVar

from api import path_quantiles
from api.paths_store import (
    LAG_BOUNDS_S,
    QUANTILES,
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
from clickhouse import path_sums

T = TypeVar("T")

_NOTHING: Final = Part(0, 0)
#: Paths that were rarer on a day than two to the power of this are left out at first; see ``analytics_top_path_ids``.
_GRADES: Final = (5, 2, 0)
#: Days that are built while they are read are read again, so often at most.
_MOST_READS: Final = 3


class ClickHousePaths:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def top_paths(self, asked: PathsAsked, shown: PathsShown) -> TopPaths:
        """The paths behind a position, and the sum of all."""
        rows = self._steady(asked, lambda bound: self._top_paths(bound, shown))
        paths = [
            PathSum(row["path_id"], _steps(row["channels_shown"], row["campaigns_shown"], shown), _touched(row))
            for row in rows
            if row["path_id"]
        ]
        total = next((_touched(row) for row in rows if not row["path_id"] and row["has_usable"]), _NOTHING)
        return TopPaths(*_currencies(rows), tuple(paths), total)

    def _top_paths(self, asked: dict[str, Any], shown: PathsShown) -> list[dict[str, Any]]:
        bound = {
            **asked,
            "channel": shown.channel,
            "by_campaign": int(shown.by_campaign),
            "collapse": int(shown.collapse),
            "has_after": int(shown.after is not None),
            "after_conversions": shown.after.conversions if shown.after else 0,
            "after_id": shown.after.path_id if shown.after else "",
            "limit": shown.limit,
        }
        for grade in _GRADES if bound["summed"] else _GRADES[-1:]:
            found = self._run("analytics_top_path_ids", **bound, least_grade=grade)
            if found and found[0]["is_right"]:
                break
        rare = [(day, row["number"]) for row in found for day in row["rare_days"]]
        return self._run(
            "analytics_top_paths",
            **bound,
            least_grade=grade,
            ids=[row["id"] for row in found],
            numbers=sorted({row["number"] for row in found}),
            rare_days=[day for day, _ in rare],
            rare_numbers=[number for _, number in rare],
        )

    def path_lengths(self, asked: PathsAsked, longest: int) -> PathLengths:
        """Conversions by number of touches."""
        rows = self._run("analytics_path_length", **_bound(asked, self._days(asked)), longest=longest)
        return PathLengths(*_currencies(rows), {row["of_length"]: _touched(row) for row in rows if row["has_usable"]})

    def time_lags(self, asked: PathsAsked) -> TimeLags:
        """Conversions by time from touches."""
        return self._steady(asked, self._time_lags)

    def _time_lags(self, bound: dict[str, Any]) -> TimeLags:
        rows = self._run("analytics_time_lag", **bound)
        pairs = {
            (row["since_first"], row["since_last"]): Part(row["conversions"], row["value_micros"])
            for row in rows
            if row["has_usable"]
        }
        counts: tuple[Counter[int], Counter[int]] = Counter(), Counter()
        for pair, part in pairs.items():
            for side, bucket in enumerate(pair):
                counts[side][bucket] += part.conversions if bucket else 0
        needed = [path_quantiles.places(+of_side, QUANTILES) for of_side in counts]
        if not needed[0]:
            return TimeLags(*_currencies(rows), pairs, None, None)
        left_out, converted = _currencies(rows)
        first, last = (sorted(set(of_side.values())) for of_side in needed)
        times = {
            (row["since"], row["bucket"], row["rank"]): row["seconds"]
            for row in self._run(
                "analytics_lag_times", **bound, first=first, last=last, has_left_out=int(bool(left_out))
            )
        }
        quantiles = [
            path_quantiles.between(
                of_side.total(),
                # a bucket that was emptied meanwhile has no times: its lower end
                {rank: times.get((since, *place), LAG_BOUNDS_S[place[0] - 1]) for rank, place in places.items()},
                QUANTILES,
            )
            for since, of_side, places in zip((1, 2), counts, needed, strict=True)
        ]
        return TimeLags(left_out, converted, pairs, *quantiles)

    def assists(self, asked: PathsAsked) -> Assists:
        """What part channels have in conversions."""
        rows = self._run("analytics_assists", **_bound(asked, self._days(asked)))
        of: dict[str, dict[str, Part]] = {"first": {}, "last": {}, "assist": {}, "none": {}}
        for row in rows:
            if row["has_usable"]:
                of[row["role"]][row["of_channel"]] = Part(row["conversions"], row["value_micros"])
        untouched = next(iter(of["none"].values()), _NOTHING)
        return Assists(*_currencies(rows), of["first"], of["last"], of["assist"], untouched)

    def _steady(self, asked: PathsAsked, read: Callable[[dict[str, Any]], T]) -> T:
        """What several statements read, with path sums of one build: again when a day was built in between."""
        days = self._days(asked)
        for _ in range(_MOST_READS):
            found = read(_bound(asked, days))
            before, days = days, self._days(asked)
            if days == before:
                break
        return found

    def _days(self, asked: PathsAsked) -> dict[date, int]:
        return path_sums.current(self._run, asked.run_id, asked.start, asked.end)


def _bound(asked: PathsAsked, days: Collection[date]) -> dict[str, Any]:
    """The question with its days apart: those with current path sums, and the others."""
    every = (asked.start + timedelta(days=n) for n in range((asked.end - asked.start).days + 1))
    return {**asked._asdict(), "summed": sorted(days), "live": [day for day in every if day not in days]}


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
