"""The ClickHouse facade as a child process: started, waited for, stopped; its data stay in their directory.

Raises ``ClickHouseError`` with the end of the log when it does not come up.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import time
from typing import TYPE_CHECKING

from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path
    from typing import Self


class ClickHouseError(RuntimeError):
    """The ClickHouse facade did not start; the message ends with its log."""


class ClickHouse:
    """The facade as a child process; a context manager. ``port`` 0 asks the system for one."""

    def __init__(self, data_dir: Path, *, port: int = 0, log: Path | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.log = log or data_dir.parent / "clickhouse.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What clients connect to."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def command(self) -> list[str]:
        """The program that is started."""
        return [sys.executable, "-P", "-m", "embedded.facade", "--path", str(self.data_dir), "--port", str(self.port)]

    def spawn(self) -> Self:
        """Start without waiting."""
        self.process = spawn(self.command, log=self.log)
        return self

    def wait(self, timeout_s: float = 60.0) -> Self:
        """Wait until it answers.

        Raises:
            ClickHouseError: It ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while not pings(self.port):
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ClickHouseError(f"ClickHouse did not start on {self.url}; end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """End it cleanly; data stay."""
        if self.process is not None:
            stop(self.process)
            self.process = None

    def __enter__(self) -> Self:
        return self.spawn().wait()

    def __exit__(self, *_: object) -> None:
        self.stop()


def pings(port: int, path: str = "/ping", timeout_s: float = 1.0) -> bool:
    """True if the HTTP server on this port of this machine answers GET ``path`` with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
