"""A small HTTP server in a thread beside a program: ``/metrics``, ``/live``, ``/ready``.

It answers while an event loop is stuck. ``/ready`` is 200 or 503 with a reason; ``/live`` is 200 as long as the process
answers at all. No path, header or body of a request is kept or shown.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from telemetry.metrics import CONTENT_TYPE, Metrics


class MetricsPortError(RuntimeError):
    """The port cannot be opened; the message names it and the setting."""


class Readiness(NamedTuple):
    """Whether work is done, and if not, why."""

    is_ready: bool
    state: str = "ready"
    why_not: str = ""


class MetricsServer(ThreadingHTTPServer):
    """Serves until ``close``; a context manager."""

    daemon_threads = True

    def __init__(
        self, host: str, port: int, metrics: Metrics[Any], ready: Callable[[], Readiness] = lambda: Readiness(True)
    ) -> None:
        """Open the port and serve it in a thread.

        Args:
            host: address to listen on.
            port: 0 for a free one; see ``port``.
            metrics: what is shown.
            ready: asked for each ``/ready``.

        Raises:
            MetricsPortError: somebody else has the port, or the address is not ours.
        """
        self.metrics, self.ready = metrics, ready
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise MetricsPortError(
                f"ATTRIBUTION_METRICS_PORT={port}: cannot listen on {host}:{port}: {error}; give another port, "
                "each program its own, or 0 for none"
            ) from None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.2,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that goes away is no fault of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = 10.0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, self.server.metrics.text(), CONTENT_TYPE)
        elif path == "/live":
            self._answer(HTTPStatus.OK, json.dumps({"live": True}))
        elif path == "/ready":
            found = self.server.ready()
            status = HTTPStatus.OK if found.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            body = {"ready": found.is_ready, "state": found.state, "why_not": found.why_not}
            self._answer(status, json.dumps(body))
        else:
            self._answer(HTTPStatus.NOT_FOUND, json.dumps({"paths": ["/metrics", "/live", "/ready"]}))

    def _answer(self, status: HTTPStatus, body: str, kind: str = "application/json") -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """The Server header names no version."""
        return "attribution"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Scrapes are no news."""
