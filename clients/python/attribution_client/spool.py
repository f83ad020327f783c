"""A file (mode 0600) of events that could not be delivered before the program ended."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attribution_client.batching import Queued


def load(path: Path) -> list[Queued]:
    """What the file holds; nothing if there is none. It stays until ``clear``: a crash meanwhile loses nothing.

    Raises:
        ValueError: it is no such file.
    """
    if not path.exists():
        return []
    found = []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        kind, _, line = text.partition(b" ")
        try:
            event_id = json.loads(line)["event_id"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number}: no event; move the file away, or name another spool") from None
        found.append(Queued(kind.decode(), event_id, line))
    return found


def store(path: Path, events: list[Queued]) -> None:
    """Replace the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(b"%b %b\n" % (e.kind.encode(), e.line) for e in events)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def clear(path: Path) -> None:
    """Everything in it was delivered."""
    path.unlink(missing_ok=True)
