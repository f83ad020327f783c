"""A lock in the database: one process at a time, over several machines, without a coordinator.

``CREATE TABLE`` is atomic on one server: it succeeds for one caller and fails for the others. A process that was killed
leaves its lock behind; after ``stale_after_s`` the next one takes it over. A lock is therefore a courtesy that avoids
double work, and whatever runs under it must stay correct when two run at once.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from clickhouse import queries
from clickhouse.errors import TABLE_ALREADY_EXISTS, LockHeld, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickhouse_connect.driver.client import Client

_POLL_S = 0.2


@contextmanager
def table_lock(
    client: Client,
    name: str,
    *,
    stale_after_s: int,
    wait_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Holds the lock ``name`` of the client's database for the block.

    Args:
        client: where the lock lives.
        name: name of the lock, a table name.
        stale_after_s: age at which a lock counts as left behind.
        wait_s: how long to try; 0 tries once.
        sleep: waits between two tries.

    Raises:
        LockHeld: somebody else has it.
    """
    waited = 0.0
    while not _take(client, name):
        age = queries.run(client, "lock_age", lock=name)
        if age and age[0]["age_s"] >= stale_after_s:
            queries.execute(client, "lock_drop", lock=name)
        elif waited >= wait_s:
            raise LockHeld(f"{name} is held by another process; it is taken over {stale_after_s} s after it was taken")
        else:
            sleep(_POLL_S)
            waited += _POLL_S
    try:
        yield
    finally:
        queries.execute(client, "lock_drop", lock=name)


def _take(client: Client, name: str) -> bool:
    try:
        client.command(queries.load("lock_take"), parameters={"lock": name})
    except ClickHouseError as error:
        if getattr(error, "code", None) == TABLE_ALREADY_EXISTS:
            return False
        raise translate(error, f"take lock {name}") from error
    return True
