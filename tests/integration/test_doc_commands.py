"""Every command of the pages is run on a local stack as its reader would, or says beside it why not.

``pytest -s`` prints how many commands and examples were run, and how many are marked.
"""

from __future__ import annotations

import csv
import json
import re
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from doc_blocks import ROOT, Block, blocks_of, pages
from doc_stack import Stack, local_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]

BLOCKS = {path.relative_to(ROOT).as_posix(): blocks_of(path) for path in pages()}
#: Events before what reads them, and the run that everybody sees is exchanged last.
FIRST = ("README.md", "docs/quickstart.md", "docs/loadgen.md")
LAST = ("docs/replay.md",)


def runnable(page: str) -> list[Block]:
    return [block for block in BLOCKS[page] if block.is_runnable and not block.not_run]


def in_order() -> list[str]:
    found = [page for page in BLOCKS if runnable(page) and page not in FIRST + LAST]
    return [*(page for page in FIRST if runnable(page)), *found, *LAST]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, with the customer and the order that the pages name."""
    with local_stack(tmp_path_factory.mktemp("pages")) as running:
        touch = {
            "event_id": "t-1",
            "customer_id": "c-42",
            "occurred_at": "2026-11-01T09:00:00Z",
            "channel": "Paid Search",
        }
        order = {
            "event_id": "v-1",
            "customer_id": "c-42",
            "occurred_at": "2026-11-02T09:00:00Z",
            "order_id": "o-1001",
            "value": "100",
        }
        for kind, event in (("touchpoints", touch), ("conversions", order)):
            sent = httpx.post(
                f"{running.api_url}/api/v1/data/{kind}", json=[event], headers={"X-API-Key": running.key}, timeout=30
            )
            assert sent.status_code == 202, sent.text
        wait_for_results(running, "c-42")
        yield running
        secret = running.key.split(".")[1]
        assert all(secret not in log.read_text("utf-8") for log in (running.folder / "data" / "logs").iterdir())


def wait_for_results(stack: Stack, customer: str) -> list[dict[str, Any]]:
    end = time.monotonic() + 120
    while True:
        answer = stack.get(f"/api/v1/attribution/results/{customer}")
        if answer.status_code == 200 and (found := answer.json()["results"]):
            return list(found)
        assert time.monotonic() < end, answer.text
        time.sleep(0.2)


def samples(stack: Stack, page: str) -> Mapping[str, str]:
    """Ids of this stack for those that a page prints."""
    if page == "docs/security.md":
        listed = stack.call("attribution", "key", "create", "--role", "viewer", "--json")
        return {"0123456789abcdef": str(json.loads(listed.stdout)["key"]).split(".")[0]}
    if page == "docs/operations.md":
        letters = stack.call("attribution", "dlq", "list", "--limit", "1", "--json")
        return {"2@1047": str(json.loads(letters.stdout)[0]["letter"])}
    return {}


@pytest.mark.parametrize("page", in_order())
def test_a_page_runs_and_prints_what_it_says(stack: Stack, page: str) -> None:
    """Each line of a ``text`` block is one that the page's commands have printed."""
    done = stack.run(runnable(page), samples(stack, page))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.stdout
    assert page == "docs/security.md" or stack.key not in done.stdout
    if page == "README.md":
        wait_for_results(stack, "ada")
    said = [line for block in BLOCKS[page] if block.language == "text" for line in block.text.splitlines()]
    assert not [line for line in said if line not in done.stdout], done.stdout[-3000:]


def test_the_history_of_the_migration_page_equals_its_file(stack: Stack) -> None:
    """What ``calculate`` wrote for ``credits.csv`` is what the stream holds."""
    with (stack.folder / "credits.csv").open(newline="") as file:
        written = {
            (row["conversion_id"], row["touchpoint_id"]): int(row["value_micros"])
            for row in csv.DictReader(file)
            if row["model"] == "linear"
        }
    found = {
        (str(result["conversion_id"]), credit["touchpoint_id"]): credit["value_micros"]
        for result in wait_for_results(stack, "eve")
        if result["model"] == "linear"
        for credit in result["credits"]
    }
    assert len(written) == 4
    assert found == written


def test_enough_is_run_and_every_reason_names_tests_that_exist() -> None:
    blocks = [block for found in BLOCKS.values() for block in found if block.is_runnable]
    shell = [block for block in blocks if block.is_shell]
    run = sum(len(block.commands) for block in shell if not block.not_run)
    marked = sum(len(block.commands) for block in shell if block.not_run)
    programs = sum(not block.not_run for block in blocks if not block.is_shell)
    print(f"\n{len(BLOCKS)} pages: {run} commands and {programs} programs are run here, {marked} commands are marked")  # noqa: T201
    assert run >= 90
    assert programs >= 7
    for block in blocks:
        for name in re.findall(r"\btests/[\w/]+\.py", block.not_run):
            assert (ROOT / name).exists(), f"{block.page}:{block.line}: {name}"
