"""What a run has outside ClickHouse: group, topics, directories; and the gap that promoting must not make."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from api.store import Unavailable
from cli.folder_lock import folder_lock
from cli.replay_topics import own_topics, shared_topics
from cli.run_settings import fed_run
from clickhouse.errors import RunError
from stream_app.group_offsets import GroupOffsets, forget_group
from stream_app.settings import WorkerSettings
from stream_app.topics import TopicError

if TYPE_CHECKING:
    from clickhouse.run import Run
    from clickhouse.runs import Runs


def latest(runs: Runs, name: str) -> Run:
    """The run of that name, or the last one that had it: dropping is repeatable.

    Raises:
        RunError: no run ever had the name.
    """
    for run in reversed(runs.every()):
        if run.name == name:
            return run
    return runs.get(name)


def refuse_gap(active: Run, run: Run, base: WorkerSettings) -> None:
    """Replays write no raw facts: the workers must not change to a run that is ahead of the one that they feed.

    Args:
        active: the run that is shown.
        run: the one to be shown.
        base: the worker of the environment.

    Raises:
        RunError: it is ahead.
        TopicError: Kafka does not answer.
    """
    fed = fed_run(active, base)
    if not run.group_id or run.run_id == (fed.run_id if fed else base.run_id):
        return
    servers, group = base.bootstrap_servers, fed.group_id if fed else base.group_id
    with GroupOffsets(servers, run.group_id) as offsets:
        reached = offsets.committed(list(offsets.bounds(shared_topics(base))))
    with GroupOffsets(servers, group) as offsets:
        written = offsets.committed(list(reached))
    ahead = sum(max(0, at - written.get(place, 0)) for place, at in reached.items())
    if ahead:
        raise RunError(
            f"run {run.name} has read {ahead:,} records that group {group} has not yet; they would be missing in the "
            f"tables touchpoints, conversions and spend. Start the workers of that group, wait until they have caught "
            f"up, then promote again"
        )


def refuse_gap_in(workspace: str, active: Run, run: Run) -> None:
    """``refuse_gap`` in a workspace, with the API's own words for a broker that does not answer.

    Raises:
        RunError: the run is ahead.
        Unavailable: Kafka does not answer.
    """
    base = WorkerSettings.model_validate({"ATTRIBUTION_WORKSPACE": workspace})
    try:
        refuse_gap(active, run, base)
    except TopicError as error:
        raise Unavailable("kafka", "it does not say how far the workers are") from error


def forget(run: Run, data_dir: Path, base: WorkerSettings | None = None) -> None:
    """Removes group, topics and directories of a run; what is not there is no error.

    Args:
        run: which one.
        data_dir: where replays have their folders.
        base: the worker of the environment; read from there when left out.

    Raises:
        RunError: the run is the active one, or a replay of it is at work.
        TopicError: Kafka does not answer, or workers of the run are still running.
    """
    run.refuse_if_active()
    base = base or WorkerSettings()
    folder = data_dir / "replays" / run.name
    with folder_lock(folder) as is_ours:
        if not is_ours:
            raise RunError(f"a replay of {run.name} is at work: stop it first")
        if run.group_id and run.run_id != base.run_id:
            settings = base.model_copy(update={"group_id": run.group_id})
            forget_group(base.bootstrap_servers, run.group_id, own_topics(settings))
        shutil.rmtree(folder, ignore_errors=True)
    for folder in data_dir.glob(f"worker-*/run-{run.run_id}"):
        shutil.rmtree(folder, ignore_errors=True)
