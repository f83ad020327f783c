"""One conversion: each touch with why it counts or not, each model with its formula, down to the last micro."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import streamlit as st

from attribution_client import NotFound
from attribution_client.models.explanation import ExplainedModel, Explanation
from ui import links
from ui.asking import ask
from ui.filters import Filters
from ui.parts import computed, freshness
from ui.parts.empty import nothing
from ui.parts.tables import AMOUNT, RIGHT, table
from ui.wording import MICROS, duration, model_name, moment, money, percent, units

_CALL: Final = "GET /api/v1/attribution/conversions/{conversion_id}/explain"
_VERDICTS: Final = {
    "eligible": "Counts",
    "duplicate": "Out: the same event came before",
    "after_conversion": "Out: after the conversion",
    "outside_lookback": "Out: older than the lookback window",
    "before_reset": "Out: before a conversion that starts the journey anew",
    "excluded_channel": "Out: its channel is excluded",
    "cap": "Out: a journey keeps its first touch and the newest ones",
}


def show(asked: Filters) -> None:
    """Draw the page."""
    del asked
    wanted = st.text_input(
        "Conversion id",
        key="conversion_id",
        bind="query-params",
        placeholder="purchase:o-1001",
        help="The type and the order, `purchase:o-1001`; the event's id where it has no order.",
        width=420,
    ).strip()
    if not wanted:
        nothing(
            "Which conversion? Give its id.",
            "attribution tail",
            "It shows conversions as they happen. The page **Journeys** lists those of a customer.",
        )
        return
    try:
        found: Explanation = ask("explain", wanted)
    except NotFound:
        nothing(
            f"No conversion {wanted} was attributed.",
            f"attribution explain {wanted}",
            "Check the id: the type comes first, as in purchase:o-1001. Case counts.",
        )
        return
    freshness.badge(found.meta)
    _facts(found)
    _touches(found)
    _model(found)
    _sums(found)
    _background(found)
    computed.how(
        "Each model gives touch *i* the weight *wᵢ* of its formula. The exact share *value · wᵢ* is cut to whole "
        "micros, and what is left over goes, a micro each, to the largest remainders: so the parts sum to the value "
        "exactly.",
        _CALL.replace("{conversion_id}", wanted),
        {},
        "explain",
    )


def _facts(found: Explanation) -> None:
    state = "" if found.is_live else " It was taken back: nothing is credited."
    st.markdown(
        f"**{found.conversion_type}** of {moment(found.converted_at)}, worth "
        f"**{money(found.value_micros, found.currency)}**.{state}"
    )
    links.to("Journeys", f"Journey of {found.customer_id}", icon=":material/route:", customer_id=found.customer_id)
    if found.matches_stored:
        st.success(
            "Computed anew from the events just now: equal to the stored credits, to the micro.",
            icon=":material/check:",
        )
    else:
        st.warning(
            "Computed anew, this differs from what is stored: newer events may not be processed yet, or the "
            "parameters of the run have changed since. Reload in a moment; `attribution replay` recomputes.",
            icon=":material/sync_problem:",
        )
    if found.truncated:
        st.info("The journey is longer than is kept: its first touch and the newest ones count.")


def _touches(found: Explanation) -> None:
    st.subheader("Touches", anchor=False)
    if not found.touches:
        st.info("No touch of this customer was received, so the whole value is unattributed.")
        return
    roles: dict[str, list[str]] = {}
    for milestone in found.milestones:
        roles.setdefault(milestone.touchpoint_id, []).append(milestone.role.replace("_", " "))
    table(
        [
            {
                "Place": "" if t.position is None else str(t.position),
                "Time (UTC)": f"{t.touched_at:%Y-%m-%d %H:%M:%S}",
                "Before the conversion": duration((found.converted_at - t.touched_at).total_seconds())
                if t.touched_at <= found.converted_at
                else "after it",
                "Channel": t.channel,
                "Campaign": t.campaign or "",
                "Why": _VERDICTS.get(t.verdict, t.verdict),
                "Role": ", ".join(roles.get(t.touchpoint_id, ())),
                "Touch id": t.touchpoint_id,
            }
            for t in found.touches
        ],
        name="touches",
        said=f"{sum(t.position is not None for t in found.touches)} of {len(found.touches)} touches count.",
    )


def _model(found: Explanation) -> None:
    st.subheader("Under one model", anchor=False)
    names = [model.model for model in found.models]
    if not names:
        return
    name = st.selectbox(
        "Model",
        names,
        index=names.index("linear") if "linear" in names else 0,
        format_func=model_name,
        key="under",
        bind="query-params",
        width=260,
    )
    model = next(m for m in found.models if m.model == name)
    if model.applied != model.model:
        st.info(f"{model_name(model.applied)} stands in: this journey does not have what {model_name(name)} needs.")
    st.code(model.formula, language=None, wrap_lines=True)
    if not model.shares:
        st.markdown(f"No touch counts: {money(model.unattributed_value_micros, found.currency, 6)} are unattributed.")
        return
    channels = {t.touchpoint_id: t.channel for t in found.touches}
    table(
        [
            {
                "Place": share.position,
                "Channel": channels.get(share.touchpoint_id, ""),
                "Role": ", ".join(share.roles),
                "In numbers": share.numbers,
                "Weight": percent(share.weight, 4),
                "Exact share, micros": share.raw_micros,
                "Whole": f"{share.floor_micros:,}",
                "Rest": f"+{share.extra_micros}" if share.extra_micros else "",
                f"Credit, {found.currency}": money(share.value_micros, places=6),
            }
            for share in model.shares
        ],
        name="shares",
        columns=dict.fromkeys(("Weight", "Exact share, micros", "Whole", "Rest", f"Credit, {found.currency}"), RIGHT),
        said=f"The shares of {model_name(name)}; {model.handed_out} micros of rest were handed out.",
        exact=[row for row in found.to_rows(decimals=True) if row["model"] == name],
    )
    st.markdown(_sum(model, found))


def _sum(model: ExplainedModel, found: Explanation) -> str:
    given = sum(share.value_micros for share in model.shares)
    total = given + model.unattributed_value_micros
    equal = "=" if total == found.value_micros else "≠"
    return (
        f"Credits {money(given, places=6)} + unattributed {money(model.unattributed_value_micros, places=6)} "
        f"= {money(total, places=6)} **{equal}** value {money(found.value_micros, found.currency, 6)}"
    )


def _sums(found: Explanation) -> None:
    st.subheader("Under all models", anchor=False)
    channels = {t.touchpoint_id: t.channel for t in found.touches}
    by_channel: dict[str, dict[str, int]] = {}
    for model in found.models:
        for share in model.shares:
            of = by_channel.setdefault(channels.get(share.touchpoint_id, share.touchpoint_id), {})
            of[model.model] = of.get(model.model, 0) + share.value_micros
        if model.unattributed_value_micros:
            by_channel.setdefault("unattributed", {})[model.model] = model.unattributed_value_micros
    rows = [*by_channel.items(), ("Sum", _total(by_channel.values(), [m.model for m in found.models]))]
    table(
        [
            {"Channel": channel, **{model_name(m.model): units(of.get(m.model, 0)) for m in found.models}}
            for channel, of in rows
        ],
        name="models-of-conversion",
        said=f"What each channel gets, in {found.currency}; every model's sum is the value of the conversion.",
        columns={model_name(m.model): AMOUNT for m in found.models},
        exact=[
            {"channel": channel, **{f"{m.model}_micros": of.get(m.model, 0) for m in found.models}}
            for channel, of in rows[:-1]
        ],
    )


def _total(parts: Collection[dict[str, int]], models: Sequence[str]) -> dict[str, int]:
    return {model: sum(of.get(model, 0) for of in parts) for model in models}


def _background(found: Explanation) -> None:
    with st.expander("Events and rows behind it", icon=":material/history:"):
        table(
            [
                {
                    "Time (UTC)": f"{e.occurred_at:%Y-%m-%d %H:%M:%S}",
                    "Status": e.status,
                    "Corrects": e.adjusts or "",
                    "Value": money(e.value_micros, e.currency),
                    "Event id": e.event_id,
                }
                for e in found.events
            ],
            name="events-of-conversion",
            said="The conversion and its corrections.",
        )
        table(
            [
                {
                    "Version": r.rev,
                    "Written": moment(r.emitted_at),
                    "Value": money(r.value_micros, found.currency),
                    "Deleted": "yes" if r.is_deleted else "",
                    "Parameters": r.config_hash,
                }
                for r in found.history
            ],
            name="history-of-conversion",
            said="Stored versions that are still there; the highest counts.",
        )
        st.caption(
            f"Parameters of the run, {found.config_hash}; amounts of time in microseconds ({MICROS:,} are a second)."
        )
        st.json(found.config, expanded=False)
