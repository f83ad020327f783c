"""Host names as channel rules see them: parent domains, and the part that an organisation registers.

The registrable part is found by a rule of thumb instead of the public suffix list, which changes weekly: two
labels, or three where the second-last is a common second level (``co``, ``com``, ``org``, …) below a country code.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

_SECOND_LEVEL: Final = frozenset({"co", "com", "org", "net", "gov", "edu", "ac", "or", "ne", "go", "gob", "nom"})


def registrable_host(host: str) -> str:
    """``shop.example.co.uk`` gives ``example.co.uk``; an address or a single label gives itself."""
    labels = host.split(".")
    if len(labels) < 3 or labels[-1].isdigit() or ":" in host:
        return host
    keep = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:])


def is_under(host: str, domains: AbstractSet[str]) -> bool:
    """Whether the host is one of the domains or below one."""
    return not domains.isdisjoint(_parents(host))


def host_names(source: str) -> frozenset[str]:
    """Every name under which a list may know the source: itself, its parent domains, its brand label.

    ``www.google.co.uk`` gives ``{www.google.co.uk, google.co.uk, google}``, among others.
    """
    if "." not in source:
        return frozenset((source,))
    names = _parents(source)
    names.append(registrable_host(source).split(".", 1)[0])
    return frozenset(names)


def _parents(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[i:]) for i in range(max(1, len(labels) - 1))]
