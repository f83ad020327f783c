"""``attribution tail``: new conversions as they are attributed, over the API's stream."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cli.api_access import Json, Url, api, as_json

if TYPE_CHECKING:
    from attribution_client import LiveEvent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tail)


def tail(
    since: Annotated[str, typer.Option(help="Go on behind this id, which --json shows [default: from now on].")] = "",
    most: Annotated[int, typer.Option("--limit", min=0, help="End after so many; 0: on Ctrl-C.")] = 0,
    url: Url = "",
    as_json_: Json = False,
) -> None:
    """Follow new conversions until Ctrl-C, over broken connections. --json: one object a line."""
    with suppress(KeyboardInterrupt), api(url) as client:
        for event in islice(client.stream_conversions(last_event_id=since), most or None):
            line = as_json({"id": event.id, "event": event.event, "data": event.data}) if as_json_ else _text(event)
            print(line, flush=True)


def _text(event: LiveEvent) -> str:
    plain = [f"{name}={value}" for name, value in event.data.items() if not isinstance(value, list | dict)]
    return "  ".join(plain if event.event == "conversion" else [f"[{event.event}]", *plain])
