"""The tables, for SQLite and PostgreSQL alike. Times are kept as integer milliseconds since 1970, UTC.

The tables are created by their description here, with a version beside them, instead of by numbered files: two
dialects would need two files for each step. A database of another version is refused; the step from one version to the
next is written when there is a second one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.types import TypeDecorator

VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime, to the millisecond."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - its signature
        """To milliseconds."""
        return None if value is None else (value - _EPOCH) // _MILLISECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - see above
        """From milliseconds."""
        return None if value is None else _EPOCH + value * _MILLISECOND


METADATA: Final = MetaData()

versions = Table("schema_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

workspaces = Table(
    "workspaces",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("created_at", Moment, nullable=False),
)

users = Table(
    "users",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("password", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("workspace", String(32), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)

keys = Table(
    "api_keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("label", String(128), nullable=False),
    Column("role", String(16), nullable=False),
    Column("scopes", String(256), nullable=False),
    Column("workspace", String(32), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

sessions = Table(
    "sessions",
    METADATA,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("actor", String(128), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("sessions_actor", "actor"),
)

#: ``seq`` counts from 1 without a gap; ``digest`` covers the row and the digest before it.
audit = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("workspace", String(32), nullable=False),
    Column("method", String(16), nullable=False),
    Column("route", String(256), nullable=False),
    Column("parameters", String(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("rows", BigInteger),
    Column("request_id", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
