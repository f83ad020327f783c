"""``attribution journey`` and ``attribution explain``: one customer, one conversion, over the API."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cli.api_access import NOTHING, Json, Url, api, as_json, fail, show

if TYPE_CHECKING:
    from attribution_client.models.analytics import JourneyEvent
    from attribution_client.models.explanation import ExplainedModel, Explanation


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(journey)
    app.command()(explain)


def journey(
    customer_id: Annotated[str, typer.Argument(help="As it was sent.")],
    models: Annotated[str, typer.Option(help="Adds what each touch earned, by these models, comma-separated.")] = "",
    most: Annotated[int, typer.Option("--limit", min=1, help="Events at most.")] = 1_000,
    url: Url = "",
    as_json_: Json = False,
) -> None:
    """Touchpoints and conversions of a customer, oldest first. Exit code 1: there are none."""
    from dataclasses import asdict

    wanted = [name.strip() for name in models.split(",") if name.strip()]
    with api(url) as client:
        pages = client.each_journey_event(customer_id, models=wanted or None, limit=min(most, 500))
        events = list(islice(pages, most))
    if not events:
        fail(f"no event of {customer_id!r} is stored", NOTHING)
    if as_json_:
        print(as_json({"customer_id": customer_id, "events": [asdict(e) for e in events]}, indent=2))
        return
    print("\n".join(_event(e) for e in events))


def explain(
    conversion_id: Annotated[str, typer.Argument(help="As reports and journeys name it, like purchase:o-1001.")],
    model: Annotated[str, typer.Option(help="Show this model only.")] = "",
    url: Url = "",
    as_json_: Json = False,
) -> None:
    """Every touch with its verdict, every model with its numbers. Exit code 1: there is no such conversion."""
    with api(url) as client:
        found = client.explain(conversion_id)
    shown = [m for m in found.models if model in ("", m.model)]
    if not shown:
        fail(f"--model={model!r}: choose from {', '.join(m.model for m in found.models)}", 2)
    if as_json_:
        show(found)
        return
    print("\n".join([_touches(found), *(_model(m) for m in shown), _end(found)]))


def _event(event: JourneyEvent) -> str:
    from cli.text_table import money

    at = f"{event.occurred_at:%Y-%m-%d %H:%M:%S}"
    if event.type == "touchpoint":
        earned = "".join(f"  {c.model} {money(c.value)} {c.currency}" for c in event.credits or ())
        campaign = f" ({event.campaign})" if event.campaign else ""
        return f"{at}  touch  {event.channel or '?'}{campaign}{earned}"
    kind = event.conversion_type or "conversion"
    return (
        f"{at}  {kind}  {money(event.value)} {event.currency or ''}  {event.status or ''}  {event.conversion_id or ''}"
    )


def _touches(found: Explanation) -> str:
    from cli.text_table import money, table

    at = f"{found.converted_at:%Y-%m-%d %H:%M:%S} UTC"
    head = f"{found.conversion_id}: {money(found.value)} {found.currency} of {found.customer_id}, {at}"
    rows = [
        (
            str(t.position or ""),
            f"{t.touched_at:%Y-%m-%d %H:%M:%S}",
            t.channel,
            t.campaign or "",
            t.touchpoint_id,
            t.verdict,
        )
        for t in found.touches
    ]
    return f"{head}\n{table(('#', 'touched', 'channel', 'campaign', 'touchpoint', 'verdict'), rows, left=6)}"


def _model(model: ExplainedModel) -> str:
    from cli.text_table import money, table

    name = model.model if model.applied == model.model else f"{model.model} (as {model.applied})"
    rows = [
        (str(s.position), s.touchpoint_id, s.numbers, f"{s.weight:.6f}", money(s.value), f"+{s.extra_micros}")
        for s in model.shares
    ]
    header = ("#", "touchpoint", "numbers", "weight", "credit", "rounding (micros)")
    return f"\n{name}: {model.formula}\n{table(header, rows, left=3)}\nunattributed {money(model.unattributed_value)}"


def _end(found: Explanation) -> str:
    state = "as stored" if found.matches_stored else "NOT as stored: see docs/api.md, Explain a conversion"
    return f"\n{state}; parameters {found.config_hash}"
