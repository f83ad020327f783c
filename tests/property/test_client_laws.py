"""Laws of the Python client's pure parts: retries, pages of a stream, batches, amounts, decoding."""

from __future__ import annotations

import decimal
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_client import lines
from attribution_client.batching import Backlog, Batching, Queued
from attribution_client.calls import Call
from attribution_client.decoding import decode
from attribution_client.delivery import deliver
from attribution_client.exchange import Reply, Send, Wait, exchange
from attribution_client.models.data import Ingested
from attribution_client.money import to_decimal, to_text
from attribution_client.parameters import query
from attribution_client.problems import InvalidInput, Problem, ProtocolError, ServiceUnreachable, problem_of
from attribution_client.retrying import Retries, is_transient, retry_after_s
from attribution_client.sse import Parser

INT64 = st.integers(-(2**63), 2**63 - 1)
TRANSIENT = (408, 429, 502, 503, 504)


@dataclass(frozen=True)
class Answer:
    """What the calls below are answered with."""

    ok: bool


def reply(status: int, after_s: int | None) -> Reply:
    headers = {} if after_s is None else {"retry-after": str(after_s)}
    return Reply(status, headers, b'{"ok": true}')


outcomes = st.lists(
    st.one_of(
        st.builds(reply, st.sampled_from((200, 400, 404, 500, *TRANSIENT)), st.none() | st.integers(0, 90)),
        st.just(httpx.ConnectError("refused")),
    ),
    min_size=10,
    max_size=10,
)


@given(outcomes, st.integers(1, 8), st.booleans(), st.floats(0, 1))
def test_a_call_is_repeated_just_as_long_as_it_may_help(
    given_: list[Any], attempts: int, is_repeatable: bool, share: float
) -> None:
    retries = Retries(attempts=attempts, base_s=0.2, cap_s=3, longest_wait_s=60)
    call = Call("GET", "/x", Answer, is_repeatable=is_repeatable)
    steps = exchange(
        call, retries=retries, cache=None, uniform=lambda low, high: low + share * (high - low), address="here"
    )
    sent, end = 0, None
    step = next(steps)
    while end is None:
        outcome = None
        if isinstance(step, Send):
            outcome = given_[sent]
            sent += 1
        else:
            assert isinstance(step, Wait)
            last = given_[sent - 1]
            least = float(last.headers.get("retry-after", 0)) if isinstance(last, Reply) else 0.0
            assert least <= step.seconds <= least + min(3, 0.2 * 2 ** (sent - 1))
        try:
            step = steps.send(outcome)
        except (StopIteration, Problem, ServiceUnreachable) as done:
            end = done
    stops = [
        isinstance(o, Reply) and (not is_transient(o.status) or float(o.headers.get("retry-after", 0)) > 60)
        for o in given_
    ]
    first_stop = stops.index(True) + 1 if True in stops else len(given_)
    assert sent == (min(first_stop, attempts) if is_repeatable else 1)
    last = given_[sent - 1]
    if isinstance(last, Reply):
        assert isinstance(end, StopIteration if last.status == 200 else Problem)
        assert getattr(end, "status", 200) == last.status
    else:
        assert isinstance(end, ServiceUnreachable)
        assert end.__cause__ is last


@given(st.integers(0, 10**6))
def test_a_date_says_the_same_as_the_seconds_until_then(seconds: int) -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    text = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s(text, now) == retry_after_s(str(seconds)) == seconds
    assert retry_after_s(format_datetime(now - timedelta(seconds=seconds + 1), usegmt=True), now) == 0


@given(st.text(alphabet="0123456789abc ,:-", max_size=12))
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    found = retry_after_s(text)
    assert found is None or found >= 0


@given(INT64, st.integers(1, 40))
def test_amounts_keep_every_micro_in_any_context(micros: int, digits: int) -> None:
    with decimal.localcontext() as context:
        context.prec = digits
        amount = to_decimal(micros)
        text = to_text(amount)
    assert int(Decimal(text).scaleb(6)) == micros
    assert "E" not in text.upper()


@pytest.mark.parametrize("wrong", [0.5, True, None, b"1"])
def test_no_amount_is_a_float(wrong: Any) -> None:
    with pytest.raises(TypeError, match="an amount is a Decimal"):
        to_text(wrong)


def by_the_standard(text: str) -> list[tuple[str, str, str]]:
    """Server-sent events of a whole stream, read line by line as the HTML standard says it."""
    found, data = list[tuple[str, str, str]](), list[str]()
    last_id = event = ""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if not line:
            if data:
                found.append((last_id, event or "message", "\n".join(data)))
            event, data = "", []
        elif name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return found


fields = st.sampled_from(
    ["data: {}", "data", "data:x", "data:  y", ": ping", "id: 7", "id", "id: a\0b", "event: conversion", "retry: 5",
     "retry: x", "nothing: z", "", "", "data: ü€😀", "\ufeffdata: x"]
)  # fmt: skip


@given(st.lists(st.tuples(fields, st.sampled_from(["\n", "\r\n", "\r"])), max_size=30), st.data())
def test_a_stream_is_read_alike_however_it_is_cut(written: list[tuple[str, str]], data: st.DataObject) -> None:
    raw = "".join(line + end for line, end in written).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    parser = Parser()
    found = [e for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) for e in parser.feed(raw[a:b])]
    assert [tuple(e) for e in found] == by_the_standard(raw.decode())


