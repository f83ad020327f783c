"""Changes while ``attribution bench read --live`` asks: every second a minute of the newest day is marked and built.

The credits stay what they are, so answers do not change; their version does, and the roller works as it does live.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Self

from clickhouse import queries
from clickhouse.client import connect
from clickhouse.rollups import Roller

if TYPE_CHECKING:
    from cli.bench_world import World
    from clickhouse.settings import ClickHouseSettings

_EVERY_S: Final = 1.0
_LAST_MINUTE: Final = 1_440


class Changes:
    """A context manager; ``passes`` counts the days that were built. The roller has read the day when it is entered.

    Raises:
        RuntimeError: at the end, when a pass has failed; its failure is the cause.
    """

    def __init__(self, settings: ClickHouseSettings, world: World) -> None:
        self._client = connect(settings)
        self._roller = Roller(self._client)
        self._day = world.end
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.passes = 0

    def __enter__(self) -> Self:
        for _ in range(3):  # a day is hot when it was dirty before; then its minutes are held
            self._change()
        self.passes = 0
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()
        if self._failure is not None and kind is None:
            raise RuntimeError(f"a pass of the roller failed: {self._failure}") from self._failure

    def _work(self) -> None:
        try:
            while not self._stop.wait(_EVERY_S):
                self._change()
        except Exception as error:  # noqa: BLE001 - told by the caller's thread
            self._failure = error

    def _change(self) -> None:
        marked: dict[str, Any] = {"day": self._day, "unit": _LAST_MINUTE}
        queries.execute(self._client, "bench_mark", **marked)
        self.passes += len(self._roller.drain())
