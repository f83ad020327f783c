"""The pages that do something, and those about paths and plans, by Streamlit's own test runner."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from api.letter_store import LetterRow, WholeLetter
from api.letter_store import Place as At
from api.offsets import Bounds
from api.run_store import Difference
from api.settings import ApiSettings
from api.store import Progress
from api.testing import MemoryOffsets, MemoryProducer, MemoryStore
from api.testing_letters import MemoryLetters
from api.testing_replays import MemoryReplays
from attribution_client import Client
from attribution_client.models.attribution import ResultCredit
from attribution_client.models.live import LiveConversion
from ui import feed
from ui.session import Credential
from ui.wording import UNATTRIBUTED, count, duration, money
from ui_world import Visit, memory_world, now, ran, texts, visiting

TOPIC = "attribution.conversions"


def letter(offset: int, value: bytes, reason: str = "bad_amount", field: str = "value") -> WholeLetter:
    row = LetterRow(
        At(0, offset),
        TOPIC,
        0,
        offset,
        reason,
        field,
        "'ten' is no amount",
        "decode",
        now() - timedelta(minutes=offset),
        1,
        "",
        retried=False,
    )
    return WholeLetter(row, b"ada", value, (), int(now().timestamp() * 1000))


WRONG = b'{"event_id": "o-1", "customer_id": "ada", "occurred_at": "2026-11-20T09:00:00Z", "value": "ten"}'


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    found = memory_world()
    at = now()
    found.read = [Progress(TOPIC, 0, 40, at, at)]
    found.refused.update({"bad_amount": 2, "undecodable": 1})
    return found


@pytest.fixture(scope="module")
def letters() -> MemoryLetters:
    made = [letter(1, WRONG), letter(2, WRONG), letter(3, b"\xff\x00", "undecodable", "")]
    return MemoryLetters({w.row.place: w for w in made})


@pytest.fixture(scope="module")
def visit(store: MemoryStore, letters: MemoryLetters) -> Iterator[Visit]:
    offsets = MemoryOffsets({(TOPIC, 0): Bounds(0, 45)})
    replays = MemoryReplays(store.run_list)
    with visiting(
        store,
        offsets=offsets,
        producer=MemoryProducer(),
        gap_check=lambda *_: None,
        letters=lambda _: letters,
        replays=lambda _: replays,
    ) as found:
        yield found


@pytest.fixture
def api(visit: Visit) -> Client:
    return visit.client("http://test", Credential())


def days(number: int) -> dict[str, Any]:
    today = now().date()
    return {"start_date": today - timedelta(days=number - 1), "end_date": today}


def test_paths_names_the_most_frequent_and_the_times(visit: Visit, api: Client) -> None:
    page = visit.open("Paths")
    top = api.top_paths(**days(30), limit=500)
    best = next(row for row in top.paths if row.steps)
    assert f"is **{best.path}**: {best.conversions:,} of {top.totals.conversions:,} conversions" in texts(page)
    tiles = {tile.label: tile.value for tile in page.metric}
    lag = api.time_lag(**days(30))
    assert tiles["Median since the first touch"] == duration(lag.since_first_touch.median_seconds)
    grids = [grid.value for grid in page.dataframe]
    flows = grids[0]
    with_touch = sum(row.conversions for row in top.paths if row.steps)
    assert flows[flows["To"] == "Conversion"]["Conversions"].sum() == with_touch
    assert list(grids[1]["Path"]) == [row.path for row in top.paths]
    assert list(grids[2]["Conversions"]) == [row.conversions for row in api.path_length(**days(30)).lengths]
    each = visit.open("Paths", repeats="true", by="Campaign")
    assert list(each.dataframe[1].value["Path"]) == [
        row.path for row in api.top_paths(**days(30), by="campaign", collapse="none", limit=500).paths
    ]


def test_a_funnel_is_that_of_its_steps(visit: Visit, api: Client) -> None:
    page = visit.open("Funnel")
    found = api.conversion_funnel(**days(30), step=["any", "conversion:purchase"])
    assert list(page.dataframe[0].value["Customers"]) == [step.customers for step in found.steps]
    page.multiselect(key="step").set_value(["touch:Email", "touch:Direct", "conversion:purchase"])
    page.number_input(key="window_days").set_value(7)
    ran(page)
    found = api.conversion_funnel(
        **days(30), step=["touch:Email", "touch:Direct", "conversion:purchase"], window_days=7
    )
    assert list(page.dataframe[0].value["Customers"]) == [step.customers for step in found.steps]
    page.multiselect(key="step").set_value(["any"])
    assert "Choose a second step" in texts(ran(page))


def test_a_budget_is_the_plan_of_its_choices(visit: Visit, api: Client) -> None:
    page = visit.open("Budget", interval="Day", change="50")
    plan = api.budget(**days(30), interval="day", most_change=0.5)
    grid = page.dataframe[0].value
    assert list(grid["Channel"]) == [c.channel for c in plan.channels]
    assert [round(v * 1e6) for v in grid["Plan"]] == [c.planned_spend_micros for c in plan.channels]
    assert all(assumption[1:] in texts(page) for assumption in plan.assumptions)
    page.text_input(key="total").set_value("a lot")
    assert "'a lot' is no amount" in texts(ran(page))


def test_a_what_if_is_begun_stopped_compared_and_shown(visit: Visit, api: Client, store: MemoryStore) -> None:
    page = visit.open("What-if")
    assert page.button[0].label == "Compute"
    assert page.button[0].disabled
    page.number_input(key="half_life").set_value(14.0)
    ran(page)
    assert page.text_input(key="run_name").placeholder == "half-life-14"
    page.button[0].click()
    ran(page)
    run = api.run_entry("half-life-14")
    assert (run.status, run.config) == ("running", {"half_life_days": 14.0})
    stop = next(b for b in page.button if b.label == "Stop")
    stop.click()
    ran(page)
    assert api.run_entry("half-life-14").status == "cancelled"
    assert "half-life-14 is cancelled" in texts(page)

    api.begin_run("half-life-14", half_life_days=14.0)
    MemoryReplays(store.run_list).finish("half-life-14")
    rows = [
        {"channel": c, "currency": "USD", "value_a": a, "value_b": b, "conversions_a": 1.0, "conversions_b": 1.0}
        for c, a, b in (("Email", 60_000_000, 30_000_000), ("Direct", 40_000_000, 70_000_000))
    ]
    store.run_list.difference = Difference(rows, (0, 0))
    st.cache_data.clear()
    page = visit.open("What-if", run="half-life-14")
    tiles = {tile.label: tile.value for tile in page.metric}
    assert tiles == {
        "Moved": "30.0 %",
        "Gains most: Direct": money(30_000_000, "USD"),
        "Loses most: Email": money(-30_000_000, "USD"),
    }
    next(b for b in page.button if b.key == "promote").click()
    page = ran(page)
    assert next(r.name for r in store.runs() if r.is_active) == "half-life-14"
    api.promote("live", frozen=True)
    st.cache_data.clear()
    page = visit.open("What-if", run="half-life-14")
    next(b for b in page.button if b.key == "drop").click()
    ran(page)
    assert [e.value for e in page.error] == []
    assert "half-life-14" not in {r.name for r in api.runs().runs}


class Still:
    """A feed that holds what it was given."""

    failure = None

    def __init__(self, found: list[LiveConversion]) -> None:
        self._found = found

    def look(self) -> list[LiveConversion]:
        return self._found


def sold(order: str, rev: int = 1, **more: Any) -> LiveConversion:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    credit = ResultCredit(
        position=1, touchpoint_id="t", touched_at=at, channel="Email", campaign=None, weight=1.0, value_micros=9_000_000
    )
    fields: dict[str, Any] = {
        "conversion_id": order,
        "rev": rev,
        "removed": False,
        "customer_id": "ada",
        "conversion_type": "purchase",
        "converted_at": at,
        "value_micros": 9_000_000,
        "currency": "USD",
        "run_id": 1,
        "model": "linear",
        "model_version": "h",
        "emitted_at": at,
        "credits": (credit,),
        "unattributed_value_micros": 0,
    }
    return LiveConversion(**(fields | more))


def test_a_dead_letter_is_seen_mended_and_sent_again(
    visit: Visit, letters: MemoryLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.Feed, "of_visit", lambda _model: Still([sold("purchase:o-9")]))
    page = visit.open("Live")
    arrived, listed = (grid.value for grid in page.dataframe)
    assert list(arrived["Goes to"]) == ["Email 9.00"]
    assert list(listed["Letter"]) == ["0@1", "0@2", "0@3"]
    assert {tile.label: tile.value for tile in page.metric}["Conversions"] == "45"

    def choose(row: int) -> Any:
        page.session_state["table-dead-letters"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
        return ran(page)

    choose(0)
    box = page.text_area[0]
    assert box.value == WRONG.decode()
    box.set_value(WRONG.decode().replace("ten", "eleven"))
    ran(page)
    next(b for b in page.button if b.key == "send-again").click()
    told = texts(choose(0))
    assert "Not sent: it would be refused again. value: bad_amount" in told
    assert letters.again == []
    page.text_area[0].set_value(WRONG.decode().replace("ten", "10.00"))
    choose(0)
    next(b for b in page.button if b.key == "send-again").click()
    choose(0)
    ((topic, key, value),) = letters.again
    assert (topic, key) == (TOPIC, b"ada")
    assert b'"value_micros":10000000' in (value or b"")
    page = visit.open("Live")
    assert list(page.dataframe[1].value["Letter"]) == ["0@2", "0@3"]
    page = visit.open("Live", reason="bad amount (2)")
    page.selectbox(key="reason").set_value("bad_amount")
    ran(page)
    next(b for b in page.button if b.key == "send-all").click()
    ran(page)
    assert letters.again[-1] == (TOPIC, b"ada", WRONG)


def test_health_says_what_waits_and_for_whom(visit: Visit, store: MemoryStore) -> None:
    page = visit.open("Health")
    told = texts(page)
    assert {tile.label: tile.value for tile in page.metric}["Records that wait"] == "5"
    assert "clickhouse: answers" in told
    assert "5 records are about to be read." in told
    assert list(page.dataframe[0].value["Waits"]) == [5]
    former = store.read
    store.read = [Progress(TOPIC, 0, 40, now(), now() - timedelta(minutes=9))]
    st.cache_data.clear()  # answers are kept for some seconds
    try:
        st.cache_data.clear()
        assert "no worker has reported for 9 min" in texts(visit.open("Health"))
    finally:
        store.read = former


def test_setup_turns_green_for_the_way_that_arrived(visit: Visit, store: MemoryStore) -> None:
    page = visit.open("Setup")
    assert [info.value for info in page.info if "Waiting" in info.value] == [
        f"Waiting for your first event from {name} …" for name in ("curl", "Python", "Segment", "Kafka")
    ]
    customer = f"first-python-{page.session_state['setup_mark']}"
    wanted = ("curl", customer, "segment", "murmur2")
    assert all(name in code.value for name, code in zip(wanted, page.code, strict=True))
    other = next(iter(store.events.values()))
    store.events[customer] = other[:1]
    try:
        st.cache_data.clear()
        told = texts(ran(page))
        assert f"It is here: 1 of {customer}" in "\n".join(s.value for s in page.success)
        assert "Waiting for your first event from curl" in told
        assert "Waiting for your first event from Python" not in told
    finally:
        del store.events[customer]


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    made = Accounts(AccountsSettings(dir=tmp_path / "accounts"))
    yield made
    made.close()


def key_of(accounts: Accounts, role: Role) -> str:
    return accounts.keys.create(role=role, workspace="default", now=now(), label=f"the {role}'s")[1]


def test_keys_and_users_are_made_changed_and_ended(store: MemoryStore, accounts: Accounts) -> None:
    settings = ApiSettings(insecure_dev=False, allowed_hosts=("test",))
    with visiting(store, key=key_of(accounts, Role.ADMIN), settings=settings, accounts=accounts) as visit:
        page = visit.open("Keys")
        page.selectbox(key="key_role").set_value("ingestor")
        page.text_input(key="key_label").set_value("web shop")
        page.number_input(key="key_days").set_value(30)
        next(b for b in page.button if b.label == "Make the key").click()
        ran(page)
        text = page.code[0].value
        made = next(k for k in accounts.keys.all() if k.label == "web shop")
        assert text.startswith(made.id)
        assert (made.role, made.expires_at is not None) == (Role.INGESTOR, True)
        next(b for b in page.button if b.label == "I have it").click()
        assert text not in texts(ran(page))
        page.selectbox(key="revoke").set_value(made.id)
        ran(page)
        next(b for b in page.button if b.key == "revoke-it").click()
        ran(page)
        assert next(k for k in accounts.keys.all() if k.id == made.id).revoked_at is not None

        page.text_input(key="user_name").set_value("Ada@example.org")
        page.text_input(key="user_password").set_value("short")
        next(b for b in page.button if b.label == "Make the user").click()
        ran(page)
        assert "password" in page.error[0].value
        page.text_input(key="user_password").set_value("correct horse battery")
        next(b for b in page.button if b.label == "Make the user").click()
        ran(page)
        assert [u.name for u in accounts.users.all()] == ["ada@example.org"]
        page.selectbox(key="role-ada@example.org").set_value("analyst")
        ran(page)
        next(b for b in page.button if b.label == "Change the role").click()
        ran(page)
        next(b for b in page.button if b.key == "disable-it").click()
        ran(page)
        (ada,) = accounts.users.all()
        assert (ada.role, ada.disabled_at is not None) == (Role.ANALYST, True)


def test_a_viewer_sees_no_page_of_administrators_and_starts_nothing(store: MemoryStore, accounts: Accounts) -> None:
    settings = ApiSettings(insecure_dev=False, allowed_hosts=("test",))
    with visiting(store, key=key_of(accounts, Role.VIEWER), settings=settings, accounts=accounts) as visit:
        page = visit.open("What-if")
        assert "ask for the role analyst" in texts(page)
        assert "Compute" not in {b.label for b in page.button}
        assert "Put a write key in the place of YOUR_WRITE_KEY" in texts(visit.open("Setup"))
        menu = page.session_state["menu_entries"]
        assert "Keys" not in menu
        assert "What-if" in menu


class Streaming(Client):
    """A client whose stream is a list, and then stays open."""

    def __init__(self, events: list[LiveConversion]) -> None:
        super().__init__("http://test", "k", transport=httpx.MockTransport(lambda _: httpx.Response(500)))
        self._events, self.is_closed = events, threading.Event()

    def stream_conversions(self, **_: Any) -> Iterator[Any]:
        for found in self._events:
            yield type("Event", (), {"conversion": found})
        self.is_closed.wait(10)

    def close(self, timeout_s: float | None = None) -> None:
        self.is_closed.set()
        super().close(timeout_s)


def within(seconds: float, is_true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not is_true() and time.monotonic() < end:
        time.sleep(0.01)
    return is_true()


def test_a_feed_shows_the_last_version_of_each_and_ends_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "IDLE_S", 0.2)
    monkeypatch.setattr(feed, "_LOOK_S", 0.05)
    events = [sold("a"), sold("b"), sold("a", 2, value_micros=5), sold("c"), sold("c", 2, removed=True)]
    client = Streaming(events)
    found = feed.Feed(client, "linear")
    assert within(60, lambda: len(found.look()) == 2 and found.look()[0].rev == 2)
    assert [(c.conversion_id, c.rev) for c in found.look()] == [("a", 2), ("b", 1)]
    assert within(60, lambda: client.is_closed.is_set() and found.is_over)
    assert count(1.0) == "1"
    assert UNATTRIBUTED == "unattributed"
