"""The pages, in the order of the menu; each is a module of this folder with ``show(asked: Filters) -> None``.

A new page is one module and one line of ``PAGES``. ``filters`` names the common filters that stand above it (see
``ui.filters``); a page with choices of its own makes widgets with ``key=`` and ``bind="query-params"``, so that its
address can be shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Page:
    """One entry of the menu.

    Attributes:
        title: in the menu and above the page.
        icon: a Material symbol, as Streamlit names it.
        module: of this folder; also where it is found: ``/ui/<path>``.
        path: part of the address; the same as links from elsewhere use.
        scope: who does not hold it does not see the page (see docs/security.md).
        filters: names of ``ui.filters``.
    """

    title: str
    icon: str
    module: str
    path: str
    scope: str = "reports"
    filters: tuple[str, ...] = ()


REPORT: Final = ("period", "model", "currency", "type")

PAGES: Final = (
    Page("Overview", ":material/dashboard:", "overview", "Overview", filters=REPORT),
    Page("Channels & ROI", ":material/leaderboard:", "channels", "Channels", filters=REPORT),
    Page("Compare models", ":material/compare_arrows:", "models", "Models", filters=("period", "currency", "type")),
    Page("Paths", ":material/account_tree:", "paths", "Paths", filters=("period", "currency", "type")),
    Page("Funnel", ":material/filter_alt:", "funnel", "Funnel", filters=("period",)),
    Page("What-if", ":material/experiment:", "what_if", "What-if", filters=("period", "model")),
    Page("Budget", ":material/savings:", "budget", "Budget", filters=REPORT),
    Page("Journeys", ":material/route:", "journeys", "Journeys", "customers"),
    Page("Explain", ":material/function:", "explain", "Explain", "customers"),
    Page("Live", ":material/stream:", "live", "Live", filters=("model",)),
    Page("Pipeline health", ":material/monitor_heart:", "health", "Health"),
    Page("Setup", ":material/rocket_launch:", "setup", "Setup", "customers"),
    Page("Keys & users", ":material/key:", "keys", "Keys", "manage"),
)
