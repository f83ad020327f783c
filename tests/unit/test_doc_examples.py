"""Examples of the pages that need no stack: sessions are doctests, the other Python compiles, data parses."""

from __future__ import annotations

import ast
import doctest
import json

import pytest
import yaml

from doc_blocks import ROOT, Block, blocks_in, blocks_of, pages

BLOCKS = [block for path in pages() for block in blocks_of(path)]
SESSIONS = sorted({block.page for block in BLOCKS if block.language == "pycon"})


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", SESSIONS)
def test_the_sessions_of_a_page_answer_as_it_says(page: str) -> None:
    """In order, in one namespace, as a reader types them."""
    text = "\n".join(block.text for block in blocks_of(ROOT / page) if block.language == "pycon")
    session = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    told: list[str] = []
    found = doctest.DocTestRunner(verbose=False).run(session, out=told.append)
    assert found.failed == 0, "".join(told)
    assert found.attempted >= 5


def test_the_models_page_has_a_session_with_every_model() -> None:
    from attribution import AttributionModelFactory  # noqa: PLC0415 - the one test that needs it

    text = "\n".join(block.text for block in blocks_of(ROOT / "docs/models.md") if block.language == "pycon")
    shown = {model for model in AttributionModelFactory.available_models() if f'"{model}"' in text}
    assert shown == set(AttributionModelFactory.available_models()) - {"data_driven"}
    assert "markov.fit(" in text
    assert "shapley.fit(" in text


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=named)
def test_other_python_compiles(block: Block) -> None:
    ast.parse(block.text, named(block))


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=named)
def test_yaml_parses(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json" and "…" not in b.text], ids=named)
def test_json_parses(block: Block) -> None:
    assert json.loads(block.text)


def test_commands_are_found_with_and_without_a_label_and_a_comment_belongs_to_one_block() -> None:
    page = (
        "Text.\n\n<!-- not run: takes\nan hour -->\n```sh\nmake bench\n```\n\n"
        "    X=1 attribution worker \\\n      --run a\n\n* item\n\n    make me not\n\n```\nplain\n```\n\n"
        "<!-- run: Ctrl-C after 3 s -->\n```console\n$ attribution tail # it's\nout\n```\n"
    )
    found = blocks_in(page, "page.md")
    assert [(b.line, b.is_shell, b.not_run, b.run) for b in found] == [
        (5, True, "takes an hour", ""),
        (9, True, "", ""),
        (16, False, "", ""),
        (21, True, "", "Ctrl-C after 3 s"),
    ]
    assert [b.commands for b in found if b.is_shell] == [
        ["make bench"],
        ["X=1 attribution worker \\\n  --run a"],
        ["attribution tail # it's"],
    ]
