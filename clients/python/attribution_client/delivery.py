"""One batch to the service: what is confirmed and what is refused, as soon as each is known.

A body that the service cannot take as a whole (400, 413, 415, 422 without rows) is halved until the event at fault is
alone. Every other failure is the caller's: the events stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

from attribution_client.batching import Queued, Rejected
from attribution_client.models.data import Ingested
from attribution_client.problems import InvalidInput, Problem

#: Sends the lines of one kind of event.
Post: TypeAlias = Callable[[str, bytes], Ingested]
_ROW: Final = re.compile(r"events\.(\d+)\.?(.*)")


class Settled(NamedTuple):
    """A front of the batch that needs no more attempts, and those of it that were refused."""

    events: list[Queued]
    rejected: list[Rejected]


def deliver(batch: list[Queued], post: Post) -> Iterator[Settled]:
    """Send it.

    Raises:
        AttributionError: as the client does; what was not yielded before is not delivered.
    """
    try:
        answer = post(batch[0].kind, b"\n".join(event.line for event in batch))
    except InvalidInput as problem:
        if (rejected := _rows(batch, problem)) is not None:
            yield Settled(batch, rejected)
            return
        if len(batch) == 1:
            yield Settled(batch, [Rejected(batch[0], "", f"http_{problem.status}", problem.detail)])
            return
        middle = len(batch) // 2
        yield from deliver(batch[:middle], post)
        yield from deliver(batch[middle:], post)
        return
    errors = [Rejected(batch[e.index], e.field, e.reason, e.detail) for e in answer.errors if e.index < len(batch)]
    yield Settled(batch, errors)


def _rows(batch: list[Queued], problem: Problem) -> list[Rejected] | None:
    """Each event with its reason, where the problem names all of them."""
    found: dict[int, Rejected] = {}
    for error in problem.errors:
        if (match := _ROW.fullmatch(error.field)) and int(match[1]) < len(batch):
            reason, _, detail = error.reason.partition(": ")
            found.setdefault(int(match[1]), Rejected(batch[int(match[1])], match[2], reason, detail))
    return [found[i] for i in range(len(batch))] if len(found) == len(batch) else None
