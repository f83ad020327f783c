"""The stack and the browser of the UI's tests, for one file each: an idle stack takes CPU from all tests after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ui_browser import UiStack, Visitor, chromium, ui_stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def ui(stack_directory: Path) -> Iterator[UiStack]:
    """`attribution up` with a month of simulated events."""
    folder = Path(tempfile.mkdtemp(dir=stack_directory, prefix="ui-"))
    with ui_stack(folder) as found:
        yield found
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; until its end no other event loop can run in this thread, so no longer than its file."""
    with chromium() as found:
        yield found


@pytest.fixture
def window(ui: UiStack, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Opens windows, with options of Playwright's context; at the end, what went wrong in one fails the test."""
    opened: list[Visitor] = []

    def open_window(**context: Any) -> Visitor:
        opened.append(Visitor(browser, ui, **context))
        return opened[-1]

    yield open_window
    for visitor in opened:
        visitor.close()
