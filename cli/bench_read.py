"""``attribution bench read``: how fast the API and the dashboards' views answer over many conversions."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cli.bench_loop import Measured
    from cli.bench_world import World
    from clickhouse.settings import ClickHouseSettings

_QUICK = 200_000


def register(group: typer.Typer) -> None:
    """Add ``read`` to the group ``bench``."""
    group.command()(read)


def read(
    conversions: Annotated[int, typer.Option(min=1_000, help="How many, over 90 days and 7 models.")] = 10_000_000,
    quick: Annotated[bool, typer.Option("--quick", help=f"{_QUICK:,} conversions.")] = False,
    clients: Annotated[int, typer.Option(min=1, max=256, help="That ask at the same time.")] = 8,
    seconds: Annotated[float, typer.Option(min=0.2, help="For each question.")] = 5.0,
    url: Annotated[str | None, typer.Option(help="A ClickHouse that runs; left out, one is started.")] = None,
    database: Annotated[str, typer.Option(help="Made, and dropped afterwards.")] = "attribution_bench_read",
    data_dir: Annotated[Path, typer.Option(help="For the engine that is started, and the result.")] = Path(
        ".bench-read"
    ),
    keep: Annotated[bool, typer.Option("--keep", help="Keep the database, and use one that was kept.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Ask reports while a day is rolled up every second, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Fills a database of its own, builds its rollups, starts the API, and asks it with several clients at once."""
    from pydantic import ValidationError

    from cli.bench_world import World
    from clickhouse.errors import StoreError
    from clickhouse.settings import ClickHouseSettings
    from embedded.clickhouse import ClickHouse

    world = World(_QUICK if quick else conversions, datetime.now(UTC).date() - timedelta(days=1))
    with ExitStack() as stack:
        data_dir.mkdir(parents=True, exist_ok=True)
        engine_url = url or stack.enter_context(ClickHouse((data_dir / "clickhouse").resolve())).url
        try:
            settings = ClickHouseSettings(url=engine_url, database=database, send_receive_timeout_s=600)
            result = _run(settings, world, clients, seconds, keep=keep, live=live, log=data_dir / "api.log")
        except ValidationError as error:
            fields = "; ".join(f"{e['loc'][0]}={e['input']!r}: {e['msg']}" for e in error.errors(include_url=False))
            typer.echo(fields, err=True)
            raise typer.Exit(2) from None
        except (StoreError, RuntimeError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
    (data_dir / "read.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if as_json else _table(result))


def _run(
    settings: ClickHouseSettings,
    world: World,
    clients: int,
    seconds: float,
    *,
    keep: bool,
    live: bool,
    log: Path,
) -> dict[str, Any]:
    from cli import bench_questions, bench_world

    began = datetime.now(UTC)
    if keep and bench_world.holds(settings, world):
        bench_world.renew(settings, _report)
    else:
        bench_world.build(settings, world, _report)
    _report(f"ready after {(datetime.now(UTC) - began).total_seconds():.0f} s")
    try:
        measured: list[Measured] = bench_questions.measure_all(
            settings, world, clients, seconds, log, _report, live=live
        )
        return {
            "date": began.isoformat(timespec="seconds"),
            "conversions": world.conversions,
            "clients": clients,
            "measured": [asdict(m) for m in measured],
            "tables": bench_world.sizes(settings),
        }
    finally:
        if not keep:
            bench_world.drop(settings)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _table(result: dict[str, Any]) -> str:
    head = f"{'':<44} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'per s':>8} {'rows read':>12}"
    lines = [
        f"{m['name']:<44} {'timeout':>8}"
        if m["timed_out"]
        else f"{m['name']:<44} {m['p50']:>8.1f} {m['p95']:>8.1f} {m['p99']:>8.1f} {m['per_second']:>8.0f} "
        f"{m['rows_read']:>12,}"
        for m in result["measured"]
    ]
    title = f"{result['conversions']:,} conversions x 7 models, {result['clients']} clients, {result['date']}"
    return "\n".join([title, head, *lines])
