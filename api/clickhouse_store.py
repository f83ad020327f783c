"""The store over ClickHouse: named queries in, row types out.

One client serves all threads (it holds no session). It is connected at the first use, and again after a failed
start, so that the API starts before its database. A table that does not exist is reported as ``Unavailable`` with
the command that creates it; a query that the engine refuses for another reason is a fault of ours and raises.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any, Final

from api import report_days
from api.clickhouse_analytics import ClickHouseAnalytics
from api.clickhouse_funnel import ClickHouseFunnels
from api.clickhouse_lift import ClickHouseLifts
from api.clickhouse_live import ClickHouseLive
from api.clickhouse_paths import ClickHousePaths
from api.clickhouse_runs import ClickHouseRuns
from api.report_days import Asked
from api.store import (
    FX_MAX_AGE_DAYS,
    Basis,
    DeadLetters,
    EarnedCredit,
    EventKey,
    JourneyRow,
    Meta,
    Page,
    Progress,
    ResultKey,
    ResultRow,
    Standing,
    State,
    TouchCredit,
    Unavailable,
)
from clickhouse import queries, standing
from clickhouse.client import connect
from clickhouse.errors import SinkRejected, SinkUnavailable, StoreError
from clickhouse.settings import ClickHouseSettings
from clickhouse.standing_watch import StandingWatch
from telemetry.api_metrics import ApiMetrics

_NAME: Final = "clickhouse"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class ClickHouseStore(
    ClickHouseAnalytics, ClickHouseRuns, ClickHouseLive, ClickHousePaths, ClickHouseFunnels, ClickHouseLifts
):
    """Reads the active run of one database."""

    def __init__(self, settings: ClickHouseSettings, metrics: ApiMetrics | None = None) -> None:
        self._settings, self._metrics = settings, metrics or ApiMetrics()
        self._lock = threading.Lock()
        self._client: Any = None  # its type belongs to the room that makes it
        self._watch = StandingWatch(self._run)

    @classmethod
    def from_environment(
        cls, *, timeout_s: float, workspace: str = "default", metrics: ApiMetrics | None = None
    ) -> ClickHouseStore:
        """The workspace's database at the address that ``CLICKHOUSE_*`` names; no query outlives ``timeout_s``."""
        settings = ClickHouseSettings().of_workspace(workspace)
        bound = max(1, min(settings.send_receive_timeout_s, ceil(timeout_s)))
        return cls(settings.model_copy(update={"send_receive_timeout_s": bound}), metrics)

    def ping(self) -> None:
        """Return when the engine answers and its tables are there."""
        self._run("standing")

    def standing(self) -> Standing:
        """What the numbers of the active run stand on."""
        found = self._watch.read()
        meta = Meta(
            found.run_id, found.as_of, found.watermark, found.config_hash or None, touch_as_of=found.touch_as_of
        )
        return Standing(meta, state_of(found))

    def channel_performance(
        self,
        start: date,
        end: date,
        model: str,
        currency: str,
        conversion_type: str = "",
        *,
        basis: Basis = "conversion_day",
        fx_max_age_days: int = FX_MAX_AGE_DAYS,
        state: State | None = None,
        former: Page | None = None,
    ) -> Page:
        """Sums by channel, the unattributed row always."""
        under = state or state_of(self._watch.read())
        asked = Asked(basis, start, end, model, currency, conversion_type, fx_max_age_days)
        return report_days.read(self._run, asked, under, former)

    def results(self, customer_id: str, model: str | None, after: ResultKey | None, limit: int) -> list[ResultRow]:
        """A page of a customer's credits."""
        rows = self._run(
            "results_page",
            customer_id=customer_id,
            model=model or "",
            has_after=int(after is not None),
            after_us=_us(after.converted_at) if after else 0,
            after_id=after.conversion_id if after else "",
            after_model=after.model if after else "",
            limit=limit,
        )
        return [
            ResultRow(
                r["model"],
                r["conversion_id"],
                r["conversion_type"],
                r["converted_at"],
                r["value_micros"],
                r["currency"],
                r["rev"],
                tuple(TouchCredit(*touch) for touch in r["path"]),
            )
            for r in rows
        ]

    def journey(self, customer_id: str, after: EventKey | None, limit: int) -> list[JourneyRow]:
        """A page of a customer's events."""
        rows = self._run(
            "journey_page",
            customer_id=customer_id,
            has_after=int(after is not None),
            after_us=_us(after.occurred_at) if after else 0,
            after_rank=int(after is not None and after.kind == "conversion"),
            after_id=after.event_id if after else "",
            limit=limit,
        )
        return [JourneyRow(**r) for r in rows]

    def earned(
        self, customer_id: str, models: tuple[str, ...], first: datetime, last: datetime, limit: int
    ) -> list[EarnedCredit]:
        """Credits of the touches within a span."""
        rows = self._run(
            "journey_credits",
            customer_id=customer_id,
            models=list(models),
            first_us=_us(first),
            last_us=_us(last),
            limit=limit,
        )
        return [EarnedCredit(**r) for r in rows]

    def progress(self) -> list[Progress]:
        """One row per partition; where several applications read it, the one that reported last."""
        rows = sorted(self._run("data_status"), key=lambda r: r["updated_at"])
        latest = {
            (r["topic"], r["partition"]): Progress(
                r["topic"], r["partition"], r["offset"], r["watermark"], r["updated_at"]
            )
            for r in rows
        }
        return [latest[key] for key in sorted(latest)]

    def dead_letters(self) -> list[DeadLetters]:
        """Counts by reason."""
        counts: dict[str, int] = {}
        for row in self._run("dead_letters_by_reason"):
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["records"]
        return [DeadLetters(reason, n) for reason, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]

    def close(self) -> None:
        """Give back the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    self._client = connect(self._settings)
                except SinkUnavailable as error:
                    raise Unavailable(_NAME, "it cannot be reached") from error
                except SinkRejected as error:
                    raise Unavailable(_NAME, "it refuses the connection; see the server's log") from error
            return self._client

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        client = self._connected()
        began, result = time.perf_counter(), "failed"
        try:
            found = queries.run(client, query, **bound)
        except SinkUnavailable as error:
            raise Unavailable(_NAME, "it cannot be reached or has no room for the query now") from error
        except StoreError as error:
            if "attribution migrate" in str(error):
                raise Unavailable(_NAME, "its tables are missing or old; run: attribution migrate") from error
            raise
        else:
            result = "ok"
            return found
        finally:
            self._metrics.observe("attribution_api_query_seconds", time.perf_counter() - began, query, result)


def state_of(found: standing.Standing) -> State:
    """The part of it that reports read."""
    return State(found.run_id, found.builds, found.rates, found.spend)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
