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
    model: Annotated[str, typer.Option(help="Whose credits \\[default: the service's].")] = "",
    conversion_type: Annotated[str, typer.Option("--type", help="Only this type of conversion.")] = "",
    channel: Annotated[str, typer.Option(help="Only what this channel has a credit of.")] = "",
    since: Annotated[str, typer.Option(help="Go on behind this id, which --json shows \\[default: from now on].")] = "",
    most: Annotated[int, typer.Option("--limit", min=0, help="End after so many events; 0: on Ctrl-C.")] = 0,
    url: Url = "",
    as_json_: Json = False,
) -> None:
    """Follow new conversions until Ctrl-C, over broken connections. --json: one object a line."""
    asked = {"attribution_model": model or None, "conversion_type": conversion_type or None, "channel": channel or None}
    with suppress(KeyboardInterrupt), api(url) as client:
        for event in islice(client.stream_conversions(last_event_id=since, **asked), most or None):
            line = as_json({"id": event.id, "event": event.event, "data": event.data}) if as_json_ else _text(event)
            print(line, flush=True)


def _text(event: LiveEvent) -> str:
    from cli.text_table import money

    found = event.conversion
    if found is None:
        return "  ".join([f"[{event.event}]", *(f"{name}={value}" for name, value in event.data.items())])
    at = f"{found.converted_at:%Y-%m-%d %H:%M:%S}"
    head = (
        f"{at}  {found.conversion_type}  {money(found.value)} {found.currency}  {found.conversion_id}  rev {found.rev}"
    )
    if found.removed:
        return f"{head}  removed"
    credits_ = [f"{c.channel} {money(c.value)}" for c in found.credits if c.value_micros]
    return "  ".join([head, found.model or "", ", ".join(credits_) or "unattributed"])
