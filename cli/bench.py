"""``attribution bench``: measures this product on this machine; one module for each measurement."""

from __future__ import annotations

import typer

from cli import bench_freshness, bench_import, bench_read


def register(app: typer.Typer) -> None:
    """Adds ``bench``."""
    group = typer.Typer(name="bench", help="Measure this product on this machine.", no_args_is_help=True)
    group.callback()(lambda: None)
    for module in (bench_freshness, bench_import, bench_read):
        module.register(group)
    app.add_typer(group)
