"""``attribution openapi``: the description of the HTTP API, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add ``openapi``."""
    app.command()(openapi)


def openapi(
    output: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
) -> None:
    """Print the OpenAPI description, as `/openapi.json` gives it. Clients are generated from it."""
    text = json.dumps(description(), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")


def description() -> dict[str, Any]:
    """The description. Nothing is connected."""
    from api.app import create_app
    from api.settings import ApiSettings

    return create_app(ApiSettings()).openapi()
