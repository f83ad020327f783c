"""The checks of ``attribution doctor``: each says what it found and, if that is wrong, the fix."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings import WorkerSettings

_FREE_GB: Final = 2.0
_CLOCK_S: Final = 5.0
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """One check; ``fix`` is empty when all is well."""

    name: str
    found: str
    fix: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.fix


def run_checks(data_dir: Path) -> list[Result]:
    """Every check, in the order in which the parts depend on each other."""
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings import WorkerSettings

    worker, store = WorkerSettings(), ClickHouseSettings.of_environment()
    checks: list[tuple[str, Callable[[], Result]]] = [
        ("broker", lambda: _broker(worker)),
        ("topics", lambda: _topics(worker)),
        ("partitioner", lambda: _partitioner(worker)),
        ("clickhouse", lambda: _clickhouse(store)),
        ("migrations", lambda: _migrations(store)),
        ("clock", lambda: _clock(store)),
        ("disk", lambda: _disk(data_dir)),
        ("ports", _ports),
        ("workers", lambda: _workers(data_dir)),
        ("core", _core),
        ("accounts", _accounts),
    ]
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Result]) -> Result:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a doctor reports every trouble, whatever it is
        return Result(name, f"{type(error).__name__}: {error}", _FIXES[name])


_FIXES: Final = {
    "accounts": "set ATTRIBUTION_ACCOUNTS_DIR or ATTRIBUTION_ACCOUNTS_URL; see docs/security.md",
    "broker": "start a broker (`attribution up`), or set KAFKA_BOOTSTRAP_SERVERS",
    "topics": "run `attribution topics create`",
    "partitioner": "start the broker first; producers need partitioner=murmur2_random",
    "clickhouse": "start ClickHouse (`attribution up`), or set CLICKHOUSE_URL",
    "migrations": "run `attribution migrate`",
    "clock": "start ClickHouse first; then synchronise the clocks (NTP)",
    "disk": "free some space, or move --data-dir",
    "workers": "see data/worker-*/status.json and the worker's log",
    "core": "run `python -m cli.compile_core`",
    "ports": "stop what holds the port, or give `attribution up` other ports",
}


def _core() -> Result:
    """Compiled or interpreted: both are right, one is faster."""
    from attribution._compiled import DESCRIPTION

    return Result("core", DESCRIPTION)


def _admin(settings: WorkerSettings) -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})


def _broker(settings: WorkerSettings) -> Result:
    brokers = _admin(settings).list_topics(timeout=_TIMEOUT_S).brokers
    return Result("broker", f"{len(brokers)} at {settings.bootstrap_servers}")


def _topics(settings: WorkerSettings) -> Result:
    from schemas.topics import CUSTOMER_KINDS, load_topics, topic_in
    from stream_app.topics import partition_counts

    counts = partition_counts(_admin(settings))
    wanted = {topic_in(settings.workspace, name): spec for name, spec in load_topics().items()}
    missing = [name for name in wanted if name not in counts]
    if missing:
        return Result("topics", f"missing: {', '.join(missing)}", _FIXES["topics"])
    of_customers = {name: counts[name] for name, spec in wanted.items() if spec.kind in CUSTOMER_KINDS}
    if len(set(of_customers.values())) > 1:
        return Result(
            "topics", f"unequal partition counts {of_customers}", "give all topics the same number of partitions"
        )
    return Result("topics", f"{len(wanted)} with {next(iter(of_customers.values()))} partitions each")


def _partitioner(settings: WorkerSettings) -> Result:
    """A librdkafka client and the Java client's murmur2 must agree, or a customer is split in two."""
    from aiokafka.partitioner import murmur2
    from confluent_kafka import Producer
    from confluent_kafka.cimpl import NewTopic

    admin, topic, partitions = _admin(settings), f"attribution.doctor.{uuid.uuid4().hex[:8]}", 8
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_TIMEOUT_S)
    got: dict[Any, Any] = {}
    try:
        producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "partitioner": "murmur2_random"})
        for number in range(64):
            producer.produce(
                topic, b"", f"customer-{number}".encode(), on_delivery=lambda _, m: got.update({m.key(): m.partition()})
            )
        producer.flush(_TIMEOUT_S)
    finally:
        admin.delete_topics([topic])
    wrong = [key for key, partition in got.items() if (murmur2(key) & 0x7FFFFFFF) % partitions != partition]
    if wrong or len(got) != 64:
        return Result("partitioner", f"{len(wrong)} of {len(got)} keys differ", "set partitioner=murmur2_random")
    return Result("partitioner", "murmur2: 64 of 64 keys on the same partition in both clients")


