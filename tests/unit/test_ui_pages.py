"""Each page by Streamlit's own test runner: its figures are the API's, its choices are in the address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from api.store import Unavailable
from api.testing import MemoryStore
from attribution_client import Client
from ui.pages import PAGES
from ui.session import Credential
from ui.wording import UNATTRIBUTED, money, percent, ratio, short_money
from ui_world import Visit, memory_world, now, ran, texts, visiting


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return memory_world()


@pytest.fixture(scope="module")
def visit(store: MemoryStore) -> Iterator[Visit]:
    with visiting(store) as found:
        yield found


@pytest.fixture
def api(visit: Visit) -> Client:
    return visit.client("http://test", Credential())


@pytest.fixture(scope="module")
def customer(store: MemoryStore) -> str:
    """Who has the most events and a sale."""
    return max(
        (c for c in store.stored if any(r.value_micros for r in store.stored[c])), key=lambda c: len(store.events[c])
    )


def days(count: int) -> dict[str, Any]:
    today = now().date()
    return {"start_date": today - timedelta(days=count - 1), "end_date": today}


def test_overview_shows_the_report_of_its_filters(visit: Visit, api: Client) -> None:
    page = visit.open("Overview", model="Last touch", period="Last 7 days")
    report = api.channel_performance(attribution_model="last_touch", **days(7))
    tiles = {tile.label: tile.value for tile in page.metric}
    attributed = sum(row.revenue_micros for row in report.channels if row.channel != UNATTRIBUTED)
    assert tiles["Attributed revenue"] == short_money(attributed, "USD")
    assert tiles["Spend"] == short_money(report.totals.spend_micros, "USD")
    assert tiles["ROAS"] == ratio(report.totals.roas)
    grid = page.dataframe[0].value
    assert list(grid["Channel"]) == [row.channel for row in report.channels]
    assert [round(v * 1e6) for v in grid["Revenue"]] == [row.revenue_micros for row in report.channels]


def test_an_address_shows_what_the_widgets_show(visit: Visit) -> None:
    page = visit.open("Overview")
    page.selectbox(key="model").set_value("first_touch")
    page.selectbox(key="period").set_value("custom")
    ran(page)
    first = now().date() - timedelta(days=3)
    page.date_input(key="from").set_value(first)
    ran(page)
    again = visit.open("Overview", model="First touch", period="From … to …", **{"from": f"{first}"})
    assert [tile.value for tile in again.metric] == [tile.value for tile in page.metric]
    assert f"{first:%d %b} to" in texts(again)


def test_a_wrong_filter_is_said_in_words(visit: Visit) -> None:
    page = visit.open("Overview", currency="DOLLARS")
    assert "A filter cannot be used. currency = 'DOLLARS'" in page.error[0].value


def test_an_empty_period_names_the_command(visit: Visit) -> None:
    page = visit.open("Overview", period="From … to …", **{"from": "2020-01-01", "to": "2020-01-31"})
    assert "No conversion and no spend in 01 Jan to 31 Jan 2020." in texts(page)
    assert "attribution simulate --live" in [code.value for code in page.code]


@pytest.mark.parametrize(
    ("choice", "basis"), [("Day of the conversion", "conversion_day"), ("Day of the touch", "touch_day")]
)
def test_channels_names_the_best_by_the_chosen_day(visit: Visit, api: Client, choice: str, basis: str) -> None:
    page = visit.open("Channels", basis=choice)
    rows = [row for row in api.roi(**days(30)).channels if row.spend_micros]
    best = max(rows, key=lambda row: getattr(row, basis).roas)
    assert f"**{best.channel}** returned most per unit of spend: ROAS {ratio(getattr(best, basis).roas)}" in texts(page)
    grid = page.dataframe[0].value.set_index("Channel")
    assert grid.loc[best.channel, "Spend"] == pytest.approx(best.spend_micros / 1e6)


def test_models_shows_spread_and_disagreement(visit: Visit, api: Client) -> None:
    page = visit.open("Models", models=["First touch", "Last touch", "Linear"])
    report = api.compare(models=("first_touch", "last_touch", "linear"), **days(30))
    tiles = {tile.label: tile.value for tile in page.metric}
    assert tiles["Disagreement"] == percent(report.disagreement_index)
    widest = report.channels[0]
    assert tiles[f"Widest spread: {widest.channel}"] == money(widest.spread_micros, "USD")
    assert list(page.dataframe[0].value["Channel"]) == [row.channel for row in report.channels]
    assert "attribution train" in [code.value for code in page.code]


def test_one_model_is_nothing_to_compare(visit: Visit) -> None:
    assert "Choose two models or more." in texts(visit.open("Models", models=["Linear"]))


def test_a_journey_has_every_event_and_every_credit(visit: Visit, api: Client, customer: str) -> None:
    page = visit.open("Journeys", customer_id=customer, credits="Time decay")
    events = list(api.each_journey_event(customer, models=["time_decay"]))
    sums, shown = page.dataframe[0].value, page.dataframe[1].value
    assert list(shown["Event id"]) == [event.event_id for event in events]
    earned = sum(c.value_micros for e in events for c in e.credits or ())
    assert round(float(sums["Time decay"].sum()) * 1e6) == earned > 0


def test_an_explanation_adds_up_and_says_why_not(visit: Visit, api: Client, store: MemoryStore, customer: str) -> None:
    sale = next(row for row in reversed(store.stored[customer]) if row.value_micros)
    page = visit.open("Explain", conversion_id=sale.conversion_id, under="Time decay")
    found = api.explain(sale.conversion_id)
    told = texts(page)
    worth = money(found.value_micros, places=6)
    assert f"= {worth} **=** value {worth} USD" in told
    assert "equal to the stored credits, to the micro" in told
    touches = page.dataframe[0].value
    assert len(touches) == len(found.touches)
    assert set(touches["Why"]) >= {"Counts", "Out: after the conversion"}
    under_all = page.dataframe[2].value.set_index("Channel")
    assert {round(float(v) * 1e6) for v in under_all.loc["Sum"].to_numpy()} == {found.value_micros}


@pytest.mark.parametrize(
    ("page", "query"), [("Journeys", {"customer_id": "nobody"}), ("Explain", {"conversion_id": "none"})]
)
def test_an_unknown_id_is_said_in_words(visit: Visit, page: str, query: dict[str, str]) -> None:
    assert next(iter(query.values())) in texts(visit.open(page, **query))


@pytest.mark.parametrize("path", [page.path for page in PAGES if page.module != "keys"])  # which asks no store
def test_a_store_that_is_down_is_said_in_words(path: str) -> None:
    broken = MemoryStore(failure=Unavailable("clickhouse", "refused"))
    with visiting(broken) as visit:
        page = visit.open(path, customer_id="c", conversion_id="c")
    assert any("clickhouse does not answer" in error.value for error in page.error), texts(page)
    assert any("attribution doctor" in error.value for error in page.error)
