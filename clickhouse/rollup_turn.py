"""A roller's turn: the lock and the stage tables, for one pass or for several that follow each other.

To take the lock, to look for what was left behind, to create a stage and to drop both are five statements, as many as
a quick pass needs besides. So passes that follow each other share a turn; their stage is emptied in between.

Whoever takes over the lock drops all stages. So a roller that was paused until its turn was taken over cannot swap
old sums in: its next statement fails.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from clickhouse import queries
from clickhouse.locks import table_lock
from clickhouse.rollup_stages import Stages

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Turn:
    """Begun where it is made; the holder must ``end`` it.

    Args:
        client: the database.
        lock: name of the lock.
        stale_after_s: age at which a killed roller's lock is taken over.

    Raises:
        LockHeld: another roller has its turn.
        StoreError: as ``clickhouse.queries``.
    """

    def __init__(self, client: Client, *, lock: str, stale_after_s: int) -> None:
        self.stages = Stages(client)
        with ExitStack() as opened:
            opened.enter_context(table_lock(client, lock, stale_after_s=stale_after_s, wait_s=0.0))
            (began,) = queries.run(client, "rollups_begin")
            for left_behind in began["left_behind"]:
                queries.execute(client, "lock_drop", lock=left_behind)
            opened.callback(self.stages.drop)
            self.stages.create()
            #: The server's clock, read before the marks of the pass are; microseconds since the epoch.
            self.now_us: int = began["now_us"]
            self._held = opened.pop_all()

    def end(self) -> None:
        """Drops the stages and gives the lock back."""
        self._held.close()
