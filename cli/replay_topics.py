"""A run from the topics: workers of a group of its own read them from the start to where they ended at the beginning.

The workers are ordinary ones with a changelog and directories of their own; they write neither raw facts nor dead
letters, which are there already. What the group has committed is done, so a replay that was killed goes on there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attribution.window import Window
from cli.replay_screen import Meter
from embedded.process import spawn, stop, tail
from stream_app.group_offsets import GroupOffsets, Place

if TYPE_CHECKING:
    import subprocess

    from clickhouse.run import Run
    from stream_app.settings import WorkerSettings

_LOOK_S: Final = 0.25
_SAVE_S: Final = 5.0


def own_topics(settings: WorkerSettings) -> list[str]:
    """Topics that belong to one run alone; their names begin with its group."""
    names = (settings.changelog_topic, *settings.source_topics)
    return [name for name in names if name.startswith(f"{settings.group_id}-")]


def plan_of(base: WorkerSettings) -> dict[str, Any]:
    """What there is to read now: ``begins`` and ``ends`` by topic and partition."""
    topics = shared_topics(base)
    with GroupOffsets(base.bootstrap_servers, base.group_id) as offsets:
        bounds = offsets.bounds(topics)
    begins: dict[str, dict[str, int]] = {t: {} for t in topics}
    ends: dict[str, dict[str, int]] = {t: {} for t in topics}
    for (topic, partition), bound in bounds.items():
        begins[topic][str(partition)], ends[topic][str(partition)] = bound
    return {"begins": begins, "ends": ends}


def reach(settings: WorkerSettings, window: Window) -> tuple[bool, str]:
    """Whether the topics hold all that a run of this window needs, and why."""
    with GroupOffsets(settings.bootstrap_servers, settings.group_id) as offsets:
        bounds = offsets.bounds(shared_topics(settings))
        if not any(b.high for b in bounds.values()):
            return False, "the topics are empty"
        if not any(b.low for b in bounds.values()):
            return True, "the topics still begin at their first record"
        if not window.from_us:
            return False, "the topics have lost their beginning"
        needed_ms = (window.from_us - settings.attribution_config().horizon_us) // 1000
        if offsets.reach_back(bounds, needed_ms):
            return True, "the topics reach back to --from less lookback and allowed lateness"
    return False, "the topics do not reach back to --from less lookback and allowed lateness"


def shared_topics(settings: WorkerSettings) -> list[str]:
    """Source topics that all runs read."""
    return [t for t in settings.source_topics if t not in own_topics(settings)]


class TopicsReplay:
    """The work on one run. ``state`` is the run as far as it is known to be done.

    Args:
        run: what is to be done.
        settings: of a worker of this run.
        folder: for state and logs of the workers.
        workers: how many processes.
        save: keeps the run's row.
    """

    unit = "records"

    def __init__(
        self, run: Run, settings: WorkerSettings, folder: Path, workers: int, save: Callable[[Run], None]
    ) -> None:
        self.state = run
        self._settings, self._folder, self._workers, self._save = settings, folder, workers, save

    def run(self) -> Run:
        """Work until the group has committed all that the plan names.

        Raises:
            RuntimeError: a worker ended, with the end of its log.
            TopicError: Kafka does not answer.
        """
        run = self.state
        ends = {(t, int(p)): end for t, found in run.plan["ends"].items() for p, end in found.items()}
        begins = {(t, int(p)): at for t, found in run.plan["begins"].items() for p, at in found.items()}
        with (
            GroupOffsets(self._settings.bootstrap_servers, run.group_id) as offsets,
            Meter(run.total, self.unit) as meter,
        ):
            if self._left(offsets, ends, begins):
                processes = [self._start(run.name, index) for index in range(self._workers)]
                try:
                    self._watch(offsets, ends, begins, processes, meter)
                finally:
                    for process in processes:
                        stop(process, grace_s=60.0)
            meter.show(run.total)
        return self.state

    def _watch(
        self,
        offsets: GroupOffsets,
        ends: Mapping[Place, int],
        begins: Mapping[Place, int],
        processes: Sequence[subprocess.Popen[bytes]],
        meter: Meter,
    ) -> None:
        saved_at = time.monotonic()
        while left := self._left(offsets, ends, begins):
            done = max(self.state.done, self.state.total - left)
            meter.show(done)
            self.state = replace(self.state, done=done)
            if time.monotonic() - saved_at > _SAVE_S:
                self._save(self.state)
                saved_at = time.monotonic()
            for index, process in enumerate(processes):
                if process.poll() is not None:
                    log = self._log(index)
                    raise RuntimeError(
                        f"worker {index} ended with code {process.returncode}; end of {log}:\n{tail(log)}"
                    )
            time.sleep(_LOOK_S)

    def _left(self, offsets: GroupOffsets, ends: Mapping[Place, int], begins: Mapping[Place, int]) -> int:
        """Records that the group has not committed yet; those of its own topics count once all others are read."""
        committed = offsets.committed(list(ends))
        left = sum(max(0, end - max(committed.get(place, 0), begins[place])) for place, end in ends.items())
        internal = [t for t in own_topics(self._settings) if t != self._settings.changelog_topic]
        if left or not internal:
            return left
        bounds = offsets.bounds(internal)
        committed = offsets.committed(list(bounds))
        return sum(max(0, b.high - max(committed.get(place, 0), b.low)) for place, b in bounds.items())

    def _start(self, name: str, index: int) -> subprocess.Popen[bytes]:
        env = {
            "ATTRIBUTION_DATA_DIR": str((self._folder / f"worker-{index}").resolve()),
            "ATTRIBUTION_WRITE_FACTS": "false",
            "ATTRIBUTION_WRITE_DEAD_LETTERS": "false",
        }
        command = [sys.executable, "-P", "-m", "cli", "worker", "--run", name]
        return spawn(command, log=self._log(index), env=env)

    def _log(self, index: int) -> Path:
        return self._folder / f"worker-{index}.log"
