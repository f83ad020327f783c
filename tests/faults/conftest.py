"""Fault runs: a stream of its own each, results collected, the matrix printed at the end of the session.

How much runs: without ``faults`` in the marker expression a short selection (``make test``), else everything
(``make test-faults``). ``ATTRIBUTION_FAULT_KILLS`` and ``ATTRIBUTION_FAULT_SEEDS`` say how many.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from fault_report import RESULTS, Result, matrix, read
from fault_run import FaultRun, MakeRun
from stream_harness import Stream


@pytest.fixture
def make_run(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[MakeRun]:
    """``make_run(fault, name, seed, …)``; everything it started is ended afterwards."""
    runs: list[FaultRun] = []

    def make(
        fault: int,
        name: str,
        seed: int,
        *,
        control: str = "",
        bootstrap: str = kafka_bootstrap,
        url: str = clickhouse_url,
        observer_url: str | None = None,
        database: str = clickhouse_database,
        **more: Any,
    ) -> FaultRun:
        folder = tmp_path / f"run-{len(runs)}"
        folder.mkdir()
        stream = Stream(bootstrap, url, database, folder)
        runs.append(FaultRun(stream, Result(fault, name, seed, control), observer_url=observer_url, **more))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


@pytest.fixture
def new_database() -> Iterator[Callable[[str], str]]:
    """``new_database(url)`` makes one more migrated database; dropped afterwards."""
    made: list[ClickHouseSettings] = []

    def make(url: str) -> str:
        made.append(ClickHouseSettings(url=url, database=f"test_{uuid.uuid4().hex[:12]}"))
        migrate(made[-1])
        return made[-1].database

    yield make
    for settings in made:
        client = connect(settings, use_database=False)
        client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
        client.close()


@pytest.fixture(scope="session", autouse=True)
def _results(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Results have a file in any case, for the matrix at the end."""
    if RESULTS not in os.environ:
        os.environ[RESULTS] = str(tmp_path_factory.mktemp("faults") / "results.jsonl")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The matrix of everything in the results file."""
    path = Path(os.environ.get(RESULTS, ""))
    if path.is_file():
        terminalreporter.section("fault matrix (runs with a violation / runs that checked)")
        terminalreporter.write_line(matrix(read(path)))
        terminalreporter.write_line(f"from {path}")
