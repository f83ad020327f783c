"""For those who run it: is it on time, does it refuse anything, does every credit add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import measured
from dashboards.board import Board
from dashboards.charts import BLUE, COUNT, GREEN, MONEY, RATE, RED, SECONDS, SHARE, SHORT, YELLOW, gauge, lines
from dashboards.tables import column, grid

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID: Final = "attribution-health"
_QUANTILES: Final = {"p50": "#73BF69", "p75": YELLOW, "p90": "#FF9830", "p95": "#FF9830", "p99": "#F2495C"}


def build(roots: tuple[str, str]) -> Dashboard:
    """The dashboard; ``roots``: of the API and the web UI."""
    board = Board(
        UID,
        "Attribution · Pipeline health",
        "Lag, age of events, refused records, conservation and storage, from what the tables of the store hold.",
        since="now-6h",
        refresh="10s",
        links=roots,
    )
    board.row(
        4,
        (3, gauge("health/watermark_lag", "Furthest behind", SECONDS, *_up_to(60, 300), decimals=1)),
        (3, gauge("health/rollup_age", "Sums wait since", SECONDS, *_up_to(10, 60), decimals=1)),
        (3, gauge("health/waiting_days", "Days to sum up", "none", *_up_to(5, 50))),
        (3, gauge("health/conservation_error", "Conservation error (µ)", "none", (None, GREEN), (1, RED))),
        (3, gauge("health/dead_letters", "Dead letters", "none", *_up_to(1, 100))),
        (3, gauge("health/late_share_now", "Late touches", SHARE, *_up_to(0.1, 0.5), decimals=1)),
        (3, gauge("health/parts", "Parts of a table, most", "none", *_up_to(300, 1000))),
        (3, gauge("health/without_rate", "Without exchange rate", "none", *_up_to(1, 100))),
    )
    board.row(
        8,
        (
            8,
            lines(
                "health/event_age",
                "From conversion to readable row",
                SECONDS,
                log=True,
                colors=_of("p50", "p75", "p90"),
            ),
        ),
        (8, lines("health/write_time", "Insert into the store", SECONDS, colors=_of("p50", "p95", "p99"))),
        (8, lines("health/transport_age", "From event to broker", SECONDS, log=True, colors=_of("p50", "p95", "p99"))),
    )
    board.row(
        8,
        (
            8,
            lines(
                "health/events_received",
                "Events received",
                RATE,
                decimals=2,
                colors={"Touchpoints": BLUE, "Conversions": "#73BF69"},
            ),
        ),
        (
            8,
            lines(
                "health/rows_written",
                "Rows of credits written",
                RATE,
                decimals=3,
                colors={"Credits": BLUE, "Deletions": "#F2495C"},
            ),
        ),
        (
            8,
            lines(
                "health/late_share",
                "Touches by lateness",
                SHARE,
                colors={"Over 5 minutes": YELLOW, "Over a day": "#F2495C"},
            ),
        ),
    )
    board.row(
        9,
        (10, _lag()),
        (
            14,
            lines(
                "health/dead_letters_by_reason",
                "Dead letters by reason",
                SHORT,
                stacked=True,
                bars=True,
                by="reason",
                decimals=0,
            ),
        ),
    )
    board.row(9, (12, _replays()), (12, _conservation()))
    board.row(9, (10, _parts()), (14, _letters()))
    board.folded(measured.TITLE, 8, measured.variable(), *((6, panel) for panel in measured.panels()))
    return board.build()


def _up_to(warn: float, bad: float) -> tuple[tuple[float | None, str], ...]:
    """Green, then yellow, then red."""
    return (None, GREEN), (warn, YELLOW), (bad, RED)


def _of(*names: str) -> dict[str, str]:
    return {name: _QUANTILES[name] for name in names}


def _lag() -> object:
    return grid(
        "health/lag_by_partition",
        "Partitions",
        SHORT,
        {
            "topic": column("Topic"),
            "partition": column("Partition", width=80),
            "next_offset": column("Next offset", COUNT, width=100),
            "lag": column(
                "Behind",
                SECONDS,
                decimals=1,
                width=90,
                cell="color-text",
                steps_=((None, GREEN), (60, YELLOW), (300, RED)),
            ),
            "written": column("Written", "dateTimeAsIso", width=160),
        },
    )


def _replays() -> object:
    return grid(
        "health/replay_progress",
        "Runs and replays",
        SHORT,
        {
            "run": column("Run"),
            "state": column("State", width=90),
            "progress": column("Progress", SHARE, decimals=0, cell="gauge", color=BLUE, range_=(0, 1), width=150),
            "done": column("Done", COUNT, width=75),
            "total": column("Of", COUNT, width=75),
            "time": column("Changed", "dateTimeAsIso", width=160),
        },
    )


def _conservation() -> object:
    return grid(
        "health/conservation_by_model",
        "Do daily sums add up to the conversions?",
        SHORT,
        {
            "model": column("Model"),
            "credited_value": column("Credited", MONEY, decimals=2, width=150),
            "conversions_value": column("Value of conversions", MONEY, decimals=2, width=170),
            "difference_micros": column(
                "Difference (µ)", "none", width=120, cell="color-text", steps_=((None, RED), (0, GREEN), (1, RED))
            ),
        },
    )


def _parts() -> object:
    return grid(
        "health/insert_parts",
        "Parts by table",
        SHORT,
        {
            "table": column("Table"),
            "parts": column("Parts", COUNT, width=70),
            "rows": column("Rows", COUNT, width=100),
            "bytes": column("Size", "bytes", decimals=1, width=90),
            "newest": column("Newest", "dateTimeAsIso", width=160),
        },
    )


def _letters() -> object:
    return grid(
        "health/newest_dead_letters",
        "Newest dead letters",
        SHORT,
        {
            "time": column("Time", "dateTimeAsIso", width=160),
            "topic": column("Topic", width=190),
            "partition": column("Partition", width=75),
            "offset": column("Offset", "none", width=80),
            "reason": column("Reason", width=140),
            "field": column("Field", width=100),
            "detail": column("Detail"),
        },
    )
