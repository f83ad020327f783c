"""A marketer's tasks in a real browser over the running stack: what the pages say is what the API answers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ui.pages import PAGES
from ui.wording import money, percent, ratio
from ui_browser import CONVERSION, CUSTOMER, UiStack, Visitor

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

Window = Callable[..., Visitor]


def test_signing_in_by_keyboard_leads_to_the_page_that_was_asked_for(window: Window, ui: UiStack) -> None:
    visitor = window()
    page = visitor.page
    page.goto(f"{ui.ui}/Channels?model=Last+touch")
    expect(page).to_have_url(re.compile(r"/ui/signin\?next=Channels"))
    assert visitor.findings() == []
    page.get_by_label("Key", exact=True).fill("0123.wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    visitor.wrong.clear()  # the answer was 401
    page.get_by_label("Key", exact=True).fill(ui.key)
    page.keyboard.press("Enter")
    visitor.settled()
    expect(page).to_have_url(re.compile(r"/ui/Channels\?model=Last\+touch$"))
    cookie = next(c for c in visitor.context.cookies() if c["name"] == "attribution_ui")
    assert cookie["httpOnly"]
    assert cookie["path"] == "/ui"

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").wait_for()
    page.reload()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_finding_the_best_channel(window: Window, ui: UiStack) -> None:
    visitor = window().sign_in()
    visitor.choose("Channels & ROI")
    with ui.client() as client:
        rows = [row for row in client.roi(attribution_model="linear").channels if row.conversion_day.roas is not None]
    best = max(rows, key=lambda row: row.conversion_day.roas or 0)
    said = f"{best.channel} returned most per unit of spend: ROAS {ratio(best.conversion_day.roas)}"
    visitor.says(said)
    visitor.page.get_by_text("How was this computed?").click()
    expect(visitor.page.get_by_text("GET /api/v1/analytics/roi?start_date=")).to_be_visible()


def test_explaining_a_conversion_from_its_customer(window: Window) -> None:
    visitor = window().sign_in(f"Journeys?customer_id={CUSTOMER}")
    visitor.says("4 touches and 1 conversion events")
    visitor.page.get_by_role("link", name=re.compile("purchase, .*100.00 USD")).click()
    expect(visitor.page).to_have_url(re.compile("/ui/Explain.*conversion_id="))
    visitor.page.get_by_role("heading", name="Explain", level=1).wait_for()
    visitor.settled().says(
        "3 of 4 touches count.",
        "equal to the stored credits, to the micro",
        "Credits 100.000000 + unattributed 0.000000 = 100.000000 = value 100.000000 USD",
    )
    visitor.open(f"Explain?conversion_id={CONVERSION}&under=First+touch")
    visitor.says("w_1 = 1")


def test_comparing_models(window: Window, ui: UiStack) -> None:
    visitor = window().sign_in("Models")
    visitor.open("Models?models=First+touch&models=Last+touch")
    with ui.client() as client:
        report = client.compare(models=("first_touch", "last_touch"))
    widest = report.channels[0]
    visitor.says(
        percent(report.disagreement_index),
        f"Widest spread: {widest.channel}",
        money(widest.spread_micros, "USD"),
    )


def test_a_downloaded_file_holds_the_report_to_the_micro(window: Window, ui: UiStack, tmp_path: Path) -> None:
    visitor = window().sign_in("Channels")
    with visitor.page.expect_download() as coming:
        visitor.page.get_by_role("button", name="Download CSV").first.click()
    coming.value.save_as(tmp_path / "roi.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "roi.csv").read_text(encoding="utf-8"), newline="")))
    with ui.client() as client:
        wanted = client.roi(attribution_model="linear").channels
    assert [(r["channel"], int(r["spend_micros"]), int(r["touch_day_revenue_micros"])) for r in rows] == [
        (row.channel, row.spend_micros, row.touch_day.revenue_micros) for row in wanted
    ]


def test_a_copied_address_shows_another_window_the_same(window: Window) -> None:
    first = window().sign_in()
    for label, choice in (("Period", "Last 7 days"), ("Model", "First touch")):
        first.pick(label, choice)
    expect(first.page).to_have_url(re.compile("period=Last.7.days"))
    second = window().sign_in()
    second.page.goto(first.page.url)
    second.settled()
    shown = second.page.get_by_test_id("stMetricValue").all_inner_texts()
    assert len(shown) == 5
    expect(first.page.get_by_test_id("stMetricValue")).to_have_text(shown)
    expect(second.box("Model").get_by_role("combobox")).to_have_value("First touch")
    second.choose("Channels & ROI")
    expect(second.page).to_have_url(re.compile(r"/ui/Channels\?period=Last.7.days&model=First.touch"))
    expect(second.box("Model").get_by_role("combobox")).to_have_value("First touch")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_silent(window: Window, theme: str) -> None:
    visitor = window(color_scheme=theme).sign_in()
    query = {"journeys": f"?customer_id={CUSTOMER}", "explain": f"?conversion_id={CONVERSION}"}
    found = {}
    for page in PAGES:
        visitor.open(page.path + query.get(page.module, ""))
        found[page.path] = visitor.findings()
    assert {path: findings for path, findings in found.items() if findings} == {}


def test_every_page_fits_a_telephone(window: Window) -> None:
    visitor = window(viewport={"width": 360, "height": 740}).sign_in()
    query = {"journeys": f"?customer_id={CUSTOMER}", "explain": f"?conversion_id={CONVERSION}"}
    for page in PAGES:
        visitor.open(page.path + query.get(page.module, ""))
        assert visitor.page.evaluate("document.documentElement.scrollWidth") == 360, page.path
        main = visitor.page.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth - e.clientWidth") == 0, page.path
