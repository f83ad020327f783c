"""``attribution api``: serve the HTTP API."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("api")
    def api(
        host: Annotated[
            str | None, typer.Option(help="Address to listen on [env: ATTRIBUTION_API_HOST, default 127.0.0.1].")
        ] = None,
        port: Annotated[
            int | None, typer.Option(help="Port, 0 for a free one [env: ATTRIBUTION_API_PORT, default 8000].")
        ] = None,
    ) -> None:
        """Serve the HTTP API. It asks for no password: keep it on this machine or behind a proxy that does."""
        import uvicorn
        from pydantic import ValidationError

        from api.app import create_app
        from api.settings import ApiSettings, SettingsError, explain, load_settings
        from attribution.channels import ChannelRulesError

        try:
            settings = load_settings()
            given = {"host": host, "port": port}
            settings = ApiSettings.model_validate(
                settings.model_dump() | {name: value for name, value in given.items() if value is not None}
            )
            application = create_app(settings)
        except (SettingsError, ChannelRulesError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
        except ValidationError as error:
            typer.echo(explain(error), err=True)
            raise typer.Exit(2) from None
        if settings.host not in {"127.0.0.1", "::1", "localhost"}:
            typer.echo(
                f"warning: {settings.host} is open to other machines, and this API has no authentication", err=True
            )
        server = uvicorn.Server(
            uvicorn.Config(
                application,
                host=settings.host,
                port=settings.port,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=10,
                limit_concurrency=500,
            )
        )
        try:
            server.run()
        except SystemExit:  # raised by uvicorn when it cannot listen; its own log line has the cause
            typer.echo(f"could not listen on {settings.host}:{settings.port}; give another --port", err=True)
            raise typer.Exit(1) from None
