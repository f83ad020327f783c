"""``attribution report``: reports over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.api_access import Json, Url, api, show

if TYPE_CHECKING:
    from attribution_client.models.analytics import ChannelReport
    from attribution_client.models.common import Meta


def register(app: typer.Typer) -> None:
    """Add the commands."""
    reports = typer.Typer(help="Reports over the API, after `attribution login`.", no_args_is_help=True)
    reports.command()(channels)
    app.add_typer(reports, name="report")


def channels(
    start: Annotated[
        str, typer.Option("--from", help="First day, as 2026-11-01 \\[default: 30 days before --to].")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Last day \\[default: today].")] = "",
    model: Annotated[str, typer.Option(help="Model id or alias \\[default: the service's].")] = "",
    currency: Annotated[str, typer.Option(help="Of the report \\[default: the service's].")] = "",
    basis: Annotated[
        Literal["conversion_day", "touch_day"] | None, typer.Option(help="On which day credits count.")
    ] = None,
    conversion_type: Annotated[str, typer.Option("--type", help="Only this type of conversion.")] = "",
    url: Url = "",
    as_json: Json = False,
) -> None:
    """Conversions, revenue, spend and return by channel."""
    with api(url) as client:
        report = client.channel_performance(
            start_date=start or None,
            end_date=end or None,
            attribution_model=model or None,
            currency=currency or None,
            basis=basis,
            conversion_type=conversion_type or None,
        )
    if as_json:
        show(report)
        return
    print(_text(report))


def _text(report: ChannelReport) -> str:
    from cli.text_table import money, ratio, table

    sums = [(c.channel, c) for c in report.channels] + [("total", report.totals)]
    rows = [
        (name, f"{s.conversions:,.2f}", money(s.revenue), money(s.spend), ratio(s.cpa), ratio(s.roas), ratio(s.roi))
        for name, s in sums
    ]
    header = ("channel", "conversions", "revenue", "spend", "CPA", "ROAS", "ROI")
    lines = [
        f"{report.start_date} to {report.end_date}, {report.meta.model}, {report.meta.currency}, by {report.basis}",
        table(header, rows),
        freshness(report.meta),
    ]
    if report.converted_currencies:
        lines.append(f"converted at the rates of their days: {', '.join(report.converted_currencies)}")
    if report.other_currencies:
        lines.append(f"left out for want of a rate: {', '.join(report.other_currencies)}")
    return "\n".join(lines)


def freshness(meta: Meta) -> str:
    """What the numbers stand on, as a line."""
    if meta.watermark is None:
        return "no event was read yet"
    lag = "" if meta.lag_seconds is None else f", {meta.lag_seconds:,.1f} s behind"
    return f"events up to {meta.watermark:%Y-%m-%d %H:%M:%S} UTC{lag}, run {meta.run_id}"
