"""Tasks that change something, in a real browser over the running stack; what was done is asked of the API."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer
from playwright.sync_api import expect

from attribution_client import Client, NotFound, NotSignedIn
from ui.wording import money
from ui_browser import UiStack, Visitor

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

Window = Callable[..., Visitor]
_PATIENCE_MS = 60_000


def wait_for(is_true: Callable[[], Any], seconds: float = 60) -> Any:
    """What it says, once it says anything."""
    end = time.monotonic() + seconds
    while not (found := is_true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.3)
    return found


def test_finding_the_most_frequent_path(window: Window, ui: UiStack) -> None:
    visitor = window().sign_in()
    visitor.choose("Paths")
    with ui.client() as client:
        top = client.top_paths(limit=500)
    best = next(row for row in top.paths if row.steps)
    visitor.says(f"is {best.path}: {best.conversions:,} of {top.totals.conversions:,} conversions")


def test_a_what_if_is_computed_and_its_difference_seen(window: Window, ui: UiStack) -> None:
    page = (visitor := window().sign_in("What-if?model=Time+decay")).page
    half_life = page.get_by_role("spinbutton", name="Half-life, days")
    half_life.fill("1")
    half_life.press("Tab")
    visitor.settled()
    page.get_by_role("button", name="Compute", exact=True).click()
    page.get_by_text("Gains most").wait_for(timeout=_PATIENCE_MS)
    with ui.client() as client:
        wait_for(lambda: not client.run_difference("live", "half-life-1").pending_days_b)
        found = client.run_difference("live", "half-life-1", attribution_model="time_decay")
    page.get_by_text("The daily sums of half-life-1 are being built").wait_for(state="hidden", timeout=_PATIENCE_MS)
    visitor.open("What-if?model=Time+decay&run=half-life-1")
    rows = [row for row in found.channels if row.currency == "USD"]
    up = max(rows, key=lambda row: row.value_b - row.value_a)
    visitor.says(f"Gains most: {up.channel}", money(up.value_b - up.value_a, "USD"))


def test_a_dead_letter_is_mended_and_attributed(window: Window, ui: UiStack) -> None:
    name = f"mended-{uuid.uuid4().hex[:8]}"
    event = {"event_id": name, "customer_id": name, "occurred_at": datetime.now(UTC).isoformat(), "value": "ten"}
    producer = Producer(
        {"bootstrap.servers": ui.environment["KAFKA_BOOTSTRAP_SERVERS"], "partitioner": "murmur2_random"}
    )
    producer.produce("attribution.conversions", key=name, value=json.dumps(event))
    producer.flush(20)
    with ui.client() as client:
        wait_for(lambda: next(iter(client.dead_letters(reason="bad_amount", since=event["occurred_at"]).letters), None))
    page = (visitor := window().sign_in("Live")).page
    grid = page.locator(".st-key-table-dead-letters .dvn-scroller").first
    grid.click(position={"x": 18, "y": 52})  # the first row's box: the newest letter
    box = page.get_by_label("What was sent")
    expect(box).to_have_value(json.dumps(event))
    box.fill(json.dumps(event | {"value": "eleven"}))
    box.press("Tab")
    visitor.settled()
    page.get_by_role("button", name="Send the mended one").click()
    page.get_by_text("Not sent: it would be refused again. value: bad_amount").wait_for()
    box.fill(json.dumps(event | {"value": "10.00", "currency": "USD"}))
    box.press("Tab")
    visitor.settled()
    page.get_by_role("button", name="Send the mended one").click()
    page.get_by_text("1 sent again").wait_for()
    with ui.client() as client:

        def explained() -> Any:
            try:
                return client.explain(name)
            except NotFound:
                return None

        assert wait_for(explained).value_micros == 10_000_000


def test_the_first_event_turns_its_text_green(window: Window) -> None:
    page = window().sign_in("Setup").page
    expect(page.get_by_text("Waiting for your first event from curl")).to_be_visible()
    page.get_by_role("button", name="Make a write key").click()
    page.get_by_text("The write key is in the texts below").wait_for()
    command = page.get_by_test_id("stCode").first.locator("code").inner_text()
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["accepted"] == 1, done.stdout
    page.get_by_text("It is here: 1 of first-curl-").wait_for(timeout=_PATIENCE_MS)
    assert not page.get_by_text("Waiting for your first event from curl").count()


def test_a_key_is_made_works_and_is_revoked(window: Window, ui: UiStack) -> None:
    page = (visitor := window().sign_in("Keys")).page
    page.get_by_label("Label").fill("of a test")
    page.get_by_role("button", name="Make the key").click()
    page.get_by_text("it is shown this one time").wait_for()
    text = page.get_by_test_id("stCode").first.inner_text().strip()
    with Client(ui.url, text) as client:
        assert client.who().role == "viewer"
        page.get_by_role("button", name="I have it").click()
        visitor.settled()
        expect(page.get_by_test_id("stCode")).to_have_count(0)
        assert text not in page.content()
        visitor.pick("Key to revoke", f"of a test, viewer, {text.split('.')[0]}")
        page.get_by_role("button", name="Revoke …").click()
        page.get_by_role("button", name="Revoke it").click()
        page.get_by_text("Revoked: of a test, viewer").wait_for()

        def is_refused() -> bool:
            try:
                client.who()
            except NotSignedIn:
                return True
            return False

        assert wait_for(is_refused, 60)
