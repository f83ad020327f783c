"""The pages of all dashboards: written into a folder, or served on this machine, each drawn when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from dashboards.choices import choose, moment
from dashboards.preview.page import render

PLOTLY: Final = "plotly.min.js"
Boards = Sequence[Mapping[str, Any]]


class PreviewError(RuntimeError):
    """There is nothing to show; says what to do."""


def load(folder: Path) -> Boards:
    """The dashboards of a folder of JSON files, the executive one first.

    Raises:
        PreviewError: there are none.
    """
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise PreviewError(
            f"{folder}: no dashboards; run `attribution dashboards build` or name their folder by --boards"
        )
    order = ("executive", "channels", "models", "health")
    return sorted(found, key=lambda b: next((i for i, name in enumerate(order) if b["uid"].endswith(name)), 9))


def script() -> bytes:
    """plotly.js, from the package ``plotly``: no page loads anything from elsewhere.

    Raises:
        PreviewError: the package is not installed.
    """
    try:
        return (files("plotly") / "package_data" / PLOTLY).read_bytes()
    except ModuleNotFoundError:
        raise PreviewError(
            "plotly is not installed; install the extra: pip install 'realtime-attribution[ui]'"
        ) from None


def page(client: Any, boards: Boards, uid: str, query: Mapping[str, Sequence[str]], now: datetime) -> str:
    """One page; ``query`` holds ``from`` and ``var-…`` as Grafana's addresses do.

    Raises:
        PreviewError: no dashboard has this uid.
        StoreError: the engine refuses or does not answer.
        ValueError: a time is none.
    """
    board = next((b for b in boards if b["uid"] == uid), None)
    if board is None:
        raise PreviewError(f"dashboard {uid!r} does not exist; there are: {', '.join(b['uid'] for b in boards)}")
    since = query.get("from", [board["time"]["from"]])[0]
    asked = {name.removeprefix("var-"): values for name, values in query.items() if name.startswith("var-")}
    selection, choices = choose(client, board, moment(since, now), now, asked)
    return render(client, board, boards, selection, choices, since)


def write(client: Any, boards: Boards, folder: Path, now: datetime, query: Mapping[str, Sequence[str]]) -> list[Path]:
    """Pages and script into a folder; returns the pages. Raises like ``page`` and ``script``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PLOTLY).write_bytes(script())
    paths = []
    for board in boards:
        path = folder / f"{board['uid']}.html"
        path.write_text(page(client, boards, board["uid"], query, now), encoding="utf-8")
        paths.append(path)
    return paths


def serve(
    connected: Callable[[], Any], boards: Boards, port: int, clock: Callable[[], datetime]
) -> ThreadingHTTPServer:
    """A server of this machine's loopback address; the caller runs it. ``connected`` gives a client for a request."""
    plotly = script()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            name = address.path.strip("/").removesuffix(".html") or boards[0]["uid"]
            if name == PLOTLY:
                return self._answer(200, plotly, "text/javascript")
            try:
                text = page(connected(), boards, name, parse_qs(address.query), clock())
            except (PreviewError, ValueError) as error:
                return self._answer(404, f"{error}\n".encode(), "text/plain")
            except Exception as error:  # noqa: BLE001 - the page says what is wrong with the store
                return self._answer(503, f"{error}\n".encode(), "text/plain")
            return self._answer(200, text.encode(), "text/html")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
