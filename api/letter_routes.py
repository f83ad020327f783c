"""``/api/v1/data/dead-letters``: what was refused and why, and sending it again once the cause is mended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from functools import partial
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Request

from accounts.roles import Role, Scope
from api import letter_report
from api.access import requires
from api.auth_request import caller_of
from api.cursor import decode_position, encode_position
from api.errors import Problem
from api.intake import take
from api.letter_responses import LETTER, DeadLetterPage, DeadLetterShown, RetryIn, RetryOut
from api.letter_store import Place, Retried
from api.parameters import Cursor, Moment, json_only, problems
from api.responses import FieldError
from api.services import Injected, Services
from schemas.codec import EventKind
from schemas.lines import json_row
from schemas.reasons import Reason
from schemas.topics import CUSTOMER_KINDS, topic_of

_KINDS: Final[tuple[EventKind, ...]] = (*CUSTOMER_KINDS, "spend")
_CURSOR: Final = "d"
LetterPlace: TypeAlias = Annotated[
    str, Path(pattern=LETTER, description="PARTITION@OFFSET of the letter.", examples=["2@1047"])
]


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/data", tags=["data"])
    _add_list(router)
    _add_one(router)
    _add_retry(router)
    return router


def _add_list(router: APIRouter) -> None:
    @router.get(
        "/dead-letters",
        operation_id="list_dead_letters",
        summary="Records that were refused",
        responses=problems(422, 503, 504),
    )
    @requires(Role.VIEWER)
    async def list_dead_letters(
        request: Request,
        services: Injected,
        reason: Annotated[Reason | None, Query(description="Only this reason (docs/wire.md).")] = None,
        topic: Annotated[str, Query(max_length=256, description="Only those meant for this topic.")] = "",
        since: Annotated[
            Moment | None, Query(description="Only what failed since then; UTC if it names no zone.")
        ] = None,
        retried: Annotated[
            bool | None, Query(description="Only those that were sent again, or only the others.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Cursor = None,
    ) -> DeadLetterPage:
        """The newest first, from the newest 10,000 records of the topic (by `attribution dlq list`: from all).

        Without key and value. `detail` is there for callers with the scope `customers`.
        """
        after = decode_position(cursor, _CURSOR, int, int, int)
        begin = since if since is None or since.tzinfo is not None else since.replace(tzinfo=UTC)
        found = await services.call(services.letters.newest)
        rows = letter_report.matching(found.rows, reason or "", topic, begin, retried)
        rest = [r for r in rows if after is None or letter_report.position(r) < after]
        page = rest[:limit]
        is_last = len(rest) <= limit
        request.state.rows = len(page)
        is_open = Scope.CUSTOMERS in caller_of(request).scopes
        return DeadLetterPage(
            letters=[letter_report.shown(r, with_detail=is_open) for r in page],
            matching=len(rows),
            looked_at=len(found.rows),
            is_whole=found.is_whole,
            next_cursor=None if is_last else encode_position(_CURSOR, letter_report.position(page[-1])),
        )


def _add_one(router: APIRouter) -> None:
    @router.get(
        "/dead-letters/{letter}",
        operation_id="get_dead_letter",
        summary="One letter whole",
        responses=problems(404, 422, 503, 504),
    )
    @requires(Role.VIEWER, Scope.CUSTOMERS)
    async def get_dead_letter(services: Injected, letter: LetterPlace) -> DeadLetterShown:
        """With headers, key and value as they were sent: text where it is text, else hex."""
        found = await services.call(services.letters.letter, _place(letter))
        if found is None:
            raise _missing([letter])
        return letter_report.whole(found)


def _add_retry(router: APIRouter) -> None:
    @router.post(
        "/dead-letter-retries",
        operation_id="post_dead_letter_retry",
        summary="Send letters again",
        responses=problems(404, 413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ADMIN)
    async def post_dead_letter_retry(services: Injected, asked: RetryIn) -> RetryOut:
        """To the topics that they were meant for, once the cause is mended.

        Events count once by their id, and a letter that was sent is passed over from then on: repeating is harmless.
        With `value` one letter is sent as that JSON object, under the checks of the workers: 422 names the field that
        is still wrong.
        """
        places = [_place(text) for text in asked.letters or ()]
        if asked.value is not None:
            done = await services.call(partial(_retry_as, services, places[0], asked.value, again=asked.again))
        else:
            retry = partial(services.letters.retry, frozenset(places), asked.reason or "", again=asked.again)
            done = await services.call(retry)
        if places and len(done.missing) == len(set(places)):
            raise _missing([str(place) for place in done.missing])
        return letter_report.sent(done)


def _retry_as(services: Services, place: Place, text: str, *, again: bool) -> Retried:
    """Checks the text as the workers would, then sends it.

    Raises:
        Problem: 422, it is no event for the letter's topic.
    """
    found = services.letters.letter(place)
    if found is None:
        return Retried({}, 0, [place])
    kind = _kinds(services).get(found.row.topic)
    if kind is None:
        raise _refused("letters", str(place), f"was meant for {found.row.topic}, which takes no events from here")
    at_ms = found.written_at_ms or int(services.now().timestamp() * 1000)
    taken = take(kind, [(1, json_row(text.encode("utf-8", "surrogatepass")))], services.channel_rules, at_ms)
    if taken.errors:
        error = taken.errors[0]
        raise _refused(f"value.{error.field}".rstrip("."), error.value, f"{error.reason}: {error.detail}")
    (record,) = taken.records
    return services.letters.retry_as(place, record.key, record.value, again=again)


def _kinds(services: Services) -> Mapping[str, EventKind]:
    return {services.topic_named(topic_of(kind).topic): kind for kind in _KINDS}


def _refused(field: str, value: object, reason: str) -> Problem:
    text = value if isinstance(value, str | int | float | bool) or value is None else repr(value)
    return Problem(422, f"{field}: {reason}", errors=[FieldError(field=field, value=text, reason=reason)])


def _missing(places: list[str]) -> Problem:
    return Problem(404, f"No dead letter lies at {', '.join(places)}: retention has removed it, or it never was there.")


def _place(text: str) -> Place:
    partition, _, offset = text.partition("@")
    return Place(int(partition), int(offset))