def _clickhouse(settings: ClickHouseSettings) -> Result:
    from clickhouse.client import connect

    version = str(connect(settings, use_database=False).server_version)
    major = int(version.split(".", maxsplit=1)[0])
    fix = "" if major >= 25 else "use ClickHouse 25 or newer"
    return Result("clickhouse", f"{version} at {settings.url}", fix)


def _migrations(settings: ClickHouseSettings) -> Result:
    from clickhouse.migrate import status

    states = status(settings)
    pending = [s.migration.name for s in states if s.applied_at is None]
    if pending:
        return Result("migrations", f"pending: {', '.join(pending)}", _FIXES["migrations"])
    return Result("migrations", f"{len(states)} applied to {settings.database}")


def _clock(settings: ClickHouseSettings) -> Result:
    from clickhouse.client import connect

    client = connect(settings, use_database=False)
    theirs = client.query("SELECT toUnixTimestamp64Milli(now64(3))").result_rows[0][0] / 1000
    skew = abs(theirs - time.time())
    fix = "" if skew < _CLOCK_S else "synchronise the clocks (NTP): event times ahead of the broker become dead letters"
    return Result("clock", f"ClickHouse differs by {skew:.2f} s", fix)


def _disk(data_dir: Path) -> Result:
    folder = next(p for p in (data_dir.resolve(), *data_dir.resolve().parents) if p.exists())
    free = shutil.disk_usage(folder).free / 1e9
    return Result("disk", f"{free:.1f} GB free at {folder}", "" if free >= _FREE_GB else _FIXES["disk"])


def _workers(data_dir: Path) -> Result:
    """What the workers of `attribution up` over this directory say of themselves."""
    import json

    states = {}
    for file in sorted(data_dir.glob("worker-*/status.json")):
        found = json.loads(file.read_text())
        states[file.parent.name] = found if _is_alive(found["pid"]) else {"state": "ended", "why_not": ""}
    if not (data_dir / "stack.json").exists():
        return Result("workers", f"no stack runs over {data_dir}")
    said = ", ".join(f"{name}: {found['state']}" for name, found in states.items()) or "none has begun yet"
    wrong = [f"{name}: {found['why_not'] or 'ended'}" for name, found in states.items() if found["state"] != "ready"]
    logs = data_dir / "logs"
    return Result("workers", said, f"{'; '.join(wrong)}; logs in {logs}" if wrong else "")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ports() -> Result:
    from embedded.ports import is_free, occupant
    from embedded.supervisor import API_PORT, CLICKHOUSE_PORT, KAFKA_PORT

    usual = {"kafka": KAFKA_PORT, "clickhouse": CLICKHOUSE_PORT, "api": API_PORT}
    used = [f"{name} {port} by {occupant(port)}" for name, port in usual.items() if not is_free(port)]
    return Result("ports", f"in use: {', '.join(used)}" if used else "9092, 8123 and 8000 are free")


def _accounts() -> Result:
    from accounts.accounts import Accounts
    from accounts.settings import AccountsSettings

    settings = AccountsSettings()
    if not settings.url.get_secret_value() and not (settings.dir / "accounts.db").exists():
        return Result("accounts", f"none in {settings.dir} yet; the API makes them at its first start")
    accounts = Accounts(settings)
    try:
        verdict = accounts.audit.verify()
        if verdict.broken_at:
            return Result("accounts", f"audit log broken at {verdict.broken_at}", "see: attribution audit verify")
        keys = sum(key.revoked_at is None for key in accounts.keys.all())
        return Result("accounts", f"{keys} keys, {verdict.entries} audit entries in one unbroken chain")
    finally:
        accounts.close()
