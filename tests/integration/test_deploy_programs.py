"""Each of our services of docker-compose.yml really starts, from the packages of the image, against real parts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from composed import BASE, prod_services, services
from embedded.ports import LOOPBACK, free_port
from embedded.stack import LocalStack
from image import context, installed
from programs import Machine, Program

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]

COMPOSE = services(BASE)
METRICS = {name: free_port() for name in ("worker", "rollups", "canary", "simulate")}
CHECKED = ("worker", "rollups", "api", "canary")


@pytest.fixture(scope="module")
def folder(stack_directory: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=stack_directory, prefix="deploy-"))


@pytest.fixture(scope="module")
def packages(folder: Path) -> Path:
    """Our packages as the image installs them: nothing of the checkout is on the path."""
    return installed(context(folder / "context"), folder / "packages")


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[LocalStack]:
    """Broker and engine that stand for the services kafka and clickhouse, with the latter's user."""
    environment = COMPOSE["clickhouse"]["environment"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKHOUSE_USER", environment["CLICKHOUSE_USER"])
        patch.setenv("CLICKHOUSE_PASSWORD", environment["CLICKHOUSE_PASSWORD"])
        with LocalStack(folder / "stack") as stack:
            yield stack


@pytest.fixture(scope="module")
def machine(folder: Path, packages: Path, stack: LocalStack) -> Machine:
    volumes = folder / "volumes"
    for name in ("worker", "accounts", "metrics", "replays"):
        (volumes / name).mkdir(parents=True)
    port = str(free_port())
    places = {
        "http://clickhouse:8123": stack.clickhouse_url,
        "kafka:19092": stack.kafka_bootstrap,
        "/var/lib/attribution": str(volumes),
        "/tmp/rollups.alive": str(volumes / "rollups.alive"),  # noqa: S108 - a text of the Compose file
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        "8000": port,
        "0.0.0.0": LOOPBACK,  # noqa: S104 - replaced
    }
    return Machine(packages, folder, places)


def program(name: str, machine: Machine) -> Program:
    """A service; each has a port for its metrics here, where they share one address."""
    places = {**machine.places, "9101": str(METRICS[name])} if name in METRICS else machine.places
    return Program(name, COMPOSE[name], Machine(machine.packages, machine.logs, places))


@pytest.fixture(scope="module")
def prepared(machine: Machine) -> Machine:
    """Tables and topics, by the services that make them."""
    for name in ("migrate", "topics"):
        done = program(name, machine).run()
        assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture(scope="module")
def running(prepared: Machine) -> Iterator[dict[str, Program]]:
    found = {name: program(name, prepared) for name in (*CHECKED, "simulate")}
    try:
        for one in found.values():
            one.start()
        for name in CHECKED:
            found[name].wait_until_healthy()
        yield found
    finally:
        for one in reversed(found.values()):
            one.stop()


def test_the_broker_knows_every_setting_of_its_service(stack: LocalStack) -> None:
    """Its image makes ``a.b`` of ``KAFKA_A_B``; what is no setting of Kafka would be passed over in silence."""
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    resource = ConfigResource(ResourceType.BROKER, "1")
    known = admin.describe_configs([resource], request_timeout=30)[resource].result().keys()
    names = {name for name in COMPOSE["kafka"]["environment"] if name not in {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}}
    assert {name.removeprefix("KAFKA_").replace("_", ".").lower() for name in names} - known == set()


def test_programs_come_up_and_their_checks_succeed(running: dict[str, Program]) -> None:
    assert all(running[name].is_healthy() for name in CHECKED)


def test_metrics_are_where_prometheus_and_the_probes_look(running: dict[str, Program]) -> None:
    for name, port in METRICS.items():
        for path in ("/metrics", "/live", "/ready"):
            answer = httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=60)
            assert answer.status_code == 200, f"{name}{path}: {answer.text}"
    assert "attribution_worker_lag_seconds" in httpx.get(f"http://{LOOPBACK}:{METRICS['worker']}/metrics").text
    assert running["worker"].is_healthy()


