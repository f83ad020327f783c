"""TCP ports of this machine: a free one, who holds one, and whether somebody answers."""

from __future__ import annotations

import atexit
import contextlib
import socket
import sys

import psutil

LOOPBACK = "127.0.0.1"

#: Ports that this process has chosen, each with what tells other stacks so; until it ends.
_promised: dict[int, socket.socket] = {}


class PortTakenError(RuntimeError):
    """A port that was asked for by name is in use."""


def free_port() -> int:
    """A port that the system says is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """True if a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no occupant
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _promise(port: int) -> bool:
    """Whether no stack that is just starting has chosen the port: seconds go by until somebody listens on it.

    A name in Linux' abstract sockets belongs to one process and goes with it; elsewhere nothing is promised.
    """
    if sys.platform != "linux" or port in _promised:
        return True
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0attribution-port-{port}")
    except OSError:
        mark.close()
        return False
    _promised[port] = mark
    atexit.register(mark.close)
    return True


def answers(port: int, host: str = LOOPBACK, timeout_s: float = 0.5) -> bool:
    """True if a connection is accepted."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except OSError:
        return False
    return True


def occupant(port: int) -> str:
    """Who listens on the port, as far as this user may see."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            local = getattr(connection.laddr, "port", None)  # an empty tuple when the kernel does not tell
            if connection.status == psutil.CONN_LISTEN and local == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {connection.pid})"
    return "another program"


def choose(wanted: int, *, explicit: bool, what: str, taken: frozenset[int] = frozenset()) -> tuple[int, str]:
    """The port to use and, if it is not the wanted one, a sentence that says why (else ``""``).

    ``wanted`` 0 leaves the choice to the system. ``taken`` are ports already promised to others.

    Raises:
        PortTakenError: The port is in use and ``explicit``: the user named it, so no other may be chosen silently.
    """
    if wanted == 0:
        return free_port(), ""
    if wanted not in taken and is_free(wanted) and (explicit or _promise(wanted)):
        return wanted, ""
    who = "another part of this stack" if wanted in taken else occupant(wanted)
    if explicit:
        raise PortTakenError(f"{what}: port {wanted} is used by {who}; stop it or name another port")
    for port in range(wanted + 1, min(wanted + 200, 65_536)):
        if port not in taken and is_free(port) and _promise(port):
            return port, f"{what}: port {wanted} is used by {who}, using {port}"
    return free_port(), f"{what}: port {wanted} is used by {who}"
