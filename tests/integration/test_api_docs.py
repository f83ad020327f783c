"""Every curl command of the pages is answered as they say: by the served API, with a key that stays out of its log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clickhouse.settings import ClickHouseSettings
from served_api import plant, served_api
from stream_app.topics import create_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

ROOT = Path(__file__).parents[2]


def blocks_of(page: str) -> list[str]:
    """Its shell blocks with a curl in them."""
    shell = re.findall(r"```(?:sh|bash)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in shell if "curl " in block]


PAGES = {
    "docs/api.md": ("localhost:8000", 8),
    "docs/collector.md": ("localhost:8000", 3),
    "README.md": ("127.0.0.1:8000", 5),
}
#: A failure of any command fails the block, and is shown.
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body --show-error --max-time 20 "$@"; }\n'


@pytest.fixture
def served(
    clickhouse_url: str, clickhouse_database: str, kafka_bootstrap: str, tmp_path: Path
) -> Iterator[tuple[str, str, str]]:
    """Address and key of the API over a store that holds what the pages name, and the address of that store."""
    create_topics(kafka_bootstrap)
    plant(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    with served_api(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path) as api:
        yield api.url.removeprefix("http://"), api.key, f"{clickhouse_url}/?database={clickhouse_database}"
    assert api.key.strip().split(".")[1] not in api.log.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_curl_of_a_page_is_answered(served: tuple[str, str, str], page: str) -> None:
    address, key, store = served
    written, fewest = PAGES[page]
    assert sum(len(re.findall(r"^curl ", b, re.MULTILINE)) for b in blocks_of(page)) >= fewest
    for block in blocks_of(page):
        assert written in block
        script = PRELUDE + block.replace(written, address)
        script = script.replace(".venv/bin/attribution", f"{sys.executable} -P -m cli")
        script = script.replace("http://127.0.0.1:8123/?database=attribution", store)
        done = subprocess.run(
            ["bash", "-c", script],
            env=os.environ | {"ATTRIBUTION_API_KEY": key, "ATTRIBUTION_WRITE_KEY": key.strip()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert len(done.stdout) > 10, block
