"""Takes secrets out of text before it is written: values of this process's settings, and what looks like one.

A net below the rule that secrets are not logged (tests/security/test_source_rules.py): libraries and exceptions say
more than we do. What is taken out becomes ``***``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

HIDDEN: Final = "***"

#: Settings that hold a secret, by their name.
_SECRET_NAME: Final = re.compile(r"PASSWORD|SECRET|TOKEN(?!_)|PEPPER|API_KEY|CREDENTIAL", re.IGNORECASE)
#: Shorter values would be taken out of innocent words.
_SHORTEST: Final = 6

_IN_URL: Final = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/?#@]*:)[^\s@/]+(?=@)", re.IGNORECASE)
#: What may stand between a name and its value: a colon and quotes, those of bytes included.
_TO_VALUE: Final = r"['\"]?\s*[=:,]\s*(?:b(?=['\"]))?['\"]?"
_SCHEME: Final = re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[^\s'\",;]{4,}", re.IGNORECASE)
_HEADER: Final = re.compile(
    rf"(?P<before>\b(?:(?:proxy-)?authorization|x-(?:api|clickhouse)-key|cookie){_TO_VALUE})"
    r"(?!bearer|basic)[^\s'\",;]{4,}",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    rf"(?P<before>\b[\w.-]*(?:password|passwd|secret|pepper|api_?key|access_?token){_TO_VALUE})[^\s'\",;&)}}\]]+",
    re.IGNORECASE,
)
_PATTERNS: Final = (_IN_URL, _SCHEME, _HEADER, _NAMED)


class Redactor:
    """Hides secrets in text.

    Args:
        secrets: exact texts to hide, whatever surrounds them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # the longest first: one may be part of another
        found = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._exact = re.compile("|".join(map(re.escape, found))) if found else None

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Redactor:
        """Knows the values of all variables that are named like a secret, and passwords in URLs."""
        secrets = [value for name, value in environment.items() if _SECRET_NAME.search(name)]
        for value in environment.values():
            found = re.search(r"://[^\s:/?#@]*:([^\s@/]+)@", value)
            if found:
                secrets += [found[1], unquote(found[1])]
        return cls(secrets)

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._exact is not None:
            text = self._exact.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(lambda match: f"{match['before']}{HIDDEN}", text)
        return text
