"""Every command of the pages is run on a local stack as its reader would, or says beside it why not.

``pytest -s`` prints how many commands and examples were run, and how many are marked.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

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
    return [block for block in BLOCKS[page] if block.is_shell and not block.not_run]


def in_order() -> list[str]:
    found = [page for page in BLOCKS if runnable(page) and page not in FIRST + LAST]
    return [*(page for page in FIRST if runnable(page)), *found, *LAST]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, with the customer and the order that the pages name."""
    with local_stack(tmp_path_factory.mktemp("pages")) as running:
        touch = {"event_id": "t-1", "customer_id": "c-42", "occurred_at": "2026-11-01T09:00:00Z", "channel": "Paid Search"}
        order = {"event_id": "v-1", "customer_id": "c-42", "occurred_at": "2026-11-02T09:00:00Z", "order_id": "o-1001", "value": "100"}
        for kind, event in (("touchpoints", touch), ("conversions", order)):
            sent = httpx.post(
                f"{running.api_url}/api/v1/data/{kind}", json=[event], headers={"X-API-Key": running.key}, timeout=30
            )
            assert sent.status_code == 202, sent.text
        wait_for_results(running, "c-42")
        yield running
        secret = running.key.split(".")[1]
        assert all(secret not in log.read_text("utf-8") for log in (running.folder / "data" / "logs").iterdir())


def wait_for_results(stack: Stack, customer: str) -> list[dict[str, object]]:
    end = time.monotonic() + 60
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
def test_the_commands_of_a_page_run(stack: Stack, page: str) -> None:
    done = stack.run(runnable(page), samples(stack, page))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.stdout


def test_enough_is_run_and_every_reason_names_tests_that_exist() -> None:
    shell = [block for blocks in BLOCKS.values() for block in blocks if block.is_shell]
    run = sum(len(block.commands) for block in shell if not block.not_run)
    marked = sum(len(block.commands) for block in shell if block.not_run)
    print(f"\n{run} commands of {len(BLOCKS)} pages are run here, {marked} are marked")  # noqa: T201 - the figure
    assert run >= 75
    for block in shell:
        for name in re.findall(r"\btests/[\w/.]+", block.not_run):
            assert (ROOT / name).exists(), f"{block.page}:{block.line}: {name}"
