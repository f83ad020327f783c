"""The guides build strictly into a site that asks no other host, and in which every link and anchor leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
#: Attributes by which a browser fetches something on its own, by element.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "input": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}


@dataclass
class Found(HTMLParser):
    """What a page fetches, where it leads, which anchors it has, and the text of its paragraphs."""

    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    paragraphs: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    _in_paragraph: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.fetched += [of[name] for name in FETCHED.get(tag, ()) if of.get(name)]
        if tag == "link" and "canonical" not in of.get("rel", ""):
            self.fetched.append(of["href"])
        if tag == "a" and of.get("href"):
            self.links.append(of["href"])
        self.anchors.update(of[name] for name in ("id", "name") if name in of)
        self.classes.update(of.get("class", "").split())
        if tag == "p":
            self._in_paragraph = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._in_paragraph = False

    def handle_data(self, data: str) -> None:
        if self._in_paragraph:
            self.paragraphs[-1] += data


def read(page: Path) -> Found:
    found = Found()
    found.feed(page.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Found]:
    """Every page of the site that the sources give, built as ``make docs`` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    built = subprocess.run(
        [*command, "--site-dir", str(folder)],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr, built.stderr
    pages = {page.resolve(): read(page) for page in folder.rglob("*.html") if page.name != "404.html"}
    assert len(pages) >= 40
    return pages


def folder_of(site: dict[Path, Found]) -> Path:
    return next(page.parent for page in site if page.name == "quickstart.html")


def test_no_page_fetches_anything_from_another_host(site: dict[Path, Found]) -> None:
    for page, found in site.items():
        assert found.fetched, page
        assert not [what for what in found.fetched if urlsplit(what).netloc], page
        assert "mermaid" not in found.classes, f"{page}: mermaid is loaded from a public host; draw an SVG"
    sheets = [path for kind in ("css", "svg") for path in folder_of(site).rglob(f"*.{kind}")]
    assert len(sheets) > 2
    for sheet in sheets:
        outside = re.findall(r"(?:@import|url\(|href=)\s*['\"]?(?:https?:)?//[^\s)'\"]+", sheet.read_text("utf-8"))
        assert not outside, sheet


def test_every_link_and_anchor_leads_somewhere(site: dict[Path, Found]) -> None:
    checked = 0
    for page, found in site.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.name}: {link}"
            if parts.fragment and target in site:
                assert unquote(parts.fragment) in site[target].anchors, f"{page.name}: {link}"
            checked += 1
    assert checked > 1_000


def test_no_list_or_table_is_left_as_text(site: dict[Path, Found]) -> None:
    """The site's Markdown wants an empty line before a list; GitHub's does not."""
    for page, found in site.items():
        for paragraph in found.paragraphs:
            assert not re.search(r"^\s*([*-] |\||\d\. |```|>)", paragraph, re.MULTILINE), (
                f"{page.name}: {paragraph[:200]}"
            )


def test_pictures_are_small_and_say_what_they_show() -> None:
    pictures = sorted((ROOT / "docs" / "img" / "concepts").glob("*.svg"))
    assert len(pictures) >= 6
    for picture in pictures:
        text = picture.read_text(encoding="utf-8")
        assert len(text) < 10_000, picture
        assert re.search(r"<title>[^<]{10,}</title>", text), picture
        assert "prefers-color-scheme: dark" in text, picture


def test_the_rooms_of_the_architecture_page_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    of_contract = {room: n for n, names in enumerate(reversed(layers), 1) for room in names.split(" | ")}
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert {m[1]: int(m[2]) for m in re.finditer(r"^\| `(\w+)/` \| (\d) \|", page, re.MULTILINE)} == of_contract
