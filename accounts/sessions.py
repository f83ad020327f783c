"""Sessions of the UI: an opaque text in a cookie, kept as its HMAC. One may be exchanged for a fresh one, or ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select

from accounts import tables
from accounts.database import Database
from accounts.secret_files import Digests, new_secret

LIFE: Final = timedelta(hours=12)


class Sessions:
    """Open sessions."""

    def __init__(self, database: Database, digests: Digests) -> None:
        self._database, self._digests = database, digests

    def open(self, actor: str, *, now: datetime, expires_at: datetime | None = None) -> tuple[str, datetime]:
        """A new session's text and its end: after 12 hours, or with the credential that opened it."""
        text, end = new_secret(), min(now + LIFE, expires_at or now + LIFE)
        with self._database.write() as connection:
            connection.execute(delete(tables.sessions).where(tables.sessions.c.expires_at <= now))
            connection.execute(
                insert(tables.sessions).values(
                    digest=self._digests.of("session", text), actor=actor, created_at=now, expires_at=end
                )
            )
        return text, end

    def find(self, text: str, *, now: datetime) -> tuple[str, datetime] | None:
        """Actor and end of an open session."""
        kept = tables.sessions
        with self._database.read() as connection:
            row = connection.execute(select(kept).where(kept.c.digest == self._digests.of("session", text))).first()
        return None if row is None or row.expires_at <= now else (row.actor, row.expires_at)

    def end(self, text: str) -> None:
        """Close it; an unknown one is closed already."""
        with self._database.write() as connection:
            connection.execute(
                delete(tables.sessions).where(tables.sessions.c.digest == self._digests.of("session", text))
            )

    def end_all(self, actor: str) -> int:
        """Close every session of somebody; returns how many."""
        with self._database.write() as connection:
            return connection.execute(delete(tables.sessions).where(tables.sessions.c.actor == actor)).rowcount
