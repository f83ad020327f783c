"""The port beside a program: what it serves, and that it shows nothing of who asks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from telemetry.metrics import CONTENT_TYPE, Metrics
from telemetry.program_metrics import LOADGEN, LoadgenMetric
from telemetry.server import MetricsPortError, MetricsServer, Readiness

pytestmark = pytest.mark.kafka  # opens a port of this machine; no broker is asked


@pytest.fixture
def state() -> list[Readiness]:
    return [Readiness(is_ready=True)]


@pytest.fixture
def server(state: list[Readiness]) -> Iterator[MetricsServer]:
    metrics: Metrics[LoadgenMetric] = Metrics(LOADGEN, "loadgen")
    metrics.put("attribution_loadgen_records_total", 7)
    served = MetricsServer("127.0.0.1", 0, metrics, lambda: state[0])
    yield served
    served.close()


def test_metrics_readiness_and_life_are_served(server: MetricsServer, state: list[Readiness]) -> None:
    url = f"http://127.0.0.1:{server.port}"
    found = httpx.get(f"{url}/metrics?anything=SECRET")
    assert (found.status_code, found.headers["content-type"]) == (200, CONTENT_TYPE)
    assert "attribution_loadgen_records_total 7.0\n" in found.text
    assert "process_resident_memory_bytes" in found.text
    assert "SECRET" not in found.text
    assert "python" not in found.headers["server"].lower()
    assert httpx.get(f"{url}/live").json() == {"live": True}
    assert httpx.get(f"{url}/ready").status_code == 200
    state[0] = Readiness(is_ready=False, state="recovering", why_not="partitions come or go")
    away = httpx.get(f"{url}/ready")
    assert away.status_code == 503
    assert json.loads(away.text) == {"ready": False, "state": "recovering", "why_not": "partitions come or go"}
    assert httpx.get(f"{url}/../etc/passwd").status_code == 404
    assert httpx.post(f"{url}/metrics").status_code == 501


def test_a_port_that_is_taken_is_told_with_the_way_out(server: MetricsServer) -> None:
    with pytest.raises(MetricsPortError, match=f"ATTRIBUTION_METRICS_PORT={server.port}: .* another port"):
        MetricsServer("127.0.0.1", server.port, server.metrics)
