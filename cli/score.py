"""``attribution score``: every model beside the known truth of simulated worlds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datadriven.score import Interval, Score


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


def score(
    seeds: Annotated[int, typer.Option(min=2, max=1000, help="Worlds.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 1,
    records: Annotated[int, typer.Option(min=5_000, help="Records in each.")] = 60_000,
    per_day: Annotated[float, typer.Option(min=1, help="Records in a day of the world.")] = 600,
    lookback_days: Annotated[float, typer.Option(min=0.1, help="Window, and when a journey has come to nothing.")] = 14,
    as_json: Annotated[bool, typer.Option("--json", help="Figures of every world as JSON.")] = False,
) -> None:
    """Compare every model with what the channels of simulated customers truly caused, over many worlds."""
    from cli.scoring import world
    from datadriven import score as scoring

    found: dict[str, list[Score]] = {}
    sizes = []
    for seed in range(first_seed, first_seed + seeds):
        one = world(seed, records=records, lookback_days=lookback_days, per_day=per_day)
        sizes.append((one.conversions, one.nulls))
        for model, credits_ in one.credits.items():
            found.setdefault(model, []).append(scoring.score(credits_, one.caused, one.bought))
        typer.echo(f"world {seed}: {one.conversions:,} sales, {one.nulls:,} journeys without", err=True)
    if as_json:
        print(json.dumps({"worlds": sizes, "scores": {m: [s._asdict() for s in rows] for m, rows in found.items()}}))
        return
    print(table(found, seeds))


def table(found: dict[str, list[Score]], seeds: int) -> str:
    """Markdown, the smallest share error first; a model that was refused in some world says in how many it stands."""
    from datadriven.score import interval

    lines = ["| model | worlds | share error | rank error | budget regret |", "|---|--:|--:|--:|--:|"]
    figures = {
        model: [interval(column) for column in zip(*rows, strict=True)]
        for model, rows in found.items()
        if len(rows) > 1
    }
    for model, (share, rank, regret) in sorted(figures.items(), key=lambda item: item[1][0].mean):
        cells = " | ".join(map(_shown, (share, rank, regret)))
        lines.append(f"| `{model}` | {len(found[model])} of {seeds} | {cells} |")
    return "\n".join(lines)


def _shown(found: Interval) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"
