"""Dead letters for the API: ``api.letter_store.Letters`` over the dead-letter topic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from api.letter_store import LetterRow, LetterRows, Place, Retried, WholeLetter
from api.store import Unavailable
from stream_app.dead_letter_headers import Origin, as_text
from stream_app.dead_letter_topic import DeadLetterReader, DeadLetterTopicError, Letter, NoSuchLetterError
from stream_app.redrive import Outcome, Redrive, RetryError
from stream_app.settings import WorkerSettings

T = TypeVar("T")
#: Records that one look takes, over all partitions.
NEWEST: Final = 10_000
#: Less than a request may take.
_TIMEOUT_S: Final = 5.0


class LetterBox:
    """The letters of one workspace; a connection per call, since calls are rare."""

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace

    @cached_property
    def _where(self) -> tuple[str, str]:
        """Broker and topic, read when they are needed: a worker's wrong setting does not stop the API."""
        try:
            settings = WorkerSettings.model_validate({"ATTRIBUTION_WORKSPACE": self._workspace})
        except ValidationError as error:
            raise Unavailable("kafka", "the settings of workers cannot be used; see `attribution dlq list`") from error
        return settings.bootstrap_servers, settings.dead_letter_topic

    def newest(self) -> LetterRows:
        """Letters among the newest records."""
        return _told(self._newest)

    def _newest(self) -> LetterRows:
        rows: list[LetterRow] = []
        retried: set[Origin] = set()
        found = self._reader().tail(NEWEST)
        for item in found.items:
            if isinstance(item, Origin):
                retried.add(item)
            else:
                rows.append(_row(item))
        return LetterRows(
            [r._replace(retried=Origin(r.topic, r.partition, r.offset) in retried) for r in rows], found.is_whole
        )

    def letter(self, place: Place) -> WholeLetter | None:
        """One letter whole."""
        found = self._find(place)
        if found is None:
            return None
        written_at = as_text(found.headers).get("dlq.timestamp", "")
        at_ms = int(written_at) if written_at.isdecimal() else 0
        return WholeLetter(_row(found), found.key, found.value, found.headers, at_ms)

    def retry(self, places: frozenset[Place], reason: str, *, again: bool) -> Retried:
        """Send letters again as they came."""
        seen: set[Place] = set()

        def wanted(letter: Letter) -> bool:
            place = Place(letter.partition, letter.offset)
            if place in places:
                seen.add(place)
            return place in places if places else letter.summary()["reason"] == reason

        done: Outcome = _told(lambda: self._redrive().retry(wanted, again=again))
        return Retried(done.sent, done.already_sent, sorted(places - seen))

    def retry_as(self, place: Place, key: bytes | None, value: bytes, *, again: bool) -> Retried:
        """Send one letter again as something else."""
        found = self._find(place)
        if found is None:
            return Retried({}, 0, [place])
        done: Outcome = _told(lambda: self._redrive().retry_as(found, key, value, again=again))
        return Retried(done.sent, done.already_sent, [])

    def _find(self, place: Place) -> Letter | None:
        try:
            found: Letter = _told(lambda: self._reader().letter(*place))
        except NoSuchLetterError:
            return None
        return found

    def _reader(self) -> DeadLetterReader:
        return DeadLetterReader(*self._where, timeout_s=_TIMEOUT_S)

    def _redrive(self) -> Redrive:
        return Redrive(*self._where, timeout_s=_TIMEOUT_S)


def _told(action: Callable[[], T]) -> T:
    """The answer, or the trouble in the API's words."""
    try:
        return action()
    except NoSuchLetterError:
        raise
    except DeadLetterTopicError as error:
        raise Unavailable("kafka", "the dead letters cannot be read now") from error
    except RetryError as error:
        raise Unavailable("kafka", "not all letters were sent again; those that were are marked") from error


def _row(letter: Letter) -> LetterRow:
    text, found = as_text(letter.headers), letter.summary()
    return LetterRow(
        Place(letter.partition, letter.offset),
        *letter.origin,
        reason=found["reason"],
        field=found["field"],
        detail=text.get("dlq.detail", ""),
        stage=text.get("dlq.stage", ""),
        failed_at=_moment(found["failed_at"]),
        attempts=found["attempts"],
        retry_of=found["retry_of"],
        retried=False,
    )


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
