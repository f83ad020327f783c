"""What a report says of its own gaps: shown above its numbers, never left out."""

from __future__ import annotations

import streamlit as st

from attribution_client.models.common import Dated


def of_report(report: Dated) -> None:
    """Currencies without a rate, currencies that were converted, and channels whose spend ends early."""
    behind: tuple[str, ...] = getattr(report, "spend_behind", ())
    gaps = []
    if report.other_currencies:
        gaps.append(
            f"Amounts in {', '.join(report.other_currencies)} are left out: there is no rate to "
            f"{report.meta.currency}. `attribution fx import` brings one."
        )
    if behind:
        gaps.append(f"Spend ends before the period does: {', '.join(behind)}. ROAS and CPA may still get worse.")
    if gaps:
        st.warning("\n\n".join(gaps), icon=":material/warning:")
    if report.converted_currencies:
        st.caption(f"Converted at the rate of each day: {', '.join(report.converted_currencies)}.")
