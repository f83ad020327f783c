"""``attribution dlq list | show | retry``: what was refused and why, and sending it again once the cause is mended."""

from __future__ import annotations

import heapq
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from stream_app.dead_letter_topic import DeadLetterReader, Letter
    from stream_app.settings import WorkerSettings

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Reason = Annotated[str, typer.Option(help="Only this reason; see docs/wire.md.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Dead letters: records that were refused.", no_args_is_help=True)
    group.command("list")(list_letters)
    group.command("show")(show)
    group.command("retry")(retry)
    app.add_typer(group, name="dlq")


def list_letters(
    reason: Reason = "",
    topic: Annotated[str, typer.Option(help="Only of this source topic.")] = "",
    since: Annotated[str, typer.Option(help="Only what failed since then: 30m, 6h, 2d, or an ISO time.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first, without personal data."""
    from stream_app.dead_letter_headers import Origin

    _known(reason)
    begin = _since(since)
    retried: set[Origin] = set()
    counts = [0]

    def wanted(item: Letter) -> bool:
        found = item.summary()
        fits = reason in ("", found["reason"]) and topic in ("", found["topic"]) and found["failed_at"] >= begin
        counts[0] += fits
        return fits

    def rows() -> Any:
        for item in _reader().read():
            if isinstance(item, Origin):
                retried.add(item)
            elif wanted(item):
                yield item.summary()["failed_at"], item.partition, item.offset, item

    newest = [entry[-1] for entry in _or_fail(lambda: heapq.nlargest(limit, rows(), key=itemgetter(0, 1, 2)))]
    found = [{**letter.summary(), "retried": letter.origin in retried} for letter in newest]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    line = "{:<12} {:<24} {:<18} {:<16} {:>8} {:<8} {}"
    print(line.format("letter", "failed at", "reason", "field", "attempts", "retried", "origin"))
    for row in found:
        origin = f"{row['topic']}-{row['partition']}@{row['offset']}"
        done = "yes" if row["retried"] else "no"
        shown = (row["letter"], row["failed_at"][:23], row["reason"], row["field"], row["attempts"], done, origin)
        print(line.format(*shown))
    print(f"{len(found)} of {counts[0]}")


def show(
    letter: Annotated[str, typer.Argument(help="PARTITION@OFFSET, as `dlq list` prints it.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter whole: headers, key and value. That is personal data."""
    found = _or_fail(lambda: _reader().letter(*_place(letter)))
    content = {
        "letter": found.place,
        "headers": {name: _shown(value) for name, value in found.headers},
        "key": _shown(found.key),
        "value": _shown(found.value),
    }
    print("key and value may be personal data: do not paste them into tickets or chats", file=sys.stderr)
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for name, value in content["headers"].items():
        print(f"{name}: {value}")
    print(f"key:   {content['key']}\nvalue: {content['value']}")


def retry(
    letters: Annotated[list[str] | None, typer.Argument(help="PARTITION@OFFSET …")] = None,
    reason: Reason = "",
    is_all: Annotated[bool, typer.Option("--all", help="Every letter.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also letters that were sent again before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
) -> None:
    """Send dead letters to their source topics again, unchanged, once the cause is mended. Safe to repeat."""
    from stream_app.redrive import Redrive

    if bool(letters) + bool(reason) + is_all != 1:
        _fail("say which: PARTITION@OFFSET …, or --reason REASON, or --all", 2)
    _known(reason)
    places = {_place(text) for text in letters or ()}
    for place in sorted(places):
        _or_fail(lambda place=place: _reader().letter(*place))  # type: ignore[misc]  # bound now

    def wanted(letter: Letter) -> bool:
        if places:
            return (letter.partition, letter.offset) in places
        return is_all or letter.summary()["reason"] == reason

    settings = _settings()
    redrive = Redrive(settings.bootstrap_servers, settings.dead_letter_topic)
    outcome = _or_fail(lambda: redrive.retry(wanted, again=again, dry_run=dry_run))
    words = "would be sent" if dry_run else "sent"
    for topic, count in sorted(outcome.sent.items()):
        print(f"{topic}: {count} {words} again")
    print(f"{outcome.total} {words} again, {outcome.already_sent} passed over (sent again before; --again forces)")


def _settings() -> WorkerSettings:
    from pydantic import ValidationError

    from stream_app.settings import WorkerSettings
    from stream_app.settings_errors import explain

    try:
        return WorkerSettings()
    except ValidationError as error:
        _fail(explain(error, WorkerSettings), 2)


def _reader() -> DeadLetterReader:
    from stream_app.dead_letter_topic import DeadLetterReader

    settings = _settings()
    return DeadLetterReader(settings.bootstrap_servers, settings.dead_letter_topic)


def _or_fail(action: Callable[[], Any]) -> Any:
    from stream_app.dead_letter_topic import DeadLetterTopicError
    from stream_app.redrive import RetryError

    try:
        return action()
    except (DeadLetterTopicError, RetryError) as error:
        _fail(str(error), 1)


def _place(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})@(\d{1,18})", text)
    if found is None:
        _fail(f"{text!r}: a letter is PARTITION@OFFSET, for example 0@17; `attribution dlq list` prints them", 2)
    return int(found[1]), int(found[2])


def _known(reason: str) -> None:
    from schemas.reasons import REASONS

    if reason and reason not in REASONS:
        _fail(f"--reason {reason!r}: reasons are {', '.join(REASONS)}", 2)


def _since(text: str) -> str:
    """The time as the headers hold it; texts of one form compare like times."""
    if not text:
        return ""
    if found := re.fullmatch(r"(\d{1,5})([mhd])", text):
        at = datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            _fail(f"--since {text!r}: 30m, 6h, 2d, or an ISO time such as 2026-10-01T12:00:00Z", 2)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: bytes | None) -> str:
    """Text where it is text, else hex."""
    if value is None:
        return "(none)"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"hex {value.hex()}"
    return text if text.isprintable() else f"hex {value.hex()}"


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
