"""``attribution lift``: what experiments say of a model's credit, beside it and never over it.

Exit codes: 0 done, 1 the store does not answer, 2 wrong input.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.store import connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.lift_rows import Experiment
    from datadriven.lift import Calibration


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lift)


def lift(
    file: Annotated[
        Path,
        typer.Argument(
            help="Lift tests: channel, start_date, end_date, incremental_conversions, standard_error; .csv, .jsonl …"
        ),
    ],
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day of the credit to calibrate.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")],
    model: Annotated[str, typer.Option(help="Whose credit.")] = "linear",
    conversion_type: Annotated[str, typer.Option(help="Only these; all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Calibrate a model's credit of the shown run by lift tests: factors, coverage and residual."""
    from attribution.errors import AttributionError
    from attribution.models.registry import resolve
    from cli.files import FileProblemError, read_rows
    from cli.lift_rows import COLUMNS, read
    from clickhouse import queries

    start, end = _day("--from", first), _day("--to", last)
    if start > end:
        _fail(f"error: --from={first!r} is after --to={last!r}", 2)
    try:
        model = resolve(model).model_id
        tests, bad = read(str(file), read_rows(file, [(name,) for name in COLUMNS]))
    except (AttributionError, FileProblemError) as error:
        _fail(f"error: {error}", 2)
    if bad:
        for row in bad[:20]:
            typer.echo(str(row), err=True)
        _fail(f"error: {len(bad)} bad rows; nothing was calibrated", 2)
    with connected() as client:

        def credit(since: date, until: date) -> dict[str, float]:
            bound = {"start": since, "end": until, "model": model, "conversion_type": conversion_type}
            rows = queries.run(client, "lift_credit", **bound)
            return {row["of_channel"]: row["credited"] for row in rows}

        found = calibrated(tests, credit, start, end)
    print(json.dumps(as_dict(found), indent=2) if as_json else table(found, model))


def calibrated(
    tests: list[Experiment], credit: Callable[[date, date], dict[str, float]], start: date, end: date
) -> Calibration:
    """Each test beside the credit of its own period; the factors applied to the period that was asked for."""
    from datadriven.lift import LiftTest, calibrate

    raw = {name: value for name, value in credit(start, end).items() if name != "unattributed"}
    periods = {(t.start, t.end): credit(t.start, t.end) for t in tests}
    matched = [
        LiftTest(t.channel, t.incremental, t.standard_error, periods[t.start, t.end].get(t.channel, 0.0)) for t in tests
    ]
    return calibrate(matched, raw)


def as_dict(found: Calibration) -> dict[str, Any]:
    """Ready for JSON."""
    channels = [row._asdict() for row in found.channels]
    return {"channels": channels, "coverage": found.coverage, "residual": found.residual}


def table(found: Calibration, model: str) -> str:
    """For people; raw credit first."""
    lines = [f"{'channel':<24} {model + ', raw':>20} {'factor (95 %)':>26} {'calibrated':>12} tests"]
    for row in found.channels:
        if row.factor is None or row.low is None or row.high is None or row.calibrated is None:
            lines.append(f"{row.channel:<24} {row.raw:20.1f} {'not tested':>26} {'':>12} 0")
            continue
        factor = f"{row.factor:.2f} ({row.low:.2f} to {row.high:.2f})"
        apart = ", they disagree" if row.disagreement > 1 else ""
        lines.append(f"{row.channel:<24} {row.raw:20.1f} {factor:>26} {row.calibrated:12.1f} {row.tests}{apart}")
    lines.append(
        f"{found.coverage:.0%} of the credit is in tested channels; {found.residual:.1f} conversions are left over"
    )
    return "\n".join(lines)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        _fail(f"error: {option}={text!r}: give a day such as 2026-11-24", 2)


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
