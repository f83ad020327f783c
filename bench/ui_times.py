"""How long the pages of the web UI take over many conversions, in Chromium.

    attribution bench read --keep                    # once: 10,000,000 conversions; --quick: 200,000
    python bench/ui_times.py [--data-dir .bench-read] [--rounds 5]

The engine over that folder, the API with the UI as ``attribution api --ui``, one visitor. Per page, in milliseconds:

* **paint**: from the request of its address to its first figure, table, chart or sentence with a figure, in a new
  window of a browser that is signed in;
* **filter**: from the click on another model, or another period where a page has no model, until its script has ended
  and the browser has drawn a frame. Neither the UI nor the API was asked this before: caches are those of a first look.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import sync_playwright

from cli import bench_world
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from embedded.clickhouse import ClickHouse
from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail
from ui.pages import PAGES, Page
from ui.wording import model_name

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from playwright.sync_api import Page as Window

DATABASE = "attribution_bench_read"
MODELS = ("last_touch", "first_touch", "time_decay", "u_shaped", "w_shaped", "last_non_direct")
PERIODS = ("Last 30 days", "Last 7 days", "This month", "Last month", "Today")
FIGURES = ("stMetric", "stDataFrame", "stPlotlyChart", "stCode")
FIGURE = f"[data-testid=stMain] :is(p strong,{','.join(f'[data-testid={name}]' for name in FIGURES)})"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
#: When the first figure stood on the page, a frame after it was put there; from the start of the navigation.
PAINT = """(() => {
  const look = () => {
    const found = document.querySelector(FIGURE)?.getBoundingClientRect().height;
    requestAnimationFrame(found ? () => { window.painted ??= performance.now(); } : look);
  };
  look();
})()""".replace("FIGURE", json.dumps(FIGURE))
#: When a person clicked last, and when the script ended last: a frame after it, as that is when it is seen.
WATCH = """() => {
  const seen = window.seen = {click: 0, runs: 0, idle: 0};
  document.addEventListener('click', () => { seen.click = performance.now(); seen.runs = 0; }, true);
  new MutationObserver(changes => {
    const state = document.querySelector('[data-testid=stApp]').dataset.testScriptState;
    if (state === 'running') seen.runs += 1;
    else requestAnimationFrame(() => { seen.idle = performance.now(); });
  }).observe(document.querySelector('[data-testid=stApp]'),
             {attributes: true, attributeFilter: ['data-test-script-state']});
}"""
#: The script has run since that click, and has not begun again.
DRAWN = "seen.runs > 0 && seen.idle > seen.click && performance.now() - seen.idle > 400"


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(".bench-read"), help="of `bench read --keep`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", nargs="*", default=[], help="only these paths")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    pages = [page for page in PAGES if not given.pages or page.path in given.pages]
    with ExitStack() as closing:
        engine = closing.enter_context(ClickHouse((given.data_dir / "clickhouse").resolve())).url
        settings = ClickHouseSettings(url=engine, database=DATABASE, send_receive_timeout_s=600)
        bench_world.renew(settings, lambda line: print(line, file=sys.stderr))
        asked = addresses(settings)
        url, key = closing.enter_context(api_with_ui(engine, given.data_dir))
        browser = closing.enter_context(chromium())
        context = signed_in(browser, url, key)
        found = {page.path: times(context, url, page, asked.get(page.path, ""), given.rounds) for page in pages}
    print(json.dumps(found) if given.json else table(found))


def addresses(settings: ClickHouseSettings) -> dict[str, str]:
    """What the pages about one customer are asked for."""
    client = connect(settings)
    row = client.query("SELECT customer_id, conversion_id FROM attributions LIMIT 1").first_row
    client.close()
    return {"Journeys": f"customer_id={row[0]}", "Explain": f"conversion_id={row[1]}"}


@contextmanager
def api_with_ui(engine: str, data_dir: Path) -> Iterator[tuple[str, str]]:
    """Address and administrator's key."""
    port, accounts, log = free_port(), data_dir / "accounts", data_dir / "ui.log"
    environment = {
        "CLICKHOUSE_URL": engine,
        "CLICKHOUSE_DATABASE": DATABASE,
        "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:1",
        "ATTRIBUTION_ACCOUNTS_DIR": str(accounts.resolve()),
    }
    log.unlink(missing_ok=True)
    process = spawn([sys.executable, "-P", "-m", "cli", "api", "--ui", "--port", str(port)], log=log, env=environment)
    try:
        deadline = time.monotonic() + 60
        while "Uvicorn running" not in tail(log):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the API did not start; end of {log}:\n{tail(log)}")
            time.sleep(0.1)
        yield f"http://{LOOPBACK}:{port}/ui", (accounts / "local.key").read_text().strip()
    finally:
        stop(process)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, without a window."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


