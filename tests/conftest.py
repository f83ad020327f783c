"""Fixtures of every test room: the stack, started once and only if a test asks for it, and the guard against IO.

``KAFKA_BOOTSTRAP_SERVERS`` and ``CLICKHOUSE_URL`` point the tests at parts that run already; else they are started
here, in a temporary directory. Nothing is ever skipped for want of the stack: it starts, or the tests that need it
fail with its log.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import settings

from clickhouse.backup import Backups
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from embedded.broker import Broker, is_ready
from embedded.clickhouse import ClickHouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# No test is timed: a busy machine is no defect.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

#: Markers that open the network to a test.
_OPEN = ("kafka", "clickhouse", "faults")
#: The broker that this session started, if a test asked for one.
_BROKER = pytest.StashKey[Broker]()


class BlockedIOError(AssertionError):
    """A test without a marker tried to open a connection."""


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    """Where the parts of this session live; in memory where the machine has such a file system."""
    shared_memory = Path("/dev/shm")  # noqa: S108 - the folder below it is made by mkdtemp, for us alone
    parent = shared_memory if shared_memory.is_dir() and os.access(shared_memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="attribution-tests-", dir=parent))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest, stack_directory: Path) -> Iterator[str]:
    """``host:port`` of a real broker."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with Broker(stack_directory / "kafka", log=stack_directory / "kafka.log") as broker:
        request.config.stash[_BROKER] = broker
        yield broker.bootstrap


@pytest.fixture(scope="module", autouse=True)
def _no_topics_for_the_next_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a module made on the broker of this session ends with it: the order of modules changes from run to run."""
    yield
    if (broker := request.config.stash.get(_BROKER, None)) is None or not is_ready(broker.port):
        return
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    left = [name for name in admin.list_topics(timeout=60).topics if not name.startswith("__")]
    for deleted in admin.delete_topics(left).values() if left else ():
        deleted.result(60)


@pytest.fixture(scope="session")
def clickhouse_url(stack_directory: Path) -> Iterator[str]:
    """URL of the ClickHouse engine."""
    if given := os.environ.get("CLICKHOUSE_URL"):
        yield given
        return
    with ClickHouse(stack_directory / "clickhouse") as clickhouse:
        yield clickhouse.url


@pytest.fixture(scope="session")
def migrated_copy(clickhouse_url: str) -> Iterator[Callable[[str], None]]:
    """Makes a database of this name as it is after all migrations, from a backup: that takes a tenth of their time."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"template_{uuid.uuid4().hex[:12]}")
    if "CLICKHOUSE_URL" in os.environ:  # somebody else's server: nothing is left on its disk for backups

        def made(name: str) -> None:
            migrate(settings.model_copy(update={"database": name}))

        yield made
        return
    migrate(settings)
    with Backups(settings) as backups:
        backups.create(settings.database)
        yield partial(backups.restore, settings.database, settings.database)
        backups.drop(settings.database)


@pytest.fixture
def clickhouse_database(clickhouse_url: str, migrated_copy: Callable[[str], None]) -> Iterator[str]:
    """Name of a fresh, migrated database; dropped afterwards."""
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrated_copy(settings.database)
    yield settings.database
    client = connect(settings, use_database=False)
    try:
        client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    finally:
        client.close()


@pytest.fixture(autouse=True)
def _open_api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API made in a test asks nobody who they are; ``tests/security`` is about those that do."""
    if "/security/" not in str(request.node.path):
        monkeypatch.setenv("ATTRIBUTION_API_INSECURE_DEV", "true")
        monkeypatch.setenv("ATTRIBUTION_API_ALLOWED_HOSTS", "test,localhost,127.0.0.1")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that runs in this process sets the root logger up, to a stream that is closed when it ends."""
    before, level = logging.root.handlers[:], logging.root.level
    yield
    for handler in logging.root.handlers[:]:
        if handler not in before and not type(handler).__module__.startswith("_pytest."):
            logging.root.removeHandler(handler)
    logging.root.setLevel(level)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that opens a connection without saying so by a marker, even if it swallows the error."""
    if any(request.node.get_closest_marker(name) for name in _OPEN):
        yield
        return
    attempts: list[str] = []

    def blocked(real: Callable[..., Any]) -> Callable[..., Any]:
        def connect_or_refuse(self: socket.socket, address: Any) -> Any:
            if self.family == socket.AF_UNIX:
                return real(self, address)
            attempts.append(str(address))
            raise BlockedIOError(f"connection to {address} in a test without one of the markers {', '.join(_OPEN)}")

        return connect_or_refuse

    monkeypatch.setattr(socket.socket, "connect", blocked(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", blocked(socket.socket.connect_ex))
    yield
    assert not attempts, f"connections to {', '.join(attempts)}: mark the test, or leave the network out"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Where the stack must exist (``ATTRIBUTION_REQUIRE_STACK=1``), a skip is a failure."""
    report = yield
    is_stack_test = any(item.get_closest_marker(name) for name in _OPEN)
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and is_stack_test
        and os.environ.get("ATTRIBUTION_REQUIRE_STACK") == "1"
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped although ATTRIBUTION_REQUIRE_STACK=1: {report.longrepr}"
    return report
