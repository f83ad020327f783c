r"""Just enough reading of ClickHouse SQL to serve it over HTTP, without parsing it.

``read(text)`` tells what kind of statement a request holds, where the data of an INSERT begin, and in which formats
data come and go. It works on bytes since binary data may follow; quotes, comments and heredocs are skipped as the
engine skips them.

Raises ``StatementError`` with ClickHouse's own code: nothing to run, several statements, or refused by this stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNTAX_ERROR: Final = 62
NOT_IMPLEMENTED: Final = 48
BAD_ARGUMENTS: Final = 36

#: A Kafka table throws inside chDB, and after that the data directory cannot be opened again.
FORBIDDEN_ENGINES: Final = frozenset({b"KAFKA"})

_TOKEN: Final = re.compile(
    rb"""
      (?P<skip>\s+|--[^\n]*|\#[\ !][^\n]*|/\*.*?\*/)
    | (?P<text>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
    | (?P<word>[A-Za-z_\x80-\xff][\w\x80-\xff]*)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
#: What the engine skips between a format's name and its data: blanks, then one line end.
_BEFORE_DATA: Final = re.compile(rb"[ \t\f]*(?:\r?\n)?")
_DEFINITIONS: Final = frozenset({b"CREATE", b"ATTACH", b"REPLACE"})
_QUERIES: Final = frozenset(
    {b"SELECT", b"WITH", b"FROM", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK", b"KILL"}
)
#: These leave a session as it was: no setting, current database or temporary table comes or goes.
_LEAVE_SESSION: Final = _QUERIES | {b"INSERT", b"ALTER", b"TRUNCATE", b"OPTIMIZE"}
#: Longer texts, and those that bring data, are read each time.
_SHORT: Final = 16_384


class StatementError(ValueError):
    """A statement refused before the engine sees it; ``code`` is ClickHouse's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    For an INSERT that brings data, ``data_format`` names their format, ``text`` ends before ``FORMAT`` or ``VALUES``
    and the data begin at byte ``data_at``. Else ``text`` is the whole and ``output_format`` its FORMAT clause
    (``""``: none). ``returns_rows``: it answers with a result, perhaps an empty one. ``leaves_session``: it changes
    nothing that the next statement of its session would see.
    """

    text: str
    data_format: str = ""
    data_at: int = 0
    output_format: str = ""
    returns_rows: bool = False
    leaves_session: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    word: bytes  # upper case, so that keywords compare
    start: int
    end: int
    depth: int

    def is_word(self, *words: bytes) -> bool:
        """True for one of these unquoted words outside all brackets."""
        return self.depth == 0 and self.kind == "word" and self.word in words


def read(text: bytes) -> Statement:
    """The one statement in ``text``. Programs ask the same again and again: what was read is remembered.

    Raises:
        StatementError: Empty, several statements, not UTF-8, or refused by this stack.
    """
    if len(text) > _SHORT or text[:32].lstrip()[:6].upper() == b"INSERT":
        return _read(text)
    return _remembered(text)


def _read(text: bytes) -> Statement:
    seen: list[_Token] = []
    brings_data = False
    for token in _tokens(text):
        if seen and seen[-1].word == b";":
            raise StatementError(SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed")
        seen.append(token)
        if len(seen) == 1:
            brings_data = token.is_word(b"INSERT")
        elif brings_data and len(seen) > 3 and seen[-2].word != b".":  # behind INSERT INTO <name>
            if token.is_word(b"SELECT", b"WITH", b"INFILE"):
                brings_data = False
            elif token.is_word(b"VALUES"):
                return Statement(_decoded(text[: token.start]), "Values", token.end, leaves_session=True)
            elif len(seen) > 4 and seen[-2].is_word(b"FORMAT") and token.kind == "word":
                gap = _BEFORE_DATA.match(text, token.end)
                data_at = gap.end() if gap else token.end
                before, form = _decoded(text[: seen[-2].start]), _decoded(text[token.start : token.end])
                return Statement(before, form, data_at, leaves_session=True)
    if not seen or seen[0].word == b";":
        raise StatementError(SYNTAX_ERROR, "Syntax error: Empty query")
    _refuse(seen)
    verb = next((token.word for token in seen if token.kind == "word"), b"")
    return Statement(
        _decoded(text),
        output_format=_output_format(text, seen),
        returns_rows=verb in _QUERIES,
        leaves_session=verb in _LEAVE_SESSION,
    )


_remembered = lru_cache(maxsize=512)(_read)


def _tokens(text: bytes) -> Iterator[_Token]:
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "tag":  # a heredoc: its inner group is the last one that matched
            kind = "text"
        if kind == "skip":
            continue
        depth -= kind == "close"
        yield _Token(kind, b"" if kind == "text" else match[0].upper(), match.start(), match.end(), depth)
        depth += kind == "open"


def _output_format(text: bytes, tokens: list[_Token]) -> str:
    """The name behind the FORMAT clause: only ``SETTINGS ...`` or the end may follow it."""
    last = len(tokens) - (tokens[-1].word == b";")
    settings = next((i for i in range(last - 1, 0, -1) if tokens[i].is_word(b"SETTINGS")), last)
    for end in (last, settings):
        if end >= 3 and tokens[end - 2].is_word(b"FORMAT") and tokens[end - 1].kind == "word":
            return _decoded(text[tokens[end - 1].start : tokens[end - 1].end])
    return ""


def _refuse(tokens: list[_Token]) -> None:
    """Refuse what the engine would take and this stack cannot bear."""
    if tokens[0].word in _DEFINITIONS:
        for before, between, token in zip([tokens[0], *tokens], tokens, tokens[1:], strict=False):
            names_engine = between.word == b"ENGINE" or (between.word == b"=" and before.word == b"ENGINE")
            if names_engine and token.word.strip(b'`"') in FORBIDDEN_ENGINES:
                raise StatementError(
                    NOT_IMPLEMENTED,
                    "a table with the Kafka engine would make this data directory unreadable; "
                    "let a worker write to ClickHouse, or use a ClickHouse server",
                )
    if tokens[0].word == b"INSERT" and any(a.word == b"INPUT" and b.word == b"(" for a, b in pairwise(tokens)):
        raise StatementError(
            NOT_IMPLEMENTED, "INSERT ... SELECT ... FROM input() is not served; insert the rows directly"
        )


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise StatementError(BAD_ARGUMENTS, f"the statement is not UTF-8 at byte {error.start}") from error
