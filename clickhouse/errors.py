"""What can go wrong with the store.

StoreError
 ├─ SinkUnavailable      passing trouble: nothing is known to be wrong with the rows; try again later
 ├─ SinkRejected         the engine refuses these rows or this statement; trying again cannot help
 │   └─ RowCountMismatch the engine took another number of rows than were sent
 ├─ MigrationError       the database and the migration files do not fit together
 ├─ BaseMismatch         exchange rates against another base than those that are there
 ├─ BackupError          a backup cannot be made, or cannot be used here
 ├─ RunError             a run is not there, or is not in a state for what was asked
 │   └─ RunChanged       another run is shown than was expected
 └─ LockHeld             another process is doing the same work
"""

from __future__ import annotations

import re
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError, Error

#: ClickHouse error codes that pass by themselves or by making room; every other code is a fault of ours.
RETRYABLE_CODES: Final = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE: a connection that broke inside the body
        23,  # CANNOT_READ_FROM_ISTREAM
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR: disk full
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        164,  # READONLY: a replica that lost its coordinator
        173,  # CANNOT_ALLOCATE_MEMORY
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED: the server is shutting down
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        254,  # NO_ACTIVE_REPLICAS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        305,  # CANNOT_ASSIGN_ALTER
        319,  # UNKNOWN_STATUS_OF_INSERT
        341,  # UNFINISHED: a mutation that still runs
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        499,  # S3_ERROR
        571,  # DATABASE_REPLICATION_FAILED
        999,  # KEEPER_EXCEPTION
    }
)

TABLE_ALREADY_EXISTS: Final = 57


class StoreError(Exception):
    """Base of everything that this room raises about the engine."""


class SinkUnavailable(StoreError):  # noqa: N818 - a state of the sink, named in the worker's contract
    """The engine cannot take the rows now: refused, timed out, overloaded or out of room."""


class SinkRejected(StoreError):  # noqa: N818 - a state of the sink, named in the worker's contract
    """The engine refuses for good: unknown table or column, wrong type, no permission."""


class RowCountMismatch(SinkRejected):
    """The engine reports another number of rows than were sent: the transport dropped or repeated some."""


class MigrationError(StoreError):
    """The database and the migration files do not fit together; the message names the file and the way out."""


class BaseMismatch(StoreError):  # noqa: N818 - a state of the table, not a fault of the rates
    """Exchange rates against another base than those in the database; the message names both and the way out."""


class BackupError(StoreError):
    """A backup cannot be made, or cannot be used here; the message has the way out."""


class RunError(StoreError):
    """A run is not there, or is not in a state for what was asked; the message has the way out."""


class RunChanged(RunError):  # noqa: N818 - a state, like its siblings
    """Another run is shown by now than the one that was expected; nothing was changed."""

    def __init__(self, expected: int, name: str, run_id: int) -> None:
        super().__init__(f"run {name} ({run_id}) is shown by now, not {expected}; look again before you decide")


class LockHeld(StoreError):  # noqa: N818 - a state, not a fault
    """Another process holds the lock."""


def translate(error: ClickHouseError, what: str) -> StoreError:
    """The client's error as ours. ``what`` says what was tried, for instance ``insert into touchpoints``."""
    code = error.code if isinstance(error, Error) else None
    status = re.search(r"HTTP status (\d{3})", str(error)) if code is None else None
    is_refused_by_proxy = status is not None and status[1][0] == "4" and status[1] not in {"408", "429"}
    if code in RETRYABLE_CODES or (code is None and not is_refused_by_proxy):
        return SinkUnavailable(f"{what}: ClickHouse is not available: {error}")
    hint = "; run: attribution migrate" if code in {16, 36, 47, 60, 81} else ""
    return SinkRejected(f"{what}: ClickHouse refused (code {code}): {error}{hint}")
