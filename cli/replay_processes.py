"""Replays for the API: ``api.replay_store.Replays`` by a process of ``attribution replay`` each.

The process is an ordinary one: it can be killed at any time, and the same request goes on with what it did. A thread
watches it, and writes into the run's entry why it ended, where it could not do so itself. It dies with the API.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from api.replay_store import ReplayAsked, ReplayRefused
from api.store import Unavailable
from cli.folder_lock import folder_lock
from cli.replay_config import OtherReplayError, ReplayConfigError
from cli.replay_job import Job, ReplayError, Request
from cli.run_admin import forget
from cli.run_settings import RunSettingsError
from clickhouse.client import connect
from clickhouse.errors import LockHeld, RunError, SinkRejected, SinkUnavailable, StoreError
from clickhouse.run import Run
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from embedded.process import signal_group, spawn, stop, tail
from stream_app.settings import WorkerSettings
from stream_app.topics import TopicError

T = TypeVar("T")
_log: Final = logging.getLogger("api.replays")
_GRACE_S: Final = 20.0
#: How long ``cancel`` waits for the process; less than a request may take.
_CANCEL_S: Final = 8.0
_GOES_ON: Final = "the same request goes on"


def replays_in(folder: Path | None, *, most_runs: int) -> Callable[[str], ReplayProcesses] | None:
    """Replays by workspace, each with a folder of its own; None: nothing is computed."""
    if folder is None:
        return None
    return lambda name: ReplayProcesses(name, folder if name == "default" else folder / name, most_runs)


class Child:
    """One process and the thread that watches it; ``ended`` is called with its code and the end of its log."""

    def __init__(
        self, command: list[str], env: Mapping[str, str], log: Path, ended: Callable[[int, str], None]
    ) -> None:
        self._command, self._env, self._log, self._ended = command, env, log, ended
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self.is_cancelled = False
        self._thread = threading.Thread(target=self._watch, name="replay", daemon=True)

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: that is not possible.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def is_alive(self) -> bool:
        """Whether it works, or is being noted as ended."""
        return self._thread.is_alive()

    def cancel(self, wait_s: float) -> bool:
        """Ask it to stop; returns whether it has within ``wait_s``."""
        self.is_cancelled = True
        if self._process is not None and self._process.poll() is None:
            signal_group(self._process, signal.SIGTERM)
        self._thread.join(wait_s)
        return not self.is_alive

    def stop(self) -> None:
        """Stop it, by force if it takes too long."""
        self.is_cancelled = True
        if self._process is not None:
            stop(self._process, _GRACE_S)
        self._thread.join(_GRACE_S)

    def _watch(self) -> None:
        # started here, since a child dies with the thread that started it (``embedded.process``)
        try:
            self._process = spawn(self._command, log=self._log, env=self._env)
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        code = self._process.wait()
        self._ended(code, tail(self._log, 1))


class ReplayProcesses:
    """Replays of one workspace.

    Args:
        workspace: its name.
        folder: the ``--data-dir`` of the command.
        most_runs: that there may be, dropped ones aside.
    """

    def __init__(self, workspace: str, folder: Path, most_runs: int) -> None:
        self._workspace, self._folder, self._most_runs = workspace, folder, most_runs
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}

    def begin(self, asked: ReplayAsked) -> Run:
        """Make the run, or go on with it."""
        request = Request(asked.name, asked.since, asked.until, asked.parameters, asked.source, 1, self._folder)
        with self._lock:
            run = _told(lambda: self._job(request).prepare(self._most_runs))
            child = self._children.get(run.run_id)
            if run.status != "complete" and (child is None or not child.is_alive):
                self._children[run.run_id] = child = self._child(asked, run)
                _told(child.start)
        return run

    def cancel(self, run: Run) -> Run:
        """Stop computing it."""
        if run.status != "running":
            raise RunError(f"run {run.name} is {run.status}: nothing is being computed")
        with self._lock:
            child = self._children.get(run.run_id)
        if child is not None and child.is_alive:
            child.cancel(_CANCEL_S)
            return _told(lambda: self._runs().get_id(run.run_id))
        with folder_lock(self._folder / "replays" / run.name) as is_ours:
            if not is_ours:
                raise RunError(f"run {run.name} is computed by another process: stop it there")
            return _told(lambda: self._ended(run.run_id, "cancelled", f"cancelled; {_GOES_ON}"))

    def drop(self, run: Run) -> None:
        """Remove it."""
        if run.run_id == self._settings().run_id:
            raise RunError(f"run {run.name} is the one that the environment describes: it stays")
        if run.status == "running":
            raise RunError(f"run {run.name} is being computed: cancel it first")
        if run.status != "dropped":
            _told(lambda: forget(run, self._folder, self._settings()))
            _told(lambda: self._runs().drop(run))

    def close(self) -> None:
        """Stop all of them."""
        with self._lock:
            for child in self._children.values():
                child.stop()

    def _child(self, asked: ReplayAsked, run: Run) -> Child:
        folder = self._folder / "replays" / asked.name
        options = {"--as": asked.name, "--from": asked.since, "--to": asked.until, "--source": run.source}
        options["--data-dir"] = str(self._folder)
        if asked.parameters:
            file = folder / "asked.json"
            file.write_text(json.dumps(dict(asked.parameters)), encoding="utf-8")
            options["--config"] = str(file)
        words = [word for option in options.items() if option[1] for word in option]
        command = [sys.executable, "-P", "-m", "cli", "replay", *words]

        def ended(code: int, last_line: str) -> None:
            if code == 0:
                return
            how = ("cancelled", f"cancelled; {_GOES_ON}") if child.is_cancelled else ("failed", last_line)
            try:
                self._ended(run.run_id, *how)
            except StoreError as error:
                _log.error("run %s ended with code %d, which could not be noted: %s", run.name, code, error)

        child = Child(command, self._environment(), folder / "replay.log", ended)
        return child

    def _ended(self, run_id: int, status: str, detail: str) -> Run:
        """Says so in the run's entry, where that still says it is being computed."""
        runs = self._runs()
        run = runs.get_id(run_id)
        if run.status == "running":
            run = replace(run, status=status, detail=detail)
            runs.save(run)
        return run

    def _environment(self) -> dict[str, str]:
        return {} if self._workspace == "default" else {"ATTRIBUTION_WORKSPACE": self._workspace}

    def _settings(self) -> WorkerSettings:
        return WorkerSettings.model_validate({"ATTRIBUTION_WORKSPACE": self._workspace})

    def _client(self) -> Any:
        return connect(ClickHouseSettings().of_workspace(self._workspace))

    def _runs(self) -> Runs:
        return Runs(self._client())

    def _job(self, request: Request) -> Job:
        return Job(request, self._settings(), self._client(), lambda line: _log.info("%s", line))


def _told(action: Callable[[], T]) -> T:
    """The answer, or the trouble in the API's words."""
    try:
        return action()
    except (OtherReplayError, RunSettingsError, ReplayError) as error:
        raise RunError(str(error)) from error
    except ReplayConfigError as error:
        field, _, reason = str(error).partition("=")
        raise ReplayRefused(field, reason) from error
    except ValidationError as error:
        raise Unavailable("replays", "the settings of workers cannot be used; see `attribution replay`") from error
    except TopicError as error:
        raise Unavailable("kafka", "it does not say what the topics hold") from error
    except LockHeld as error:
        raise Unavailable("clickhouse", "runs are being made or summed; try again") from error
    except SinkUnavailable as error:
        raise Unavailable("clickhouse", "it cannot be reached or has no room for the query now") from error
    except SinkRejected as error:
        raise Unavailable("clickhouse", "the API's user may not write; use `attribution replay`") from error
    except OSError as error:
        words = f"the folder of ATTRIBUTION_API_REPLAY_DIR cannot be used ({os.strerror(error.errno or 0)})"
        raise Unavailable("replays", words) from error
