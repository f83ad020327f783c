"""For analysts: what the choice of a model decides, and the journeys behind the credits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import links
from dashboards.board import Board
from dashboards.charts import BLUE, COUNT, MONEY, SHARE, SHORT, bars, kpi
from dashboards.tables import column, grid, heat

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID: Final = "attribution-models"


def build(roots: tuple[str, str]) -> Dashboard:
    """The dashboard; ``roots``: of the API and the web UI."""
    board = Board(
        UID,
        "Attribution · Models & journeys",
        "Where models agree and where they do not, and how customers come to convert. Disagreement is the signal.",
        since="now-29d/d",
        refresh="5m",
        links=roots,
    )
    board.row(
        4,
        (4, kpi("models/disagreement", "Models disagree by", SHARE, decimals=1, changes=False)),
        (4, kpi("models/coverage", "Conversions with a touch", SHARE, decimals=1)),
        (4, kpi("models/multi_channel_share", "Of two channels or more", SHARE, decimals=1)),
        (4, kpi("models/touches_per_conversion", "Touches per conversion", SHORT, decimals=1)),
        (4, kpi("models/days_to_convert", "Days to convert (median)", SHORT, decimals=1)),
        (4, kpi("models/truncated_share", "Truncated journeys", SHARE, decimals=1, less_is_better=True)),
    )
    shares = grid(
        "models/model_shares",
        "Share of revenue by channel and model",
        SHARE,
        {"channel\\model": column("Channel", width=130, cell="auto")},
        matrix=("channel", "model", "share"),
    ).decimals(1)
    board.row(
        11,
        (16, heat(shares)),
        (
            8,
            bars(
                "models/spread",
                "How far models are apart",
                SHARE,
                "channel",
                horizontal=True,
                values=True,
                decimals=1,
                colors={"spread": "#B877D9"},
            ),
        ),
    )
    matrix = grid(
        "models/first_last_matrix",
        "First touch (rows) and last touch (columns)",
        COUNT,
        {"first_touch\\last_touch": column("First touch", width=130, cell="auto")},
        matrix=("first_touch", "last_touch", "conversions"),
    )
    board.row(11, (14, heat(matrix)), (10, _assists()))
    board.row(
        11,
        (12, _paths()),
        (6, bars("models/path_length", "Touches before a conversion", SHORT, "touches", colors={"conversions": BLUE})),
        (
            6,
            bars(
                "models/time_lag",
                "Time from the first touch",
                SHORT,
                "lag",
                horizontal=True,
                values=True,
                colors={"conversions": "#73BF69"},
            ),
        ),
    )
    board.row(10, (24, _biggest()))
    return board.build()


def _assists() -> object:
    return grid(
        "models/assists",
        "Assisted conversions (${currency})",
        SHORT,
        {
            "channel": column("Channel"),
            "first": column("First", COUNT, width=65),
            "assists": column("Assists", COUNT, width=75),
            "last": column("Last", COUNT, width=65),
            "assists_per_last": column("Assists / last", SHORT, decimals=2, width=110),
            "assisted_value": column("Assisted value", MONEY, decimals=0, width=130),
        },
    )


def _paths() -> object:
    return grid(
        "models/top_paths",
        "Top paths (${currency})",
        SHORT,
        {
            "path": column("Path"),
            "conversions": column("Conversions", COUNT, width=100),
            "share": column("Share", SHARE, decimals=1, width=70),
            "value": column("Value", MONEY, decimals=0, width=90),
            "touches": column("Touches", SHORT, decimals=1, width=75),
        },
    )


def _biggest() -> object:
    return grid(
        "models/biggest_conversions",
        "Biggest conversions",
        SHORT,
        {
            "conversion_id": column("Conversion", width=310, links=(links.EXPLAIN, links.EXPLAIN_JSON)),
            "time": column("Time", "dateTimeAsIso", width=170),
            "type": column("Type", width=120),
            "value": column("Value", MONEY, decimals=2, width=110),
            "currency": column("", width=55),
            "touches": column("Touches", "none", width=75),
            "path": column("Path"),
        },
    )
