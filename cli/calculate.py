"""``attribution calculate``: credits of every conversion in files, with the core of the stream.

The answer is that of a batch over all rows: the bounds of a stored journey (lateness, retention, number of
touches) do not apply. Rows are sorted by time and id of the conversion, then by model as asked, then by position.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from attribution.attribute import Attributor
    from attribution.config import AttributionConfig
    from cli.rows import Events

COLUMNS: Final[dict[str, type]] = {
    "model": str,
    "conversion_id": str,
    "customer_id": str,
    "position": int,
    "touchpoint_id": str,
    "channel": str,
    "campaign": str,
    "weight": float,
    "value_micros": int,
}

#: Bad rows that are printed; the rest is counted.
SHOWN_BAD_ROWS: Final = 20

_ENDLESS: Final = 1 << 60


def register(app: typer.Typer) -> None:
    """Add ``calculate``."""
    app.command()(calculate)


def calculate(
    touchpoints: Annotated[Path, typer.Option(help="Touchpoints: .csv, .jsonl, .ndjson, .parquet or .pq.")],
    conversions: Annotated[Path, typer.Option(help="Conversions and their corrections; the same formats.")],
    models: Annotated[
        str,
        typer.Option(envvar="ATTRIBUTION_DEFAULT_MODELS", help="Ids, separated by commas. Default: all but custom."),
    ] = "",
    lookback_days: Annotated[
        float, typer.Option(envvar="ATTRIBUTION_LOOKBACK_WINDOW_DAYS", help="How far a conversion looks back.")
    ] = 90,
    half_life_days: Annotated[float, typer.Option(envvar="ATTRIBUTION_HALF_LIFE_DAYS", help="For time_decay.")] = 7,
    custom_weights: Annotated[str, typer.Option(help="For custom: first,middle,last.")] = "0.4,0.2,0.4",
    exclude_channels: Annotated[str, typer.Option(help="Channels that get no credit, separated by commas.")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="File to write, or - for standard output.")] = "-",
    output_format: Annotated[
        str, typer.Option("--format", help="csv, jsonl or parquet. Default: by the output's name, csv for -.")
    ] = "",
) -> None:
    """Attribute the conversions of files: one row per model, conversion and touchpoint.

    Fields: event_id (or id), customer_id, occurred_at (timestamp), channel (channel_id), campaign; for conversions
    also value (or value_micros), conversion_type, order_id, status, adjusts, currency. Exit code 2: bad input.
    """
    from attribution.attribute import Attributor
    from attribution.errors import AttributionError
    from cli.files import FileProblemError, read_rows, write_rows
    from cli.rows import CONVERSION_COLUMNS, TOUCH_COLUMNS, Events

    try:
        config = _config(models, lookback_days, half_life_days, custom_weights, exclude_channels)
        attributor = Attributor(config)
        target, file_format = _target(output, output_format, (touchpoints, conversions))
        events = Events()
        events.read_touchpoints(str(touchpoints), read_rows(touchpoints, TOUCH_COLUMNS))
        events.read_conversions(str(conversions), read_rows(conversions, CONVERSION_COLUMNS))
    except (AttributionError, FileProblemError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if events.bad:
        _report_bad_rows(events)
        raise typer.Exit(2)
    try:
        rows = write_rows(credit_rows(events, attributor), COLUMNS, target, file_format)
    except FileProblemError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    counted = sum(map(len, events.touches.values())), sum(map(len, events.conversions.values()))
    typer.echo(f"{counted[0]} touchpoints, {counted[1]} conversion events -> {rows} rows", err=True)


def credit_rows(events: "Events", attributor: "Attributor") -> Iterator[tuple[object, ...]]:
    """Rows of ``COLUMNS`` in their order; a conversion without a touch has one row per model, ``unattributed``."""
    from attribution.journey import Journey

    config = _unbounded(attributor.config)
    found = []
    for customer_id, conversion_events in events.conversions.items():
        journey = Journey()
        journey.apply(events.touches.get(customer_id, ()), conversion_events, config)
        found += [(*c.order, customer_id, c, journey) for c in journey.conversions() if c.is_live]
    found.sort(key=lambda item: item[:3])
    for _, conversion_id, customer_id, conversion, journey in found:
        credit = attributor.attribute(journey, conversion)
        for model, weights, micros in zip(credit.models, credit.weights, credit.micros, strict=True):
            parts = zip(credit.touches, weights, micros, strict=True)
            for position, (touch, weight, value) in enumerate(parts, 1):
                yield model, conversion_id, customer_id, position, touch[1], touch[2], touch[3], weight, value


def _unbounded(config: "AttributionConfig") -> "AttributionConfig":
    """A file is read as a whole: nothing in it is late or too much."""
    return replace(
        config,
        max_touchpoints=_ENDLESS,
        max_conversions=_ENDLESS,
        allowed_lateness_us=_ENDLESS,
        conversion_retention_us=_ENDLESS,
    )


def _config(
    models: str, lookback_days: float, half_life_days: float, custom_weights: str, exclude_channels: str
) -> "AttributionConfig":
    from attribution.config import DEFAULT_MODELS
    from attribution.models.registry import model_ids, resolve
    from attribution.sdk import build_config

    parameters = {
        "lookback_days": lookback_days,
        "half_life_days": half_life_days,
        "custom_weights": _split(custom_weights),
        "exclude_channels": _split(exclude_channels),
    }
    # every model's parameters are checked, also those of models not asked for
    config = build_config(model_ids(), parameters)
    return replace(config, models=tuple(resolve(name).model_id for name in _split(models) or DEFAULT_MODELS))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _target(output: str, output_format: str, inputs: tuple[Path, ...]) -> tuple[Path | None, str]:
    from cli.files import FORMATS, FileProblemError, format_of

    if output_format and output_format not in FORMATS:
        raise FileProblemError(f"--format: {output_format!r} is not one of {', '.join(FORMATS)}")
    if output == "-":
        return None, output_format or "csv"
    path = Path(output)
    if path.exists() and any(i.exists() and path.samefile(i) for i in inputs):
        raise FileProblemError(f"--output: {output} is an input; name another file")
    return path, output_format or format_of(path)


def _report_bad_rows(events: "Events") -> None:
    for bad in events.bad[:SHOWN_BAD_ROWS]:
        typer.echo(str(bad), err=True)
    more = len(events.bad) - SHOWN_BAD_ROWS
    if more > 0:
        typer.echo(f"... and {more} more", err=True)
    typer.echo(f"error: {len(events.bad)} bad rows; nothing was written", err=True)
