"""The TypeScript client: compiled under strict types, and run by node against the served API, examples included."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clickhouse.settings import ClickHouseSettings
from node_packages import installed
from served_api import Served, plant, served_api
from stream_app.topics import create_topics

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

CLIENTS = Path(__file__).parents[2] / "clients"
SOURCE = CLIENTS / "typescript"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its tests and the examples of its page, generated and compiled outside the tree."""
    folder = tmp_path_factory.mktemp("clients") / "typescript"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "schema.ts"))
    shutil.copy(CLIENTS / "openapi.json", folder.parent)
    (folder / "node_modules").symlink_to(installed(SOURCE) / "node_modules")
    examples = re.findall(r"```ts\n(.*?)```", (SOURCE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 3
    for number, example in enumerate(examples):
        text = example.replace('"realtime-attribution-client"', '"../src/index.js"')
        (folder / "test" / f"example{number}.ts").write_text(text, encoding="utf-8")
    done = subprocess.run(["npm", "run", "build"], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def api(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[Served]:
    create_topics(kafka_bootstrap)
    plant(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    with served_api(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path) as served:
        yield served


def run(api: Served, folder: Path, *words: str) -> str:
    environment = os.environ | {"ATTRIBUTION_API_URL": api.url, "ATTRIBUTION_API_KEY": api.key}
    done = subprocess.run(
        ["node", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_tests_and_the_examples_of_its_page(built: Path, api: Served) -> None:
    tests = sorted(str(path.relative_to(built)) for path in built.glob("dist/test/*.test.js"))
    said = run(api, built, "--test", "--test-reporter=tap", *tests)
    counts = {name: int(n) for name, n in re.findall(r"^# (tests|pass|fail|skipped|todo) (\d+)$", said, re.MULTILINE)}
    assert counts["tests"] == counts["pass"] >= 16, said
    examples = sorted(built.glob("dist/test/example*.js"))
    assert examples
    for example in examples:
        assert run(api, built, str(example))


def test_it_has_no_dependency_at_run_time() -> None:
    package = (SOURCE / "package.json").read_text(encoding="utf-8")
    assert '"dependencies"' not in package
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') >= 3
