"""The UI as a user has it: `attribution up` with simulated events, and Debian's Chromium in front of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from attribution_client import AttributionError, Client

COMMAND = [sys.executable, "-P", "-m", "cli"]
CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=30_000)  # a busy machine is no defect
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_EVENTS = 4_000
_IDLE = "[data-testid='stApp'][data-test-script-state='notRunning']"
_COUNT_RUNS = """() => {
  window.runs = 0;
  new MutationObserver(() => { window.runs += 1; }).observe(
    document.querySelector('[data-testid=stApp]'), {attributes: true, attributeFilter: ['data-test-script-state']});
}"""
#: A customer whom the pages can name, and her order.
CUSTOMER, CONVERSION = "ada", "purchase:o-ada-1"


@dataclass(frozen=True)
class UiStack:
    """Where it runs, and the administrator's key."""

    url: str
    key: str = field(repr=False)
    environment: dict[str, str]
    data_dir: Path

    @property
    def ui(self) -> str:
        """Address of the UI."""
        return f"{self.url}/ui"

    def client(self) -> Client:
        """An administrator's client."""
        return Client(self.url, self.key)

    def run(self, *words: str) -> str:
        """A command against this stack; returns what it prints."""
        done = subprocess.run([*COMMAND, *words], env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def ui_stack(folder: Path) -> Iterator[UiStack]:
    """`attribution up` over ``folder``, with a month of simulated events and Ada's order, all of it processed.

    Raises:
        RuntimeError: it did not start; with what it printed.
    """
    own = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "CLICKHOUSE_", "ATTRIBUTION_"))}
    data, log = folder / "data", folder / "up.out"
    with log.open("w") as out:
        up = subprocess.Popen([*COMMAND, "up", "--data-dir", str(data)], env=own, stdout=out, stderr=out)
    try:
        _wait_ready(up, log)
        state = json.loads((data / "stack.json").read_text())
        key = (data / "accounts" / "local.key").read_text().strip()
        found = UiStack(state["api_url"], key, own | {k: v for k, v in state.items() if k.isupper()}, data)
        found.run(
            "simulate", "--events", str(_EVENTS), "--rate", "0", "--days", "28", "--customers", "600", "--seed", "3"
        )
        with found.client() as client:
            _send_ada(client)
            _wait_processed(client)
        yield found
    finally:
        up.send_signal(signal.SIGTERM)
        try:
            up.wait(60)
        except subprocess.TimeoutExpired:
            up.kill()


def _wait_ready(up: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while "\nready" not in log.read_text():
        if up.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text())
        time.sleep(0.2)


def _send_ada(client: Client) -> None:
    sold = datetime.now(UTC) - timedelta(days=2)
    touches = [
        (timedelta(days=120), "Display"),  # too old to count
        (timedelta(days=9), "Paid Search"),
        (timedelta(days=3), "Email"),
        (timedelta(hours=2), "Direct"),
    ]
    client.send_touchpoints(
        {"event_id": f"ada-t{i}", "customer_id": CUSTOMER, "occurred_at": sold - before, "channel": channel}
        for i, (before, channel) in enumerate(touches, 1)
    )
    client.send_conversions(
        [
            {
                "event_id": "ada-k1",
                "customer_id": CUSTOMER,
                "occurred_at": sold,
                "conversion_type": "purchase",
                "order_id": "o-ada-1",
                "value": Decimal("100.00"),
                "currency": "USD",
            }
        ]
    )


def _wait_processed(client: Client) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            if client.data_status().total_lag == 0 and client.channel_performance().meta.as_of is not None:
                client.explain(CONVERSION)
                return
        except AttributionError:
            pass  # not there yet
        assert time.monotonic() < deadline, "the simulated events were not processed"
        time.sleep(0.3)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


class Visitor:
    """One window. What goes wrong in it is kept: errors of the console, other hosts, answers of 400 and above."""

    def __init__(self, browser: Browser, stack: UiStack, **context: Any) -> None:
        self.stack = stack
        self.context: BrowserContext = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.wrong: list[str] = []
        self.page.on("console", lambda m: self.wrong.append(f"console: {m.text}") if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("websocket", lambda socket: self._see(socket.url))
        self.page.on("response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)

    def _see(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(self.stack.url).netloc:
            self.wrong.append(f"another host: {url}")

    def sign_in(self, path: str = "", key: str = "") -> Visitor:
        """Through the sign-in page, on to ``path``."""
        self.page.goto(f"{self.stack.ui}/{path}")
        self.page.get_by_label("Key", exact=True).fill(key or self.stack.key)
        self.page.get_by_role("button", name="Sign in").click()
        return self.settled()

    def open(self, path: str) -> Visitor:
        """Another page by its address."""
        self.page.goto(f"{self.stack.ui}/{path}")
        return self.settled()

    def choose(self, page: str) -> Visitor:
        """Another page by the menu."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=page, exact=True).click()
        self.page.get_by_role("heading", name=page, level=1).wait_for()
        return self.settled()

    def box(self, label: str) -> Locator:
        """A choice by its label."""
        return self.page.get_by_test_id("stSelectbox").filter(has=self.page.get_by_text(label, exact=True))

    def pick(self, label: str, choice: str) -> Visitor:
        """Choose something there; until the script has run for it, which it does not for what was chosen already."""
        self.page.evaluate(_COUNT_RUNS)
        option = self.page.get_by_role("option", name=choice, exact=True)
        expect(self.box(label)).to_have_count(1)  # what a run draws anew is there twice until that run has ended
        self.box(label).get_by_role("combobox").click()
        try:
            option.click(timeout=10_000)
        except TooLate:  # a run of the script that ended late has closed the list
            self.box(label).get_by_role("combobox").click()
            option.click()
        deadline = time.monotonic() + 5
        while not self.page.evaluate("runs") and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return self.settled()

    def settled(self) -> Visitor:
        """Once the page is there and its script has ended, without an exception."""
        self.page.get_by_role("heading", level=1).wait_for()
        self.page.wait_for_selector(_IDLE)
        self.page.wait_for_timeout(150)  # a changed widget starts the next run a moment later
        self.page.wait_for_selector(_IDLE)
        assert self.page.get_by_test_id("stException").all_inner_texts() == []
        return self

    def says(self, *texts: str) -> None:
        """The page says all of them, without its menu: what a script has sent is drawn a moment after its end."""
        for text in texts:
            expect(self.page.get_by_test_id("stMain")).to_contain_text(text, use_inner_text=True)

    def findings(self) -> list[str]:
        """Serious and critical findings of axe-core."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['impact']} {rule['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')}"
            for rule in found
            if rule["impact"] in {"serious", "critical"}
            for node in rule["nodes"]
        ]

    def close(self) -> None:
        """The window goes; what went wrong in it fails the test."""
        self.context.close()
        assert self.wrong == []
