"""Generated requests against the served API on the real engine and broker: no check of schemathesis finds anything.

``FUZZ_REQUESTS`` (``make fuzz``) asks for so many requests and more, others each time; without it a short run is made,
always of the same seed. Routes are those of the description, so a new one is fuzzed without a change here.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from clickhouse.settings import ClickHouseSettings
from fuzzing import SETTINGS, fuzz
from served_api import Served, plant, served_api
from stream_app.topics import create_topics

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(7_200)]

WANTED = int(os.environ.get("FUZZ_REQUESTS", "0"))
ALL = "examples,coverage,fuzzing,stateful"


@pytest.fixture
def api(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Served]:
    """Over a store with the customer and the conversion that the description names as examples."""
    create_topics(kafka_bootstrap)
    plant(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    with served_api(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path, **SETTINGS) as served:
        yield served


def test_nothing_is_found(api: Served, tmp_path: Path) -> None:
    """With the key of an administrator, who may do all, and of a viewer, who is refused much."""
    seed = random.randrange(2**31) if WANTED else 1
    if WANTED:
        rounds = [(role, 40, ALL, seed + i) for i in range(1_000) for role in ("admin", "viewer")]
    else:
        rounds = [("admin", 1, ALL, seed), ("viewer", 1, "fuzzing", seed)]
    sent = 0
    for role, examples, phases, number in rounds:
        found = fuzz(api, role, tmp_path, examples=examples, phases=phases, seed=number)
        assert found.is_clean, f"as {role}, seed {number}:\n{found.output}"
        assert found.server_errors == 0
        assert found.requests > 50
        sent += found.requests
        if WANTED and sent >= WANTED:
            break
    assert sent >= WANTED
    assert "Traceback" not in api.log.read_text(encoding="utf-8")
    print(f"\n{sent} requests fuzzed, first seed {seed}")  # noqa: T201 - the figure for docs/security.md
