"""Prints the entries of a lock file, hashes included, whose names are listed in other files.

    python select_locked.py requirements.lock packages.txt [more.txt …]

The lock holds everything that development needs; an image takes its part, in the same versions. A name that is not
locked ends it with exit code 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

_ENTRY = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?:.*\\\n)*.*\n", re.MULTILINE)


def names_in(text: str) -> set[str]:
    """The names of a list: one a line, ``#`` begins a comment."""
    return {line.split("#")[0].strip() for line in text.splitlines()} - {""}


def selected(lock: str, names: Iterable[str]) -> list[str]:
    """The entries of these names; one name may have several, for several Pythons.

    Raises:
        ValueError: a name is not locked.
    """
    found = [(match["name"], match[0]) for match in _ENTRY.finditer(lock)]
    missing = set(names) - {name for name, _ in found}
    if missing:
        raise ValueError(f"not in the lock: {', '.join(sorted(missing))}; take them out of the list, or run make lock")
    return [entry for name, entry in found if name in set(names)]


def main() -> int:
    """Print, or say what is missing."""
    lock, *lists = (Path(argument).read_text(encoding="utf-8") for argument in sys.argv[1:])
    try:
        sys.stdout.writelines(selected(lock, set[str]().union(*map(names_in, lists))))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
