"""The filters above a page: widgets bound to parameters of the address, so that a copied address shows the same.

``ask(("period", "model"))`` draws those that a page takes and returns all values, with the usual ones for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import streamlit as st

from ui import links
from ui.asking import ask as ask_api
from ui.asking import ask_steady
from ui.wording import model_name

PERIODS: Final = {
    "today": "Today",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "month": "This month",
    "last-month": "Last month",
    "custom": "From … to …",
}
CURRENCIES: Final = ("", "USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "SEK", "PLN", "INR", "BRL")
TYPES: Final = ("", "purchase", "lead_created", "opportunity_created", "closed_won", "signup")
#: Two stand side by side on a telephone.
_WIDTH: Final = 156
_USUAL_PERIOD: Final = "30d"
_USUAL_MODEL: Final = "linear"
_SAID: Final = "filters as the address says them"
_PAGE: Final = "page of the filters"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page is asked for. Days are UTC and inclusive; None: what the API takes by itself."""

    start: date
    end: date
    model: str = _USUAL_MODEL
    currency: str | None = None
    conversion_type: str | None = None

    def period(self) -> dict[str, Any]:
        """For a report that takes neither model nor currency."""
        return {"start_date": self.start, "end_date": self.end}

    def conversions(self) -> dict[str, Any]:
        """For a report about conversions of any model."""
        return self.period() | {"currency": self.currency, "conversion_type": self.conversion_type}

    def report(self) -> dict[str, Any]:
        """For a report of one model."""
        return self.conversions() | {"attribution_model": self.model}

    @property
    def before(self) -> Filters:
        """The period of the same length just before."""
        days = (self.end - self.start).days + 1
        return replace(self, start=self.start - timedelta(days=days), end=self.start - timedelta(days=1))

    @property
    def span(self) -> str:
        """The period in words."""
        return f"{self.start:%d %b %Y}" if self.start == self.end else f"{self.start:%d %b} to {self.end:%d %b %Y}"


def ask(names: tuple[str, ...], page: str = "") -> Filters:
    """Draw these filters, in one line where there is room, and read them; ``page``: the path where they stand."""
    start, end = days_of(_USUAL_PERIOD, today())
    found = Filters(start, end)
    _carry_over(names, page)
    if not names:
        return found
    with st.container(horizontal=True, key="filters"):
        for name in names:
            found = _DRAW[name](found)
    return found


def _carry_over(names: tuple[str, ...], page: str) -> None:
    """Go on with what was chosen on the page before: by itself a page forgets what came from an address."""
    said = st.session_state.setdefault(_SAID, {})
    before = st.session_state.get(_PAGE, page)
    st.session_state[_PAGE] = page
    missing = {name: said[name] for name in names if name in said and name not in st.query_params}
    if before != page and missing:
        links.go(page, **missing)


def _remember(name: str, choice: str) -> None:
    """As the address says it; empty for the usual, which it leaves out."""
    said = st.session_state[_SAID]
    said.pop(name, None)
    if choice:
        said[name] = choice


def today() -> date:
    """The current UTC day."""
    return datetime.now(UTC).date()


def days_of(period: str, now: date) -> tuple[date, date]:
    """First and last day of a named period."""
    first = now.replace(day=1)
    if period == "last-month":
        last = first - timedelta(days=1)
        return last.replace(day=1), last
    if period == "month":
        return first, now
    days = {"today": 1, "7d": 7, "90d": 90}.get(period, 30)
    return now - timedelta(days=days - 1), now


def _period(found: Filters) -> Filters:
    names = list(PERIODS)
    chosen = st.selectbox(
        "Period",
        names,
        index=names.index(_USUAL_PERIOD),
        format_func=PERIODS.__getitem__,
        key="period",
        bind="query-params",
        width=_WIDTH,
    )
    usual = chosen in {"custom", _USUAL_PERIOD}  # days of one's own stay with their page
    _remember("period", "" if usual else PERIODS[chosen])
    if chosen != "custom":
        start, end = days_of(chosen, today())
        return replace(found, start=start, end=end)
    start = st.date_input("From", found.start, key="from", bind="query-params", width=_WIDTH)
    end = st.date_input("To", found.end, key="to", bind="query-params", width=_WIDTH)
    if start > end:
        st.warning(f"{start} is after {end}: the period is taken the other way round.")
        start, end = end, start
    return replace(found, start=start, end=end)


def _model(found: Filters) -> Filters:
    names = models_of_run()
    chosen = st.selectbox(
        "Model",
        names,
        index=names.index(_USUAL_MODEL) if _USUAL_MODEL in names else 0,
        format_func=model_name,
        key="model",
        bind="query-params",
        width=_WIDTH,
    )
    _remember("model", "" if chosen == _USUAL_MODEL else model_name(chosen))
    return replace(found, model=chosen)


def _currency(found: Filters) -> Filters:
    chosen = st.selectbox(
        "Currency",
        CURRENCIES,
        format_func=lambda code: code or "As reported",
        key="currency",
        bind="query-params",
        accept_new_options=True,
        help="Amounts are converted at the rate of their day. Type any ISO code; rates: `attribution fx list`.",
        width=_WIDTH,
    )
    _remember("currency", chosen)
    return replace(found, currency=chosen.strip().upper() or None)


def _type(found: Filters) -> Filters:
    chosen = st.selectbox(
        "Conversions",
        TYPES,
        format_func=lambda name: name or "All types",
        key="type",
        bind="query-params",
        accept_new_options=True,
        help="One type of conversion; type the name of any other.",
        width=_WIDTH,
    )
    _remember("type", chosen)
    return replace(found, conversion_type=chosen.strip() or None)


_DRAW: Final = {"period": _period, "model": _model, "currency": _currency, "type": _type}


def models_of_run() -> list[str]:
    """Models that the run on show computes; all there are, when it says nothing."""
    active = next((run for run in ask_api("runs").runs if run.is_active), None)
    known = [model.id for model in ask_steady("models").models]
    computed = [name for name in known if active and name in active.models]
    return computed or known