def test_the_api_serves_the_web_ui(running: dict[str, Program], prepared: Machine) -> None:
    answer = httpx.get(f"http://{prepared.local('127.0.0.1:8000')}/ui/", timeout=60)
    assert answer.status_code == 303, running["api"].log.read_text()[-2_000:]
    assert answer.headers["location"].startswith("/ui/signin")


def test_prometheus_gets_a_key_of_its_own_and_keeps_it(running: dict[str, Program], prepared: Machine) -> None:
    file = Path(prepared.local("/var/lib/attribution/metrics/attribution_metrics_key"))
    keys = []
    for _ in range(2):
        done = program("metrics-key", prepared).run()
        assert done.returncode == 0, done.stderr
        keys.append(file.read_text(encoding="utf-8").strip())
    assert keys[0] == keys[1]
    assert file.stat().st_mode & 0o777 == 0o640
    url = f"http://{prepared.local('127.0.0.1:8000')}"
    assert httpx.get(f"{url}/metrics", timeout=60).status_code == 401
    bearer = {"Authorization": f"Bearer {keys[0]}"}
    assert "attribution_api_requests_total" in httpx.get(f"{url}/metrics", headers=bearer, timeout=60).text
    assert httpx.get(f"{url}/api/v1/data/status", headers=bearer, timeout=60).status_code == 403
    assert running["api"].is_healthy()


def test_simulated_events_become_rows(running: dict[str, Program], prepared: Machine) -> None:
    key = Path(prepared.local("/var/lib/attribution/accounts/local.key")).read_text(encoding="utf-8")
    url = f"http://{prepared.local('127.0.0.1:8000')}/api/v1/data/status"
    deadline = time.monotonic() + 120
    while True:
        status = httpx.get(url, headers={"X-API-Key": key}, timeout=60).raise_for_status().json()
        read = sum(partition["offset"] or 0 for partition in status["partitions"])
        if read > 50:
            break
        assert time.monotonic() < deadline, status
        assert running["simulate"].process is not None
        assert running["simulate"].process.poll() is None, running["simulate"].log.read_text()
        time.sleep(0.2)


def test_a_secret_from_a_file_opens_the_store(prepared: Machine, folder: Path) -> None:
    service = prod_services()["migrate"] | {"command": ["migrate", "status"]}
    file = folder / "password"
    file.write_text(COMPOSE["clickhouse"]["environment"]["CLICKHOUSE_PASSWORD"] + "\n", encoding="utf-8")
    places = {"/run/secrets/clickhouse_migrator_password": str(file), "attribution_migrator": "attribution"}
    here = Machine(prepared.packages, folder, {**prepared.places, **places})
    done = Program("migrate", service, here).run()
    assert done.returncode == 0, done.stderr
    assert "pending" not in done.stdout
    file.write_text("another", encoding="utf-8")
    refused = Program("migrate", service, here).run()
    assert refused.returncode == 1
    assert "refuses this user or its password" in refused.stderr


def test_programs_end_on_sigterm_before_they_are_killed(running: dict[str, Program]) -> None:
    """A worker on a busy machine may cut its stop short (76), which is in time, too."""
    worker = running["worker"]
    for name in ("simulate", "canary", "api", "rollups", "worker"):
        grace = running[name].service.get("stop_grace_period", "10s").removesuffix("s")
        assert running[name].stop(float(grace)) in {0, -15, 130, 76}, running[name].log.read_text()[-2_000:]
    assert not worker.is_healthy()
    for name in ("rollups", "api", "canary"):
        lines = [json.loads(line) for line in running[name].log.read_text().splitlines() if line.startswith("{")]
        assert not [line for line in lines if "error" in line], name
        assert "Traceback" not in running[name].log.read_text(), name


def test_the_checkout_was_not_used(packages: Path) -> None:
    code = "import cli, clickhouse.migrate as m; print(cli.__file__); print(len(m.load()))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().startswith(str(packages))
