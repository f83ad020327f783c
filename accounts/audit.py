"""The audit log: who called what, when, with which result. Rows are only ever added, each chained to the one before.

A row's digest is HMAC-SHA256, under the pepper, over the digest before it and its own fields. A changed, removed or
inserted row breaks the chain at that place; triggers refuse UPDATE and DELETE in the first place. What a chain cannot
show is that its end was cut off: note count and head (``attribution audit verify`` prints both) somewhere else.

Kept are the route's template and a keyed digest of path and query: neither tokens nor customers' ids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, insert, select

from accounts import tables
from accounts.database import Database
from accounts.secret_files import Digests

_START: Final = bytes(32)
_LOCK: Final = 0x61756469  # any number, the same in every process
_PAGE: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. ``status`` 0: about to run (changes are noted before they happen). ``rows`` None: not counted."""

    at: datetime
    actor: str
    workspace: str
    method: str
    route: str
    parameters: str
    status: int
    rows: int | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found; ``broken_at`` 0: nothing is wrong."""

    entries: int
    head: str
    broken_at: int = 0


class AuditLog:
    """The log. Calls block."""

    def __init__(self, database: Database, digests: Digests) -> None:
        self._database, self._digests = database, digests

    def parameters(self, path: str, query: bytes) -> str:
        """What stands for a call's path and query: equal calls look equal, and nobody can read it back."""
        return self._digests.of("parameters", path.encode("utf-8", "surrogatepass") + b"?" + query).hex()[:32]

    def append(self, entries: Sequence[Entry]) -> None:
        """Add them in one transaction; several processes may do so at once."""
        log = tables.audit
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            last = connection.execute(select(log.c.seq, log.c.digest).order_by(log.c.seq.desc()).limit(1)).first()
            seq, digest = (0, _START) if last is None else (last.seq, last.digest)
            rows = []
            for entry in entries:
                seq, kept = seq + 1, _fitting(entry)
                digest = self._next(digest, seq, kept)
                rows.append({"seq": seq, "digest": digest, **{name: getattr(kept, name) for name in Entry.__slots__}})
            if rows:
                connection.execute(insert(log), rows)

    def verify(self) -> Verdict:
        """Recompute the whole chain."""
        log, count, digest = tables.audit, 0, _START
        with self._database.read() as connection:
            while True:
                page = connection.execute(
                    select(log).where(log.c.seq > count).order_by(log.c.seq).limit(_PAGE)
                ).fetchall()
                for row in page:
                    entry = Entry(**{name: getattr(row, name) for name in Entry.__slots__})
                    digest = self._next(digest, count + 1, entry)
                    if row.seq != count + 1 or row.digest != digest:
                        return Verdict(count, digest.hex(), count + 1)
                    count += 1
                if len(page) < _PAGE:
                    return Verdict(count, digest.hex())

    def last(self, limit: int) -> list[Entry]:
        """The newest entries, the newest first."""
        log = tables.audit
        with self._database.read() as connection:
            rows = connection.execute(select(log).order_by(log.c.seq.desc()).limit(limit))
            return [Entry(**{name: getattr(row, name) for name in Entry.__slots__}) for row in rows]

    def _next(self, before: bytes, seq: int, entry: Entry) -> bytes:
        at_ms = (entry.at - _EPOCH) // timedelta(milliseconds=1)
        fields = [seq, at_ms, *(getattr(entry, name) for name in Entry.__slots__ if name != "at")]
        return self._digests.of("audit", before + json.dumps(fields, separators=(",", ":")).encode())


def _fitting(entry: Entry) -> Entry:
    """With texts no longer than their columns, and printable in any encoding."""

    def short(text: str, limit: int) -> str:
        return text.encode("utf-8", "replace").decode()[:limit]

    return replace(
        entry,
        actor=short(entry.actor, 128),
        workspace=short(entry.workspace, 32),
        method=short(entry.method, 16),
        route=short(entry.route, 256),
    )
