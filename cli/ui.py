"""``attribution ui``, and the UI beside the API on one port: the only place where both are known."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.observed import observed

if TYPE_CHECKING:
    from ui.serving import Ui

PATH: Final = "/ui"
MISSING: Final = "the web UI is not installed; pip install 'realtime-attribution[ui]'"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("ui")
    def serve(
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port, 0 for a free one.")] = 8501,
        url: Annotated[
            str, typer.Option(help="Of the API \\[env: ATTRIBUTION_UI_API_URL, default http://127.0.0.1:8000].")
        ] = "",
    ) -> None:
        """Serve the web UI by itself, over the API of any machine. `attribution api --ui` serves both on one port."""
        import uvicorn

        if not is_installed():
            typer.echo(MISSING, err=True)
            raise typer.Exit(1)
        from ui.log_lines import through_root
        from ui.serving import Ui

        observed("ui")
        through_root()
        if url:
            os.environ["ATTRIBUTION_UI_API_URL"] = url
        uvicorn.run(Ui(), host=host, port=port, access_log=False, server_header=False, log_config=None)


def is_installed() -> bool:
    """Whether the extra ``ui`` is there."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("streamlit", "plotly"))


class Beside:
    """The API and the UI as one application: the UI below ``/ui``, everything else to the API."""

    def __init__(self, api: Callable[..., Awaitable[None]], ui: Ui) -> None:
        self._api, self._ui = api, ui

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request, or the life of both."""
        if scope["type"] == "lifespan":
            async with self._ui.lifespan():
                await self._api(scope, receive, send)
            return
        path = scope["path"]
        if path == PATH or path.startswith(f"{PATH}/"):
            await self._ui({**scope, "root_path": f"{scope.get('root_path', '')}{PATH}"}, receive, send)
        else:
            await self._api(scope, receive, send)
