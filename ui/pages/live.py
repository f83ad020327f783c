"""What arrives now, what was refused and why, and sending it again."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

import streamlit as st

from attribution_client import InvalidInput, NotFound
from attribution_client.models.data import DataStatus
from attribution_client.models.letters import DeadLetter, DeadLetterPage, DeadLetterShown
from attribution_client.models.live import LiveConversion
from ui import asking, session
from ui.asking import ask
from ui.feed import Feed
from ui.filters import Filters
from ui.parts import computed, freshness
from ui.parts.empty import nothing
from ui.parts.failures import tell
from ui.parts.tables import COUNT, table
from ui.wording import moment, money

_CALL: Final = "GET /api/v1/data/dead-letters"
_TICK_S: Final = 2.0
_SHOWN: Final = 25
_LETTERS: Final = 100
#: What helps, by reason; others are told by their detail.
_HELP: Final = {
    "missing_field": "The producer left out a required field. Add it below, or mend the producer.",
    "bad_amount": "Write amounts as a number or a text such as 12.50.",
    "bad_currency": "Three letters, as in USD.",
    "bad_timestamp": "ISO-8601 such as 2026-11-28T09:00:00Z, or an epoch number.",
    "implausible_time": "The clock or the unit of the producer is wrong.",
    "key_mismatch": "The record's key must be the customer id. A mended event gets the right key by itself.",
    "undecodable": "Neither JSON nor Avro. If it is Avro, is SCHEMA_REGISTRY_URL set for the workers?",
    "unknown_schema": "The workers do not know this schema: set SCHEMA_REGISTRY_URL, then send it again.",
    "too_late": "Older than the journey keeps: raise ATTRIBUTION_ALLOWED_LATENESS_DAYS, then send it again.",
    "missing_identity": "Send a customer_id, or the user or device id of your tool.",
}


def show(asked: Filters) -> None:
    """Draw the page."""
    if "customers" in session.signed_in().scopes:
        st.subheader("Conversions as they are attributed", anchor=False)
        _arriving(asked)
    else:
        _rates()
        st.info("Conversions one by one are for roles that may see customers' data.")
    st.subheader("Dead letters", anchor=False)
    _letters()
    computed.how(
        "Conversions come from the live stream of the API, a moment after their rows are written; a correction "
        "replaces what stood there. A **dead letter** is a record that no worker can use, kept as it came, with "
        "the reason.",
        _CALL,
        {},
        "dead_letters",
    )


@st.fragment(run_every=_TICK_S)
def _arriving(asked: Filters) -> None:
    with session.looking():
        _rates()
        feed = Feed.of_visit(asked.model)
        found = feed.look()
        if feed.failure is not None:
            tell(feed.failure)
            return
        if not found:
            nothing(
                "Waiting for the next conversion. Those from before are on the other pages.",
                "attribution simulate --live",
                "This list begins when you open it.",
            )
            return
        table(
            [_row(c) for c in found[:_SHOWN]],
            name="arriving",
            said=f"The newest of {len(found)} since you opened this page, at most {_SHOWN}, with their credits.",
        )


def _row(c: LiveConversion) -> dict[str, Any]:
    earned: Counter[str] = Counter()
    for credit in c.credits:
        earned[credit.channel] += credit.value_micros
    parts = [f"{channel} {money(micros)}" for channel, micros in earned.most_common(3)]
    return {
        "Attributed (UTC)": f"{c.emitted_at:%H:%M:%S}",
        "Conversion": c.conversion_id,
        "Customer": c.customer_id,
        "Value": money(c.value_micros, c.currency),
        "Goes to": ", ".join(parts) or "unattributed",
    }


def _rates() -> None:
    """Records a second by topic, between this look and the one before."""
    status: DataStatus = ask("data_status")
    ends: Counter[str] = Counter()
    for p in status.partitions:
        ends[p.topic] += p.end_offset or 0
    now = time.monotonic()
    at, before, rates = st.session_state.get("ends", (now, ends, {}))
    if now - at >= asking.FRESH_S:
        rates = {topic: max(0, ends[topic] - before.get(topic, 0)) / (now - at) for topic in ends}
        at, before = now, ends
    st.session_state["ends"] = (at, before, rates)
    freshness.badge(status.meta)
    with st.container(horizontal=True, key="tiles"):
        for topic in sorted(ends):
            name = topic.rpartition(".")[2].capitalize()
            rate = rates.get(topic)
            st.metric(
                name,
                f"{ends[topic]:,}",
                None if not rate else f"{rate:,.1f} a second",
                help=f"Records of {topic} since it was made, marks of transactions included.",
                border=True,
            )


def _letters() -> None:
    status: DataStatus = ask("data_status")
    if not status.dead_letters:
        nothing("No record was refused.", "attribution dlq list", "That is how it should be.")
        return
    reasons = ["", *(d.reason for d in status.dead_letters)]
    counts = {d.reason: d.count for d in status.dead_letters}
    with st.container(horizontal=True, key="own-filters"):
        reason = st.selectbox(
            "Reason",
            reasons,
            format_func=lambda r: f"{r.replace('_', ' ')} ({counts[r]:,})" if r else f"All ({sum(counts.values()):,})",
            key="reason",
            bind="query-params",
            width=240,
        )
        done = st.toggle("Also those that were sent again", key="retried", bind="query-params")
    page: DeadLetterPage = ask("dead_letters", reason=reason or None, retried=None if done else False, limit=_LETTERS)
    _told()
    if not page.letters:
        nothing(
            "No such letter is left in the topic.",
            "attribution dlq list",
            "They are kept for seven days, the counts for 90.",
        )
        return
    older = "" if page.is_whole else " Older ones: attribution dlq list."
    event = table(
        [_letter_row(letter) for letter in page.letters],
        name="dead-letters",
        said=f"{len(page.letters)} of {page.matching:,} letters, the newest first. Choose one to see it whole.{older}",
        columns={"Attempts": COUNT},
        exact=page.to_rows(),
        on_select="rerun",
        selection_mode="single-row",
    )
    chosen = event.selection.rows
    if chosen and chosen[0] < len(page.letters):
        _one(page.letters[chosen[0]])
    elif reason and _may_retry():
        _all_of(reason)


def _letter_row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "Refused (UTC)": "" if letter.failed_at is None else f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
        "Reason": letter.reason.replace("_", " "),
        "Field": letter.field,
        "What is wrong": letter.detail or "",
        "Topic": letter.topic.rpartition(".")[2],
        "Place": letter.stage if letter.offset is None else f"{letter.partition}@{letter.offset}",
        "Attempts": letter.attempts,
        "Sent again": "yes" if letter.retried else "no",
        "Letter": letter.letter,
    }


def _may_retry() -> bool:
    return "manage" in session.signed_in().scopes


def _one(letter: DeadLetter) -> None:
    if "customers" not in session.signed_in().scopes:
        st.info("What was sent is personal data: for roles that may see customers' data.")
        return
    try:
        whole: DeadLetterShown = ask("dead_letter", letter.letter)
    except NotFound:
        st.info("It is gone: the topic keeps letters for seven days.")
        return
    with st.container(border=True):
        field = f" in the field **{whole.field}**" if whole.field else ""
        st.markdown(
            f"**{whole.reason.replace('_', ' ').capitalize()}**{field}: {whole.detail}. Refused "
            f"{moment(whole.failed_at)}, attempt {whole.attempts}."
        )
        if whole.reason in _HELP:
            st.caption(_HELP[whole.reason])
        is_text = whole.value_encoding == "text" and whole.value is not None
        if not is_text:
            st.code(whole.value or "(no value)", language=None, wrap_lines=True)
        if not _may_retry():
            if is_text:
                st.code(whole.value or "", language=None, wrap_lines=True)
            st.caption("An administrator can send it again.")
            return
        typed = st.text_area(
            "What was sent" if is_text else "Send this instead, as JSON",
            whole.value if is_text else "",
            key=f"value-{whole.letter}",
            height=180,
        )
        edited = typed or ""
        is_new = bool(edited.strip()) and edited != whole.value
        again = st.button(
            "Send the mended one" if is_new else "Send it again",
            icon=":material/replay:",
            key="send-again",
        )
        if again:
            _send(letters=(whole.letter,), value=edited if is_new else None)


def _all_of(reason: str) -> None:
    if st.button(f"Send all of {reason.replace('_', ' ')} again", icon=":material/replay:", key="send-all"):
        _send(reason=reason)


def _send(**asked: Any) -> None:
    try:
        done = session.client().retry_dead_letters(**asked)
    except InvalidInput as problem:
        wrong = "; ".join(f"{e.field.removeprefix('value.')}: {e.reason}" for e in problem.errors)
        st.error(f"Not sent: it would be refused again. {wrong}", icon=":material/error:")
        return
    asking.forget()
    passed = f", {done.already_sent} had been sent before" if done.already_sent else ""
    st.session_state["sent_again"] = f"{done.total} sent again{passed}. What is refused once more comes back here."
    st.rerun()


def _told() -> None:
    if said := st.session_state.pop("sent_again", ""):
        st.success(said, icon=":material/check:")