def signed_in(browser: Browser, url: str, key: str) -> BrowserContext:
    """A browser whose scripts are in its cache, as after any first page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(PAINT)
    window = context.new_page()
    window.goto(f"{url}/signin")
    window.get_by_label("Key", exact=True).fill(key)
    window.get_by_role("button", name="Sign in").click()
    window.wait_for_selector(IDLE, timeout=60_000)
    window.close()
    return context


def times(context: BrowserContext, url: str, page: Page, asked: str, rounds: int) -> dict[str, Any]:
    """Of one page."""
    paints = []
    for _ in range(rounds):
        window = context.new_page()
        paints.append(paint(window, f"{url}/{page.path}?{asked or 'period=Last+90+days'}"))
        window.close()
        time.sleep(5.5)  # the UI gives an answer again for 5 s
    print(page.path, "paint", [f"{x:.0f}" for x in paints], file=sys.stderr)
    window = context.new_page()
    paint(window, f"{url}/{page.path}?{asked or 'period=Last+90+days'}")
    window.wait_for_timeout(1_000)
    window.evaluate(WATCH)
    changes = []
    if "model" in page.filters:
        changes = [change(window, "Model", model_name(model)) for model in MODELS[:rounds]]
    elif "period" in page.filters:
        changes = [change(window, "Period", period) for period in PERIODS[:rounds]]
    window.close()
    print(page.path, "filter", [round(x) for x in changes], file=sys.stderr)
    return {"paint": paints, "filter": changes}


def paint(window: Window, address: str) -> float:
    """Until the first figure stands there."""
    window.goto(address, wait_until="commit")
    window.wait_for_selector(IDLE, timeout=60_000)  # without a figure: the page says in words why there is none
    window.wait_for_timeout(200)
    return float(window.evaluate("window.painted ?? NaN"))


def change(window: Window, label: str, choice: str) -> float:
    """From the click on the choice until the page is drawn anew."""
    box = window.get_by_test_id("stSelectbox").filter(has=window.get_by_text(label, exact=True)).get_by_role("combobox")
    option = window.get_by_role("option", name=choice, exact=True)
    for _ in range(5):
        box.click()
        try:
            option.click(timeout=3_000)
            break
        except TooLate:  # a page that looks for news by itself has closed the list
            window.keyboard.press("Escape")
    deadline = time.monotonic() + 60
    while not window.evaluate(DRAWN):  # the policy of the page lets no script wait for it
        if time.monotonic() > deadline:
            raise RuntimeError(f"{window.url}: nothing was drawn after {label} became {choice}")
        time.sleep(0.05)
    return float(window.evaluate("seen.idle - seen.click"))


def table(found: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| page | paint, median / worst | filter, median / worst |", "|---|--:|--:|"]
    for path, of in found.items():
        cells = [f"{median(ms):,.0f} / {max(ms):,.0f}" if ms else "" for ms in (of["paint"], of["filter"])]
        lines.append(f"| {path} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
