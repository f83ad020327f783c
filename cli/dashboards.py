"""``attribution dashboards``: write the files that Grafana is given, and show the dashboards without Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from clickhouse.settings import ClickHouseSettings

DEPLOY = Path("deploy/grafana")


def register(app: typer.Typer) -> None:
    """Add ``dashboards``."""
    group = typer.Typer(no_args_is_help=True, help="Grafana's dashboards and alert rules: build, preview.")
    group.command()(build)
    group.command()(preview)
    app.add_typer(group, name="dashboards")


def build(
    out: Annotated[Path, typer.Option(help="Folder that holds dashboards and provisioning.")] = DEPLOY,
    api_url: Annotated[str, typer.Option(help="Root of the API as browsers reach it, for links.")] = "",
    ui_url: Annotated[str, typer.Option(help="Root of the web UI, likewise.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not current.")] = False,
) -> None:
    """Writes dashboards and alert rules from dashboards/; needs the package grafana-foundation-sdk."""
    try:
        from dashboards import build as built
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed; pip install 'grafana-foundation-sdk==0.0.21' pyyaml", 2)
    from dashboards.variables import API_URL, UI_URL

    stale = []
    for name, text in built.files(api_url or API_URL, ui_url or UI_URL).items():
        path = out / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if check and stale:
        _fail(f"not current in {out}: {', '.join(stale)}; run: attribution dashboards build", 1)
    if not stale:
        print("all files are current")


def preview(
    serve: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine to show the pages on.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for pages and, with Chromium, pictures.")] = None,
    boards: Annotated[Path, typer.Option(help="Folder of the dashboards' JSON.")] = DEPLOY / "dashboards",
    demo: Annotated[
        bool, typer.Option("--demo", help="Show a made-up company in an engine of its own, not CLICKHOUSE_URL.")
    ] = False,
    since: Annotated[str, typer.Option("--from", help="Beginning of the time range, like now-29d/d.")] = "",
) -> None:
    """Shows the dashboards without Grafana: the same JSON and SQL, drawn as pages."""
    from clickhouse.client import connect
    from clickhouse.errors import StoreError
    from dashboards.preview import site

    if bool(serve) == bool(out):
        _fail("give --serve PORT to look at the dashboards, or --out DIR to keep them", 2)
    try:
        loaded = site.load(boards)
        with _store(demo=demo) as settings:
            if out:
                query = {"from": [since]} if since else {}
                pages = site.write(connect(settings), loaded, out, datetime.now(UTC), query)
                _report_pages(pages)
            else:
                _serve(site.serve(lambda: connect(settings), loaded, serve, lambda: datetime.now(UTC)), serve)
    except (site.PreviewError, StoreError, OSError, ValueError) as error:
        _fail(str(error), 1)


def _report_pages(pages: list[Path]) -> None:
    from cli.screenshots import ScreenshotError, take

    for page in pages:
        print(f"wrote {page}")
    try:
        for picture in take(pages):
            print(f"wrote {picture}")
    except ScreenshotError as error:
        print(f"no pictures: {error}")


def _serve(server: Any, port: int) -> None:
    with server:
        print(f"http://127.0.0.1:{port}/ shows the dashboards; Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


@contextmanager
def _store(*, demo: bool) -> Iterator[ClickHouseSettings]:
    """Where the rows are: as the environment says, or a made-up company in an engine of its own."""
    from cli.store import read_settings

    if not demo:
        yield read_settings()
        return
    import tempfile

    from cli import preview_world
    from clickhouse.client import connect
    from clickhouse.migrate import migrate
    from clickhouse.settings import ClickHouseSettings
    from embedded.clickhouse import ClickHouse

    with tempfile.TemporaryDirectory(prefix="attribution-dashboards-") as folder, ClickHouse(Path(folder)) as engine:
        settings = ClickHouseSettings(url=engine.url, database="attribution_demo")
        migrate(settings)
        print("making up a company of 75 days …", flush=True)
        preview_world.fill(connect(settings), preview_world.imagine(datetime.now(UTC)))
        yield settings


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
