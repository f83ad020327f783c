"""``attribution runs``: list, compare, promote and drop runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse.run import Run
    from clickhouse.runs import Runs

_Answer = TypeVar("_Answer")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document; money in micros.")]


def register(app: typer.Typer) -> None:
    """Add ``runs``."""
    runs = typer.Typer(help="Runs: sets of results, one of which is shown.", no_args_is_help=True)
    runs.command("list")(list_)
    runs.command()(compare)
    runs.command()(promote)
    runs.command()(drop)
    app.add_typer(runs, name="runs")


def list_(
    with_dropped: Annotated[bool, typer.Option("--all", help="Dropped runs too.")] = False, as_json: AsJson = False
) -> None:
    """Show every run: its parameters' hash, where it came from, how far it is; `*` marks the one that is shown."""
    from cli.runs_text import as_dict, listed

    found = [r for r in _guarded(lambda runs: runs.every()) if with_dropped or r.status != "dropped"]
    print(json.dumps([as_dict(r) for r in found], indent=2) if as_json else listed(found))


def compare(
    a: Annotated[str, typer.Argument(help="A run.")],
    b: Annotated[str, typer.Argument(help="Another run.")],
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Conversions that differ most.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Compare two runs: checksums, rows by model, credits by model and channel, the conversions that differ most."""
    from cli.runs_text import compared, compared_as_dict

    def asked(runs: Runs) -> str:
        first, second = runs.get(a), runs.get(b)
        found = runs.compare(first, second, limit=limit)
        sums = runs.checksum(first), runs.checksum(second)
        if as_json:
            return json.dumps(compared_as_dict(first, second, sums, found), indent=2)
        return compared(first, second, sums, found)

    print(_guarded(asked))


def promote(
    name: Annotated[str, typer.Argument(help="The run to show.")],
    frozen: Annotated[bool, typer.Option("--frozen", help="Also a run that no worker keeps up to date.")] = False,
) -> None:
    """Show another run, from one moment to the next; going back is the same command with the other name."""
    from cli.run_admin import refuse_gap
    from stream_app.settings import WorkerSettings

    def asked(runs: Runs) -> str:
        run, active = runs.get(name), runs.active()
        if run.run_id == active.run_id:
            return f"run {name} is shown already"
        if run.status == "complete" and run.has_feeder:
            refuse_gap(active, run, WorkerSettings())
        run.refuse_to_show(frozen=frozen)
        runs.build_sums()
        runs.promote(run, frozen=frozen, expected=active.run_id)
        back = f"back: attribution runs promote {active.name}{'' if active.has_feeder else ' --frozen'}"
        if run.has_feeder:
            return f"run {name} is shown now; workers of `attribution worker --run active` change to it. {back}"
        return f"run {name} is shown now, as it is: no worker adds to it. {back}"

    print(_guarded(asked))


def drop(
    name: Annotated[str, typer.Argument(help="The run to remove.")],
    data_dir: Annotated[Path, typer.Option(help="Where the local stack keeps its data.")] = Path("data"),
) -> None:
    """Remove a run: its rows, sums, group, changelog and directories. The one that is shown cannot be removed."""
    from cli.run_admin import forget, latest

    def asked(runs: Runs) -> str:
        run: Run = latest(runs, name)
        forget(run, data_dir)
        runs.drop(run)
        return f"run {name} (id {run.run_id}) is gone"

    print(_guarded(asked))


def _guarded(question: Callable[[Runs], _Answer]) -> _Answer:
    """The answer of the store, or its refusal as the command's."""
    from pydantic import ValidationError

    from cli.run_settings import RunSettingsError
    from clickhouse.client import connect
    from clickhouse.errors import StoreError
    from clickhouse.runs import Runs
    from clickhouse.settings import ClickHouseSettings
    from stream_app.settings_errors import explain
    from stream_app.topics import TopicError

    try:
        return question(Runs(connect(ClickHouseSettings.of_environment())))
    except ValidationError as error:
        _fail(explain(error, ClickHouseSettings), 2)
    except (StoreError, TopicError, RunSettingsError) as error:
        _fail(str(error), 1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"attribution: {message}", file=sys.stderr)
    raise typer.Exit(code)