def test_an_endless_event_is_refused() -> None:
    parser = Parser()
    part = b"data: " + b"x" * 1_000_000 + b"\n"
    assert [parser.feed(part) for _ in range(15)] == [[]] * 15
    with pytest.raises(ProtocolError):
        parser.feed(part * 2)


queued = st.builds(
    lambda kind, number, size: Queued(kind, str(number), b"x" * size),
    st.sampled_from(["touchpoints", "conversions"]),
    st.integers(0, 999),
    st.integers(1, 60),
)


@given(st.lists(queued, max_size=60), st.integers(1, 8), st.integers(1, 150), st.data())
def test_batches_are_the_events_in_order_and_fit(
    events: list[Queued], most: int, size: int, data: st.DataObject
) -> None:
    settings = Batching(max_events=most, max_bytes=size)
    backlog = Backlog(settings)
    sent: list[Queued] = []
    waiting, held = list(events), list[Queued]()
    while waiting or backlog.count:
        batch = backlog.next_batch()
        if waiting and (not batch or data.draw(st.booleans())):
            held.append(waiting.pop(0))
            backlog.put(held[-1])
            continue
        assert len({e.kind for e in batch}) == 1
        assert len(batch) <= most
        assert len(batch) == 1 or sum(len(e.line) + 1 for e in batch) <= size
        done = batch[: data.draw(st.integers(1, len(batch)))]
        backlog.settle(done)
        sent += done
        for event in done:
            held.remove(event)
        assert backlog.events() == held
        assert (backlog.count, backlog.size) == (len(held), sum(len(e.line) for e in held))
    for kind in ("touchpoints", "conversions"):
        assert [e for e in sent if e.kind == kind] == [e for e in events if e.kind == kind]
    assert backlog.is_past(backlog.mark())
    assert (backlog.count, backlog.size, backlog.events()) == (0, 0, [])


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([400, 413, 415, 422]))
def test_an_event_that_no_body_may_hold_is_found_and_the_others_arrive(bad: list[bool], status: int) -> None:
    batch = [Queued("touchpoints", str(i), json.dumps({"bad": is_bad}).encode()) for i, is_bad in enumerate(bad)]
    arrived: list[bytes] = []

    def post(kind: str, body: bytes) -> Ingested:
        assert kind == "touchpoints"
        found = body.split(b"\n")
        if any(b"true" in line for line in found):
            raise InvalidInput(status, {"detail": "no"})
        arrived.extend(found)
        return Ingested(sent=len(found), accepted=len(found), rejected=0, errors=())

    settled = list(deliver(batch, post))
    assert [e for s in settled for e in s.events] == batch
    assert [r.event.event_id for s in settled for r in s.rejected] == [str(i) for i, is_bad in enumerate(bad) if is_bad]
    assert len(arrived) == bad.count(False)


@given(st.integers(1, 30), st.data())
def test_each_refused_row_is_told_with_its_field_and_reason(count: int, data: st.DataObject) -> None:
    batch = [Queued("conversions", f"e{i}", b"{}") for i in range(count)]
    wrong = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    rows = [{"index": i, "line": i + 1, "field": "value", "reason": "bad_amount", "detail": "ten"} for i in wrong]

    def post(_kind: str, _body: bytes) -> Ingested:
        if len(wrong) == count:
            errors = [{"field": f"events.{i}.value", "reason": "bad_amount: ten"} for i in wrong]
            raise problem_of(422, json.dumps({"errors": errors}).encode())
        return decode(Ingested, {"sent": count, "accepted": count - len(wrong), "rejected": len(wrong), "errors": rows})

    (settled,) = deliver(batch, post)
    assert [tuple(r) for r in settled.rejected] == [(batch[i], "value", "bad_amount", "ten") for i in wrong]


@given(st.lists(st.integers(0, 30_000), max_size=40), st.integers(1, 9))
def test_parts_of_a_bulk_are_the_whole_and_each_fits(sizes: list[int], most: int) -> None:
    events = [{"event_id": str(i), "properties": "x" * size} for i, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "MAX_EVENTS", most)
        patch.setattr(lines, "MAX_BODY_BYTES", 50_000)
        parts = list(lines.in_calls(events))
        assert [e for part in parts for e in part] == events
        for part in parts:
            lines.joined([lines.line(e) for e in part])


names = st.sampled_from(["index", "line", "field", "reason", "detail", "event_id", "new"])


@given(st.sets(names))
def test_an_unknown_field_is_left_out_and_a_missing_one_is_named(present: set[str]) -> None:
    row = {name: 1 if name in {"index", "line"} else "x" for name in present}
    required = {"index", "line", "field", "reason", "detail"}
    plain = {"sent": 1, "accepted": 0, "rejected": 1, "errors": [row]}
    missing = required - present
    if missing:
        with pytest.raises(ProtocolError, match=r"errors of Ingested has no ") as bad:
            decode(Ingested, plain)
        assert Counter(name in str(bad.value) for name in missing)[True] >= 1
    else:
        assert decode(Ingested, plain).errors[0].event_id == row.get("event_id")


@given(st.booleans(), st.dates(), st.lists(st.sampled_from(["linear", "u_shaped"]), min_size=1))
def test_parameters_are_texts_as_the_service_reads_them(flag: bool, day: date, models: list[str]) -> None:
    asked = query({"with_": flag, "start_date": day, "models": models, "cursor": None})
    assert asked == {
        "with": json.dumps(flag),
        "start_date": day.isoformat(),
        "models": ",".join(models),
    }
