"""Debian's PostgreSQL and Redis as children: in a temporary folder, ended with the test. `make system` installs them.

PostgreSQL refuses to run as root; then it runs as the user ``postgres`` that the package makes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail


class ServerError(RuntimeError):
    """A server is not installed or did not start; the message says which and why."""


def _program(name: str, *, folders: str = "") -> str:
    places = [*sorted(Path("/").glob(folders), reverse=True)] if folders else []
    found = next((str(p / name) for p in places if (p / name).exists()), None) or shutil.which(name)
    if found is None:
        raise ServerError(f"{name} is missing; run as root: make system")
    return found


def _wait(is_up: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"the server did not start; end of {log}:\n{tail(log)}")
        time.sleep(0.05)


@contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """A server on a socket of its own; each call of what is given makes an empty database and answers with its URL."""
    binaries = "usr/lib/postgresql/*/bin"
    folder = Path(tempfile.mkdtemp(prefix="attribution-pg-"))
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres", "postgres")
    data, log = folder / "data", folder / "server.log"
    made = 0
    try:
        initdb = [_program("initdb", folders=binaries), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
        subprocess.run([*user, *initdb], check=True, capture_output=True, cwd=folder)
        server = [_program("postgres", folders=binaries), "-D", str(data), "-k", str(folder), "-F"]
        process = spawn([*user, *server, "-c", "listen_addresses="], log=log, cwd=folder)
        try:
            address = f"host={folder} user=postgres dbname=postgres"
            _wait(lambda: _answers(address), process, log)

            def new() -> str:
                nonlocal made
                made += 1
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE accounts_{made:d}".encode())
                return f"postgresql+psycopg://postgres@/accounts_{made}?host={folder}"

            yield new
        finally:
            stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(address: str) -> bool:
    try:
        with psycopg.connect(address, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


@contextmanager
def redis() -> Iterator[str]:
    """A server without persistence; its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="attribution-redis-") as name:
        log = Path(name) / "server.log"
        command = [_program("redis-server"), "--bind", LOOPBACK, "--port", str(port), "--save", "", "--dir", name]
        process = spawn(command, log=log)
        try:
            _wait(lambda: listens(port), process, log)
            yield f"redis://{LOOPBACK}:{port}/0"
        finally:
            stop(process)


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((LOOPBACK, port)) == 0
