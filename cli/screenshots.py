"""Pictures of pages on disk, taken by Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

#: Pixels; a panel of Grafana's 24 columns is as wide as on a laptop.
WIDTH: Final = 1_600
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


class ScreenshotError(RuntimeError):
    """No pictures can be taken here; says what is missing."""


def take(pages: list[Path]) -> list[Path]:
    """A PNG beside each page; returns them.

    Raises:
        ScreenshotError: Chromium or the package playwright is missing, or a page draws nothing.
    """
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise ScreenshotError("no Chromium is installed (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        raise ScreenshotError("playwright is not installed; pip install playwright") from None
    pictures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": 1_000})
        problems: list[str] = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        for page in pages:
            try:
                tab.goto(page.resolve().as_uri())
                tab.wait_for_selector("body[data-drawn]", timeout=20_000)
            except Error as error:
                raise ScreenshotError(f"{page}: {error}") from error
            if problems:
                raise ScreenshotError(f"{page}: {problems[0]}")
            picture = page.with_suffix(".png")
            tab.screenshot(path=str(picture), full_page=True)
            _shrink(picture)
            pictures.append(picture)
        browser.close()
    return pictures


def _shrink(picture: Path) -> None:
    """To a palette of 256 colours, where Pillow is there to do it: a dashboard has few, and a third of the bytes."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(picture, optimize=True)
