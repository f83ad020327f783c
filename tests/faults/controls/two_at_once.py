"""Control d: a worker with two epochs in work at once: neither sees what the other changes, each ends when it does.

An epoch waits before it is made durable until the next one is computed too: whether they meet is not left to the speed
of the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cli.__main__ import main
from stream_app.pipeline import Pipeline
from stream_app.transport import Epoch

PLACES = asyncio.Semaphore(2)
ONE_TRANSACTION = asyncio.Lock()  # the producer refuses a second one; what is written was computed before
TASKS: set[asyncio.Task[None]] = set()
NEXT_IS_COMPUTED_S = 0.5


async def run(self: Pipeline, epoch: Epoch, fail_stop: Callable[[BaseException], None]) -> None:
    """Begin, and go on without waiting for the epoch before."""
    await PLACES.acquire()
    if not self._consumer().begin(epoch):
        PLACES.release()
        return
    task = asyncio.create_task(work(self, epoch, fail_stop))
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


async def work(self: Pipeline, epoch: Epoch, fail_stop: Callable[[BaseException], None]) -> None:
    """All steps of one epoch."""
    try:
        batch = await self._computed(epoch)
        await asyncio.sleep(NEXT_IS_COMPUTED_S)
        async with ONE_TRANSACTION:
            await self._make_durable(batch)
        await self._deliver(batch, (0.0, 0.0, 0.0), fail_stop)
    except Exception as error:  # noqa: BLE001  # as the real one
        fail_stop(error)
    finally:
        PLACES.release()


Pipeline.run = run  # type: ignore[method-assign]  # the one protection taken away
main()
