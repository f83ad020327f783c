"""The code blocks of the Markdown pages, and what a comment before one says about running it.

A block is fenced, or indented by four spaces. One comment may stand before it::

    <!-- not run: reason, and the test that runs it elsewhere -->
    <!-- run: Ctrl-C after 4 s -->
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = frozenset({"sh", "bash", "shell", "console"})
#: First words by which an unlabelled block is known to hold commands.
COMMANDS = frozenset(
    re.findall(
        r"[^ ]+",
        "attribution make curl export python python3 pip npm pytest docker kubectl helm promtool uv git aws "
        ".venv/bin/attribution .venv/bin/python .venv/bin/pytest",
    )
)

_FENCE = re.compile(
    r"^(?P<fence>`{3,}) *(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=fence) *$", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4}[^\n]*\n)(?:(?: {4}[^\n]*)?\n)*")
_COMMENT = re.compile(r"<!-- *(?P<verb>not run|run): *(?P<rest>(?:(?!-->).)+?) *-->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block: where it stands, its language (``""``: none given), its text, and its comment."""

    page: str
    line: int
    language: str
    text: str
    not_run: str = ""
    run: str = ""

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands: by its language, or by its first words when it has none."""
        if self.language:
            return self.language in SHELL
        return any(_first_word(line) in COMMANDS for line in self.text.splitlines())

    @property
    def is_runnable(self) -> bool:
        """Whether it wants a stack: commands, a Python program, SQL."""
        return self.is_shell or self.language in {"python", "sql"}

    @property
    def commands(self) -> list[str]:
        """Its commands, one per entry, whatever lines each takes. Those of a console block begin with ``$``."""
        lines = self.text.splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found: list[str] = []
        open_lines: list[str] = []
        for line in lines:
            open_lines.append(line)
            text = "\n".join(open_lines)
            if _is_whole(text):
                found += [text] if shlex.split(text, comments=True) else []
                open_lines = []
        if open_lines:
            raise ValueError(f"{self.page}:{self.line}: a quote is left open: {open_lines[0]}")
        return found


def pages() -> list[Path]:
    """Every page that people read: the README, the guides, those of the clients."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "clients").glob("*/README.md"))]


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    return blocks_in(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())


def blocks_in(text: str, page: str) -> list[Block]:
    """The blocks of a text, in order."""
    found = [(m.start(), m["language"], m["text"]) for m in _FENCE.finditer(text)]
    fenceless = _FENCE.sub(lambda m: re.sub(r"[^\n]", "\0", m[0]), text)
    indented = [m for m in _INDENTED.finditer(fenceless) if not _in_list(fenceless[: m.start()])]
    found += [(m.start(), "", re.sub(r"^ {4}", "", m[0], flags=re.MULTILINE)) for m in indented]
    return [_block(page, text, start, language, body) for start, language, body in sorted(found)]


def _block(page: str, text: str, start: int, language: str, body: str) -> Block:
    comment = _COMMENT.search(text, 0, start)
    said = {comment["verb"].replace(" ", "_"): " ".join(comment["rest"].split())} if comment else {}
    return Block(page, text.count("\n", 0, start) + 1, language, body, **said)


def _in_list(before: str) -> bool:
    """Whether the text before ends in a list, whose continuation an indented line is."""
    last = before.rstrip().rpartition("\n\n")[2]
    return bool(re.match(r" {0,3}([*+-]|\d+\.) ", last))


def _first_word(line: str) -> str:
    words = line.split()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    return words[0] if words else ""


def _is_whole(text: str) -> bool:
    if text.endswith("\\"):
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True
