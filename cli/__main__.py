"""``attribution``: one command for everything. Each module of ``cli`` adds its own commands by ``register(app)``."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated, Final

import typer

from cli.secret_files import SecretFileError, take_secrets

#: Reading order of ``attribution --help``. Modules import what they need inside their commands.
MODULES: Final = (
    "demo",
    "stack",
    "worker",
    "schemas",
    "dead_letters",
    "replay",
    "runs",
    "simulate",
    "canary",
    "calculate",
    "store",
    "rollups",
    "backup",
    "fx",
    "serve",
    "ui",
    "openapi",
    "key",
    "user",
    "workspace",
    "audit",
    "train",
    "score",
    "lift",
    "login",
    "report",
    "customers",
    "tail",
    "bench",
    "dashboards",
)


def build_app() -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(
        name="attribution",
        help="Streaming multi-touch attribution: Kafka in, penny-exact credits in ClickHouse out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def root(
        workspace: Annotated[
            str,
            typer.Option(
                help="Whose database and topics the command works on \\[env: ATTRIBUTION_WORKSPACE, default: default]."
            ),
        ] = "",
    ) -> None:
        if workspace:
            os.environ["ATTRIBUTION_WORKSPACE"] = workspace
        try:
            take_secrets(os.environ)
        except SecretFileError as error:
            typer.echo(f"attribution: {error}", err=True)
            raise typer.Exit(2) from None

    for module in MODULES:
        import_module(f"cli.{module}").register(app)
    return app


def main() -> None:
    """Console script."""
    build_app()()


if __name__ == "__main__":
    main()
