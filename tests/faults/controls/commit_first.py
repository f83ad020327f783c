"""Control b: a worker that commits an epoch's offsets before its rows are inserted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mode import get_logger

from cli.__main__ import main
from stream_app import failpoints
from stream_app.batch import Batch
from stream_app.pipeline import Pipeline

logger = get_logger(__name__)


async def deliver(
    self: Pipeline, batch: Batch, seconds: tuple[float, ...], fail_stop: Callable[[BaseException], None]
) -> None:
    """Offsets, then rows."""
    del seconds
    try:
        await self._consumer().finish(batch.epoch, batch.notes)
        failpoints.passed("after_commit")
        await asyncio.get_running_loop().run_in_executor(self._threads, self._write_rows, batch)
        failpoints.passed("after_insert")
        logger.info("Epoch of %d records", len(batch.epoch))
    except Exception as error:  # noqa: BLE001  # as the real one
        fail_stop(error)


Pipeline._deliver = deliver  # type: ignore[method-assign]  # the one protection taken away
main()
