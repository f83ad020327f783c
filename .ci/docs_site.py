"""MkDocs hook: pages that live beside the code, links that lead out of ``docs/``, the list of decisions.

Links in the sources are those of a checkout, so that they work where the files are read. On the site, pages of other
folders stand under the names of ``ELSEWHERE``, and any other file of the repository that a page links to is copied to
``repository/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
#: Page of the site: its file in the repository.
ELSEWHERE = {
    "clients/python.md": "clients/python/README.md",
    "clients/typescript.md": "clients/typescript/README.md",
    "changelog.md": "CHANGELOG.md",
}
#: Made from the files beside it; a link to the folder leads to it.
DECISIONS = "adr/index.md"

_SITE = {source: page for page, source in ELSEWHERE.items()}
_CODE = re.compile(r"^```.*?^```[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
#: A block with text right behind it, which GitHub reads and the site's Markdown takes for one paragraph with a table.
_TIGHT = re.compile(r"(^```.*?^``` *\n)(?=\S)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision behind the list of them."""
    config.nav = _with_decisions(config.nav)
    return config


def _with_decisions(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_with_decisions(item) for item in entry]
    if isinstance(entry, dict):
        return {title: _with_decisions(item) for title, item in entry.items()}
    return [entry, *(f"adr/{path.name}" for path in _decisions())] if entry == DECISIONS else entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of other folders and the files that pages link to."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, DECISIONS, content=_index()))
    linked: set[str] = set()
    for file in files.documentation_pages():
        linked.update(_targets(file.content_string, file.src_uri))
    for target in sorted(t for t in linked if not t.startswith("docs/") and t not in _SITE):
        if (ROOT / target).is_file():
            files.append(File.generated(config, _published(target), abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of a checkout those of the site; one that leads nowhere stays, and the strict build names it."""
    del config
    here = page.file.src_uri

    def on_site(found: re.Match[str]) -> str:
        target = _resolved(found[0], here)
        if target == "docs/adr":
            target = f"docs/{DECISIONS}"
        uri = target.removeprefix("docs/") if target.startswith("docs/") else _SITE.get(target, _published(target))
        return relpath(uri, Path(here).parent.as_posix()) if target and files.get_file_from_path(uri) else found[0]

    return _outside_code(_TIGHT.sub(r"\1\n", markdown), on_site)


def _published(target: str) -> str:
    """Where a file of the repository stands on the site, which leaves out names that begin with a dot."""
    return f"repository/{target}".replace("/.", "/")


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def _index() -> str:
    lines = [
        "# Decisions",
        "",
        "Choices that hurt to undo, one page each: what was found, what was decided, what follows.",
        "",
    ]
    for path in _decisions():
        number, title = re.match(r"# (\d+)\. (.+)", path.read_text(encoding="utf-8")).groups()  # type: ignore[union-attr]
        lines.append(f"* [{int(number)}. {title}]({path.name})")
    return "\n".join(lines)


def _targets(markdown: str, here: str) -> set[str]:
    found: set[str] = set()

    def note(link: re.Match[str]) -> str:
        found.add(_resolved(link[0], here))
        return link[0]

    _outside_code(markdown, note)
    return found - {""}


def _resolved(link: str, here: str) -> str:
    """Path in the repository that a page's link means; empty for addresses."""
    if ":" in link:
        return ""
    folder = Path(ELSEWHERE.get(here, f"docs/{here}")).parent.as_posix()
    return normpath(f"{folder}/{link}")


def _outside_code(markdown: str, change: Any) -> str:
    parts, at = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_LINK.sub(change, markdown[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, _LINK.sub(change, markdown[at:])])
