"""The images of ``docker-compose.yml`` themselves, by ``make test-containers`` where a container engine is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IS_ASKED = os.environ.get("ATTRIBUTION_CONTAINERS") == "1"
WHY = "needs a container engine: make test-containers"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without being asked none of them is run: no skip that nobody sees, but a line that says so."""
    mine = [item for item in items if Path(__file__).parent in item.path.parents]
    if mine and not IS_ASKED:
        config.hook.pytest_deselected(items=mine)
        items[:] = [item for item in items if item not in mine]
        config.stash[_NOT_RUN] = [item.nodeid for item in mine]


_NOT_RUN = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was not run."""
    for node in config.stash.get(_NOT_RUN, []):
        terminalreporter.write_line(f"NOT RUN {node}: {WHY}")


@pytest.fixture(scope="session")
def images() -> Iterator[None]:
    """Broker, ClickHouse and Karapace of the Compose file, healthy, on their usual ports; removed afterwards."""
    from testcontainers.compose import DockerCompose  # noqa: PLC0415 - only where it is used

    parts = ["kafka", "clickhouse", "karapace"]
    with DockerCompose(ROOT, compose_file_name="docker-compose.yml", services=parts, wait=True):
        yield
