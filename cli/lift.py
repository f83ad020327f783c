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
    from datadriven.lift import Calibration, Experiment


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lift)


def lift(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day of the credit to calibrate.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day, inclusive.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Lift tests: channel, start_date, end_date, incremental_conversions, standard_error; .csv, .jsonl … "
            "Left out: those on record."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Whose credit.")] = "linear",
    conversion_type: Annotated[str, typer.Option(help="Only these; all.")] = "",
    keep: Annotated[bool, typer.Option("--record", help="Keep the tests of the file: reports show them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Calibrate a model's credit of the shown run by lift tests: factors, coverage and residual."""
    from attribution.errors import AttributionError
    from attribution.models.registry import resolve
    from clickhouse import lifts, queries
    from datadriven.lift import Experiment, calibrate_period

    start, end = _day("--from", first), _day("--to", last)
    if start > end:
        _fail(f"error: --from={first!r} is after --to={last!r}", 2)
    if keep and file is None:
        _fail("error: --record keeps the tests of a file; give one", 2)
    try:
        model = resolve(model).model_id
    except AttributionError as error:
        _fail(f"error: {error}", 2)
    tests = [] if file is None else _of_file(file)
    with connected() as client:
        if keep:
            lifts.record(client, [lifts.RecordedTest(_name(test), *test) for test in tests])
        if file is None:
            tests = [
                Experiment(t.channel, t.start, t.end, t.incremental, t.standard_error) for t in lifts.recorded(client)
            ]

        def credit(since: date, until: date) -> dict[str, float]:
            bound = {"start": since, "end": until, "model": model, "conversion_type": conversion_type}
            rows = queries.run(client, "lift_credit", **bound)
            return {row["of_channel"]: row["credited"] for row in rows}

        found = calibrate_period(tests, credit, start, end)
    print(json.dumps(as_dict(found), indent=2) if as_json else table(found, model))


def _of_file(file: Path) -> list[Experiment]:
    from cli.files import FileProblemError, read_rows
    from cli.lift_rows import COLUMNS, read

    try:
        tests, bad = read(str(file), read_rows(file, [(name,) for name in COLUMNS]))
    except FileProblemError as error:
        _fail(f"error: {error}", 2)
    if bad:
        for row in bad[:20]:
            typer.echo(str(row), err=True)
        _fail(f"error: {len(bad)} bad rows; nothing was calibrated", 2)
    return tests


def _name(test: Experiment) -> str:
    """The same channel and days are the same test: recorded again, it replaces."""
    return f"{test.channel} {test.start} {test.end}".replace("/", "_")


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
