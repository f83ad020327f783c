"""A replay from its beginning to its end: find or make the run, compute it from topics or facts, say what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.folder_lock import folder_lock
from cli.replay_config import OtherReplayError, ReplayConfigError, checked_name, window, with_parameters
from cli.replay_facts import FactsReplay
from cli.replay_topics import TopicsReplay, plan_of, reach
from cli.run_settings import parameters_of, settings_of
from clickhouse import facts
from clickhouse.run import Run
from clickhouse.runs import Runs
from stream_app.settings import WorkerSettings


class ReplayError(RuntimeError):
    """The replay cannot begin or go on; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for; times as they were written, ``parameters`` only those that differ from the shown run's."""

    name: str
    since: str
    until: str
    parameters: Mapping[str, Any]
    source: str
    workers: int
    data_dir: Path


class Job:
    """One call of ``attribution replay``. ``report`` gets one line per step."""

    def __init__(self, request: Request, base: WorkerSettings, client: Any, report: Callable[[str], None]) -> None:
        self._request, self._base, self._client, self._report = request, base, client, report
        self._runs = Runs(client)
        self._folder = request.data_dir / "replays" / checked_name(request.name)
        self._window = window(request.since, request.until)
        if request.source not in {"auto", "topics", "facts"}:
            raise ReplayConfigError(f"--source {request.source!r}: choose auto, topics or facts")

    def run(self) -> None:
        """Do it, or go on with it.

        Raises:
            ReplayConfigError: a parameter is wrong, or the run exists with other parameters.
            ReplayError: it is being done already, or a worker failed; the run can be gone on with.
            TopicError: Kafka does not answer, or topics are missing.
            StoreError: ClickHouse does not answer, or refuses.
        """
        with self._alone():
            run = self._found() or self._made()
            if run.status == "complete":
                self._report(f"run {run.name} is complete already")
            else:
                run = self._computed(replace(run, status="running", detail=""))
            checksum = self._runs.checksum(run)
        self._report(f"{checksum.credit_rows:,} rows, checksum {checksum}, parameters {run.config_hash}")
        self._report(f"next: attribution runs compare {self._runs.active().name} {run.name}")

    def prepare(self, most_runs: int) -> Run:
        """Make the run, or take it up again, for another process to compute; only while no other is computed.

        Args:
            most_runs: that there may be with this one.

        Raises:
            RunError: another one is being computed, or there are too many.
            ReplayConfigError, ReplayError, TopicError, StoreError: as ``run``.
        """
        with self._alone():
            run = self._found()
            if run is None:
                return self._made(alone=True, most=most_runs)
            return run if run.status == "complete" else self._runs.resume(run)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One replay of a name at a time on this machine."""
        with folder_lock(self._folder) as is_ours:
            if not is_ours:
                raise ReplayError(f"another process is at the replay {self._request.name}: wait for it")
            yield

    def _settings(self) -> WorkerSettings:
        """The parameters of the run that is shown, with the changes that were asked for."""
        shown = parameters_of(self._runs.active().config)
        return with_parameters(self._base, shown | dict(self._request.parameters))

    def _found(self) -> Run | None:
        """The run of that name, if it is the same replay."""
        run = self._runs.find(self._request.name)
        if run is None:
            return None
        base = with_parameters(self._base, parameters_of(run.plan.get("shown", {})))
        asked = with_parameters(base, self._request.parameters).attribution_config().config_hash()
        if (asked, self._window) != (run.config_hash, run.window) or self._request.source not in {"auto", run.source}:
            raise OtherReplayError(
                f"run {run.name} exists with other parameters, another --from, --to or --source ({run.source}): "
                f"choose another name, or remove it by `attribution runs drop {run.name}`"
            )
        return run

    def _made(self, *, alone: bool = False, most: int = 0) -> Run:
        settings = self._settings()
        config = settings.attribution_config()
        source, why = self._source(settings)
        plan: dict[str, Any] = {"shown": dict(self._runs.active().config)}
        if source == "topics":
            plan |= plan_of(self._base)
            total = sum(end - plan["begins"][t][p] for t, ends in plan["ends"].items() for p, end in ends.items())
        else:
            total = facts.count(self._client)
            plan |= FactsReplay.plan_of(total)
        run = Run(
            run_id=0,
            name=self._request.name,
            models=config.models,
            config_hash=config.config_hash(),
            config=config.as_dict(),
            status="running",
            source=source,
            window=self._window,
            plan=plan,
            total=total,
            created_us=time.time_ns() // 1000,
        )
        prefix = f"{self._base.group_id}-replay-" if source == "topics" else ""
        run = self._runs.create(run, group_prefix=prefix, alone=alone, most=most)
        self._report(f"run {run.name} (id {run.run_id}) from the {source}: {why}")
        return run

    def _source(self, settings: WorkerSettings) -> tuple[str, str]:
        if self._request.source == "facts":
            return "facts", "as asked for"
        is_whole, why = reach(settings, self._window)
        if self._request.source == "topics":
            return "topics", "as asked for" + ("" if is_whole else f"; WARNING: {why}, the run will lack what is gone")
        return ("topics" if is_whole else "facts"), why

    def _computed(self, run: Run) -> Run:
        self._runs.save(run)
        began = time.monotonic()
        settings = settings_of(run, self._base)
        done_before = run.done
        if run.source == "topics":
            task: TopicsReplay | FactsReplay = TopicsReplay(
                run, settings, self._folder, self._request.workers, self._runs.save
            )
        else:
            task = FactsReplay(run, settings, self._client, self._runs.save, facts.survivors(self._client))
        try:
            run = task.run()
        except KeyboardInterrupt:
            self._runs.save(replace(task.state, detail="interrupted; the same command goes on"))
            raise
        except RuntimeError as error:
            self._runs.save(replace(task.state, status="failed", detail=str(error).splitlines()[0]))
            raise ReplayError(str(error)) from error
        self._runs.mark_days(run)
        run = replace(run, status="complete", done=run.total, finished_us=time.time_ns() // 1000)
        self._runs.save(run)
        seconds = time.monotonic() - began
        count, unit = run.total - done_before, task.unit
        self._report(
            f"run {run.name}: {count:,} {unit} in {seconds:.1f} s, {count / max(seconds, 0.001):,.0f} a second"
        )
        return run
