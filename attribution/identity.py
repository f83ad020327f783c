"""Who is whom: links of a former id to the id that survives it, and what any set of them amounts to.

A set of links is all there is: ``resolve_links`` is a pure function of it, so everybody who knows the same links
agrees, whatever order they were learnt in. Links count in ``(at_us, event_id)`` order. Each says that ``previous_id``
and ``customer_id`` are one person, and makes the survivor of ``customer_id`` the survivor of both; chains end at the
last id. A link between ids that are one person already changes nothing; one that would make an id a former id of
itself (its survivor was merged into it before) is refused. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Link(NamedTuple):
    """``previous_id`` is a former id of the person that ``customer_id`` names. Sorts by ``(at_us, event_id)``."""

    at_us: int
    event_id: str
    previous_id: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Identities:
    """``survivors`` maps every linked id, survivors included, to its survivor; ``refused`` are links of a cycle."""

    survivors: Mapping[str, str]
    refused: tuple[Link, ...] = ()

    def survivor(self, customer_id: str) -> str:
        """The id under which a customer's conversions are written: its own if nothing links it."""
        return self.survivors.get(customer_id, customer_id)


def resolve_links(links: Iterable[Link]) -> Identities:
    """What links amount to, in any order and however often each is given."""
    survivors: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    followed: dict[str, list[str]] = {}
    refused: list[Link] = []
    for link in sorted(set(links)):
        for name in (link.previous_id, link.customer_id):
            if name not in survivors:
                survivors[name] = name
                members[name] = [name]
        former, survivor = survivors[link.previous_id], survivors[link.customer_id]
        if former == survivor:
            if _leads(followed, link.customer_id, link.previous_id):
                refused.append(link)
            continue
        followed.setdefault(link.previous_id, []).append(link.customer_id)
        for name in members.pop(former):
            survivors[name] = survivor
            members[survivor].append(name)
    return Identities(survivors, tuple(refused))


def _leads(followed: Mapping[str, list[str]], start: str, goal: str) -> bool:
    """Whether accepted links lead from one id to another."""
    seen, todo = {start}, [start]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        for following in followed.get(name, ()):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return False
