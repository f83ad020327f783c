"""``attribution bench import`` on a broker and an engine of its own: a small import ends equal to the batch."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.__main__ import build_app

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def test_a_small_import_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ATTRIBUTION_API_INSECURE_DEV", "ATTRIBUTION_API_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    words = ["bench", "import", "--events", "3000", "--connections", "2", "--json"]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["events"], found["equal"]) == (3_000, True)
    assert found["conversions_compared"] > 50
