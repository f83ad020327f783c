"""``attribution api``: serve the HTTP API."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import ui
from cli.observed import fail, observed

if TYPE_CHECKING:
    from api.front import Api
    from api.settings import ApiSettings

#: Every address of this machine, for a server that listens, and the one by which it is reached from there.
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("api")
    def api(
        host: Annotated[
            str | None, typer.Option(help="Address to listen on \\[env: ATTRIBUTION_API_HOST, default 127.0.0.1].")
        ] = None,
        port: Annotated[
            int | None, typer.Option(help="Port, 0 for a free one \\[env: ATTRIBUTION_API_PORT, default 8000].")
        ] = None,
        insecure_dev: Annotated[
            bool | None,
            typer.Option("--insecure-dev", help="Ask nobody for a key: everybody on this machine is an administrator."),
        ] = None,
        with_ui: Annotated[
            bool,
            typer.Option("--ui", envvar="ATTRIBUTION_API_UI", help="The web UI, too, at /ui of the same port."),
        ] = False,
    ) -> None:
        """Serve the HTTP API. Every call needs a key; the first start makes one for this machine's administrator."""
        import uvicorn
        from pydantic import ValidationError

        from accounts.errors import AccountError
        from api.app import create_app
        from api.settings import LOOPBACK, ApiSettings, SettingsError, explain, load_settings
        from attribution.channels import ChannelRulesError
        from cli.letter_box import LetterBox
        from cli.local_key import open_with_local_key
        from cli.replay_processes import replays_in
        from cli.run_admin import refuse_gap_in
        from embedded.ports import free_port
        from telemetry import tracing
        from telemetry.logs import announce

        observed("api")
        logging.getLogger("uvicorn").setLevel(logging.INFO)  # where it listens is said at any level
        try:
            settings = load_settings()
            given = {"host": host, "port": port, "insecure_dev": insecure_dev}
            settings = ApiSettings.model_validate(
                settings.model_dump() | {name: value for name, value in given.items() if value is not None}
            )
            accounts = None if settings.insecure_dev else open_with_local_key()
            application = create_app(
                settings,
                accounts=accounts,
                gap_check=refuse_gap_in,
                tracer=tracing.load("api"),
                letters=LetterBox,
                replays=replays_in(settings.replay_dir, most_runs=settings.max_runs),
            )
        except AccountError as error:
            fail(str(error), 1)
        except (SettingsError, ChannelRulesError) as error:
            fail(str(error), 2)
        except ValidationError as error:
            fail(explain(error), 2)
        if settings.host not in LOOPBACK and not settings.trusted_proxies:
            announce(
                f"warning: {settings.host} is open to other machines, and keys go there in plain text; put TLS in "
                "front (deploy/nginx/nginx.conf) and name it in ATTRIBUTION_API_TRUSTED_PROXIES",
                level=logging.WARNING,
            )

        class Server(uvicorn.Server):
            """Ends the live streams first: waiting for requests to end would wait for them."""

            async def shutdown(self, *args: Any, **kwargs: Any) -> None:
                application.state.streams.stop()
                await super().shutdown(*args, **kwargs)

        if with_ui and not ui.is_installed():
            typer.echo(ui.MISSING, err=True)
            with_ui = False
        if with_ui and settings.port == 0:  # the UI must know it before it is bound
            settings = settings.model_copy(update={"port": free_port()})
        proxies = _proxies(settings, with_ui=with_ui)
        server = Server(
            uvicorn.Config(
                _with_ui(application, settings) if with_ui else application,
                host=settings.host,
                port=settings.port,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=10,
                limit_concurrency=500,
            )
        )
        try:
            server.run()
        except SystemExit:  # raised by uvicorn when it cannot listen; its own log line has the cause
            fail(f"could not listen on {settings.host}:{settings.port}; give another --port", 1)


def _proxies(settings: ApiSettings, *, with_ui: bool) -> list[str]:
    """Whose ``X-Forwarded-*`` are believed. The UI is one, on this machine: it tells for whom it signs in."""
    if not with_ui or "*" in settings.trusted_proxies:  # uvicorn takes * for everybody where it stands alone
        return list(settings.trusted_proxies)
    return [*settings.trusted_proxies, "127.0.0.1", "::1", *({settings.host} - _ANY.keys())]


def _with_ui(application: Api, settings: ApiSettings) -> ui.Beside:
    from ui.log_lines import through_root
    from ui.serving import Ui

    through_root()
    host = _ANY.get(settings.host, settings.host)
    os.environ["ATTRIBUTION_UI_API_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return ui.Beside(application, Ui(settings.allowed_hosts))
