"""One customer: every event in order, and what each touch earned under a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Final

import streamlit as st
from plotly.graph_objects import Figure, Scatter

from attribution_client import NotFound
from attribution_client.models.analytics import CustomerJourney, JourneyEvent
from ui import links
from ui.asking import ask
from ui.colours import channel_colour
from ui.filters import Filters, models_of_run
from ui.parts import computed, freshness
from ui.parts.charts import chart
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, RIGHT, table
from ui.wording import model_name, moment, money, units

_CALL: Final = "GET /api/v1/analytics/customer-journey/{customer_id}"
_MOST: Final = 500
_SALE: Final = "#c2185b"


def show(asked: Filters) -> None:
    """Draw the page."""
    del asked
    with st.container(horizontal=True, key="filters"):
        customer = st.text_input(
            "Customer id", key="customer_id", bind="query-params", placeholder="as your events name it", width=320
        ).strip()
        there = models_of_run()
        model = st.selectbox(
            "Model of the credits",
            there,
            index=there.index("linear") if "linear" in there else 0,
            format_func=model_name,
            key="credits",
            bind="query-params",
            width=220,
        )
    if not customer:
        nothing(
            "Which customer? Give the id that your events carry.",
            "attribution tail",
            "It shows conversions as they happen, with their customers. A person's other ids lead to the same journey.",
        )
        return
    try:
        journey: CustomerJourney = ask("customer_journey", customer, models=tuple(there), limit=_MOST)
    except NotFound:
        nothing(f"Nothing was received from {customer}.", "attribution tail", "Check the id; case counts.")
        return
    freshness.badge(journey.meta)
    if not journey.events:
        nothing(f"Nothing was received from {customer}.", "attribution tail", "Check the id; case counts.")
        return
    _facts(journey)
    _timeline(journey.events, model)
    _sales(journey.events)
    _credits(journey.events, there)
    _events(journey, model)
    computed.how(
        "The events are those of all ids that are linked to this customer. A touch that leads to several conversions "
        "earns from each; the size of a dot is the sum under the chosen model.",
        _CALL.replace("{customer_id}", customer),
        {"models": model},
        "journey",
    )


def _earned(event: JourneyEvent, model: str) -> dict[str, int]:
    """Micros by currency."""
    found: dict[str, int] = defaultdict(int)
    for credit in event.credits or ():
        if credit.model == model:
            found[credit.currency] += credit.value_micros
    return dict(found)


def _amounts(by_currency: dict[str, int]) -> str:
    return ", ".join(money(micros, currency) for currency, micros in sorted(by_currency.items()) if micros)


def _is_touch(event: JourneyEvent) -> bool:
    return event.type == "touchpoint"


def _facts(journey: CustomerJourney) -> None:
    touches = sum(map(_is_touch, journey.events))
    first, last = journey.events[0].occurred_at, journey.events[-1].occurred_at
    more = f" The first {_MOST} events; the API has the rest." if journey.next_cursor else ""
    st.markdown(
        f"**{touches}** touches and **{len(journey.events) - touches}** conversion events from {moment(first)} to "
        f"{moment(last)}.{more}"
    )


def _timeline(events: Sequence[JourneyEvent], model: str) -> None:
    figure = Figure()
    touches = [e for e in events if _is_touch(e)]
    totals = [sum(_earned(e, model).values()) for e in touches]
    most = max(totals, default=0) or 1
    for channel in dict.fromkeys(e.channel or "" for e in touches):
        of = [(e, total) for e, total in zip(touches, totals, strict=True) if (e.channel or "") == channel]
        figure.add_trace(
            Scatter(
                name=channel,
                x=[e.occurred_at for e, _ in of],
                y=[channel] * len(of),
                mode="markers",
                marker={
                    "color": channel_colour(channel),
                    "size": [9 + 21 * (total / most) ** 0.5 for _, total in of],
                    "symbol": ["circle" if total else "circle-open" for _, total in of],
                },
                text=[
                    f"{e.campaign or e.touch_type or ''}<br>{_amounts(_earned(e, model)) or 'no credit'}" for e, _ in of
                ],
                hovertemplate="%{x|%d %b %Y %H:%M}<br>%{y}<br>%{text}<extra></extra>",
                showlegend=False,
            )
        )
    sales = [e for e in events if not _is_touch(e)]
    figure.add_trace(
        Scatter(
            name="Conversion",
            x=[e.occurred_at for e in sales],
            y=["Conversion"] * len(sales),
            mode="markers",
            marker={"symbol": "diamond", "size": 13, "color": _SALE},
            text=[f"{e.conversion_type} {e.status}<br>{money(e.value_micros, e.currency)}" for e in sales],
            hovertemplate="%{x|%d %b %Y %H:%M}<br>%{text}<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_yaxes(autorange="reversed", title=None)
    lanes = len({e.channel for e in touches}) + 1
    chart(
        figure,
        name="journey",
        said=f"Touches by channel over time; a larger dot earned more under {model_name(model)}, an empty one nothing. "
        "Diamonds are conversions. The table at the end has the same.",
        height=120 + 38 * lanes,
    )


def _sales(events: Sequence[JourneyEvent]) -> None:
    found = {e.conversion_id: e for e in events if e.conversion_id and not e.adjusts}
    if found:
        st.markdown("Explain the credits of")
    for conversion_id, event in islice(found.items(), 20):
        links.to(
            "Explain",
            f"{event.conversion_type}, {event.occurred_at:%d %b %H:%M}, {money(event.value_micros, event.currency)}",
            icon=":material/function:",
            conversion_id=str(conversion_id),
        )


def _credits(events: Sequence[JourneyEvent], models: Sequence[str]) -> None:
    st.subheader("Credits by model", anchor=False)
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in filter(_is_touch, events):
        for credit in event.credits or ():
            sums[event.channel or "", credit.currency][credit.model] += credit.value_micros
    if not sums:
        st.info("No touch of this customer has a credit: no conversion follows one within the lookback window.")
        return
    rows = sorted(sums.items(), key=lambda item: (item[0][1], -item[1].get("linear", 0)))
    table(
        [
            {"Channel": channel, "Currency": currency, **{model_name(m): units(of.get(m, 0)) for m in models}}
            for (channel, currency), of in rows
        ],
        name="credits-by-model",
        said="What the touches of each channel earned from all conversions of this customer.",
        columns={model_name(m): AMOUNT for m in models},
        exact=[
            {"channel": channel, "currency": currency, **{f"{m}_micros": of.get(m, 0) for m in models}}
            for (channel, currency), of in rows
        ],
    )


def _events(journey: CustomerJourney, model: str) -> None:
    st.subheader("Events", anchor=False)
    table(
        [
            {
                "Time (UTC)": f"{e.occurred_at:%Y-%m-%d %H:%M:%S}",
                "What": e.touch_type or "touch" if _is_touch(e) else f"{e.conversion_type} {e.status or ''}".strip(),
                "Channel": e.channel or "",
                "Campaign": e.campaign or "",
                "Value": "" if _is_touch(e) else money(e.value_micros, e.currency),
                f"Earned, {model_name(model)}": _amounts(_earned(e, model)),
                "Conversions": len({c.conversion_id for c in e.credits or ()}) if _is_touch(e) else None,
                "Event id": e.event_id,
            }
            for e in journey.events
        ],
        name="journey",
        said="Every event, oldest first.",
        columns={"Value": RIGHT, f"Earned, {model_name(model)}": RIGHT},
        exact=journey.to_rows(decimals=True),
    )
