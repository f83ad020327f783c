"""Shared questions are never answered with what was known before they were asked; reports are kept by state only."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.reads import _KEPT_ANSWERS, Joined, JoinedByKey, Kept
from api.settings import ApiSettings
from api.store import Meta, Page, Standing, State, Unavailable
from api.testing import MemoryOffsets, MemoryStore
from schemas.events import SpendEvent

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = int(NOW.timestamp()) // 86_400
PERFORMANCE = "/api/v1/analytics/channel-performance"


async def ticks(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


@settings(deadline=None, max_examples=150)
@given(
    pauses=st.lists(st.integers(min_value=0, max_value=6), min_size=1, max_size=25),
    durations=st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=5),
)
async def test_an_answer_is_never_older_than_its_question_and_one_turn_runs_at_a_time(
    pauses: list[int], durations: list[int]
) -> None:
    """The world is a number that rises by itself; an answer is the number at the beginning of its turn."""
    world = turns = running = 0

    async def ask() -> int:
        nonlocal turns, running
        assert running == 0
        running += 1
        seen = world
        await ticks(durations[turns % len(durations)])
        turns += 1
        running -= 1
        return seen

    joined = Joined(ask)

    async def caller() -> bool:
        came = world
        return await joined() >= came

    callers = []
    for pause in pauses:
        world += 1
        callers.append(asyncio.create_task(caller()))
        await ticks(pause)
    assert all(await asyncio.gather(*callers))
    assert turns <= len(pauses)


async def test_questions_of_other_keys_do_not_wait_and_those_of_one_share_turns() -> None:
    gate, turns, shared = asyncio.Event(), Counter[str](), JoinedByKey()

    async def ask(key: str) -> str:
        turns[key] += 1
        if key == "slow":
            await gate.wait()
        if key == "wrong":
            raise ValueError(key)
        return f"{key} {turns[key]}"

    def caller(key: str) -> asyncio.Task[str]:
        return asyncio.create_task(shared.get(key, lambda: ask(key)))

    first = caller("slow")
    await ticks(5)
    later = [caller("slow") for _ in range(3)]
    assert await caller("quick") == "quick 1"
    gave_up = later.pop()
    gave_up.cancel()
    gate.set()
    assert [await task for task in (first, *later)] == ["slow 1", "slow 2", "slow 2"]
    with pytest.raises(ValueError, match="wrong"):
        await caller("wrong")
    assert shared._asked == {}, "what nobody waits for is forgotten"


async def test_who_comes_while_a_turn_runs_shares_the_next_one() -> None:
    gate, turns = asyncio.Event(), 0

    async def ask() -> int:
        nonlocal turns
        turns += 1
        await gate.wait()
        return turns

    joined = Joined(ask)
    first = asyncio.create_task(joined())
    await ticks(3)
    later = [asyncio.create_task(joined()) for _ in range(50)]
    await ticks(3)
    assert turns == 1
    gate.set()
    assert await first == 1
    assert set(await asyncio.gather(*later)) == {2}


async def test_a_caller_that_gives_up_leaves_the_turn_to_the_others() -> None:
    gate = asyncio.Event()

    async def ask() -> str:
        await gate.wait()
        return "answer"

    joined = Joined(ask)
    impatient, patient = asyncio.create_task(joined()), asyncio.create_task(joined())
    await ticks(3)
    impatient.cancel()
    gate.set()
    assert await patient == "answer"
    assert await joined() == "answer"


async def test_a_failure_is_told_to_those_who_shared_it_and_forgotten() -> None:
    failures: list[Exception | None] = [Unavailable("clickhouse", "down"), None]

    async def ask() -> str:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return "up"

    joined = Joined(ask)
    found = await asyncio.gather(joined(), joined(), return_exceptions=True)
    assert [type(f) for f in found] == [Unavailable, Unavailable]
    assert await joined() == "up"


class Asked:
    """A report that says how often it was read."""

    def __init__(self) -> None:
        self.times, self.failure = 0, False
        self.formers: list[int | None] = []

    async def __call__(self, former: int | None = None) -> int:
        self.formers.append(former)
        self.times += 1
        await asyncio.sleep(0)
        if self.failure:
            raise Unavailable("clickhouse", "down")
        return self.times


async def test_an_answer_is_kept_for_its_state_and_no_other() -> None:
    kept, asked = Kept(keep_s=30, monotonic=lambda: 0.0), Asked()
    assert [await kept.get(v, "k", asked) for v in (1, 1, 2, 2, 1)] == [1, 1, 2, 2, 3]
    assert await kept.get(1, "other", asked) == 4
    assert await asyncio.gather(*(kept.get(9, "k", asked) for _ in range(20))) == [5] * 20
    assert asked.formers == [None, 1, 2, None, 3], "the newest answer to the same question"


async def test_nothing_is_kept_without_a_state_or_without_a_time() -> None:
    asked = Asked()
    kept, never = Kept(keep_s=30, monotonic=lambda: 0.0), Kept(keep_s=0, monotonic=lambda: 0.0)
    assert [await kept.get(None, "k", asked) for _ in range(3)] == [1, 2, 3]
    assert [await never.get(1, "k", asked) for _ in range(3)] == [4, 5, 6]
    assert asked.formers == [None] * 6


async def test_an_answer_is_renewed_until_its_oldest_part_is_too_old() -> None:
    clock, asked = [0.0], Asked()
    kept = Kept(keep_s=30, monotonic=lambda: clock[0])
    for state, clock[0] in enumerate((0.0, 20.0, 30.0, 31.0, 50.0)):
        await kept.get(state, "k", asked)
    assert asked.formers == [None, 1, 2, None, 4]


async def test_an_answer_that_is_still_read_is_not_what_the_next_one_is_made_of() -> None:
    kept, gate, asked = Kept(keep_s=30, monotonic=lambda: 0.0), asyncio.Event(), Asked()

    async def slow(former: int | None) -> int:
        await gate.wait()
        return await asked(former)

    both = [asyncio.create_task(kept.get(state, "k", slow)) for state in (1, 2)]
    await ticks(3)
    gate.set()
    await asyncio.gather(*both)
    assert asked.formers == [None, None]


async def test_a_report_is_read_again_when_it_is_too_old_or_has_failed() -> None:
    clock, asked = [0.0], Asked()
    kept = Kept(keep_s=30, monotonic=lambda: clock[0])
    assert await kept.get(1, "k", asked) == 1
    clock[0] = 30.0
    assert await kept.get(1, "k", asked) == 1
    clock[0] = 30.1
    asked.failure = True
    with pytest.raises(Unavailable):
        await kept.get(1, "k", asked)
    asked.failure = False
    assert await kept.get(1, "k", asked) == 3


async def test_the_number_of_kept_reports_is_bounded() -> None:
    kept, asked = Kept(keep_s=30, monotonic=lambda: 0.0), Asked()
    for key in range(3 * _KEPT_ANSWERS):
        await kept.get(1, key, asked)
    assert len(kept._answers) == _KEPT_ANSWERS
    assert await kept.get(1, 3 * _KEPT_ANSWERS - 1, asked) == 3 * _KEPT_ANSWERS


@dataclass(slots=True)
class CountingStore(MemoryStore):
    """A store with a state, that counts its reads."""

    number: int = 1
    reads: Counter[str] = field(default_factory=Counter)

    def standing(self) -> Standing:
        self.reads["standing"] += 1
        return Standing(MemoryStore.standing(self).meta, State(1, {}, (), (self.number,)))

    def channel_performance(self, start: date, end: date, *rest: Any, **named: Any) -> Page:
        self.reads["channel_performance"] += 1
        return MemoryStore.channel_performance(self, start, end, *rest, **named)


def client_of(store: MemoryStore, **changes: Any) -> httpx.AsyncClient:
    app = create_app(ApiSettings(**changes), store=store, offsets=MemoryOffsets(), now=lambda: NOW)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_many_clients_cost_the_store_little_more_than_one() -> None:
    store = CountingStore()
    async with client_of(store) as client:
        answers = await asyncio.gather(*(client.get(PERFORMANCE) for _ in range(40)))
        assert {a.status_code for a in answers} == {200}
        assert store.reads["channel_performance"] == 1
        assert store.reads["standing"] <= 10
        await client.get(f"{PERFORMANCE}?basis=touch_day")
        await client.get(f"{PERFORMANCE}?currency=EUR")
    assert store.reads["channel_performance"] == 3


@pytest.mark.parametrize("changes", [{}, {"report_keep_s": 0}], ids=["kept", "not kept"])
async def test_a_new_state_is_shown_at_once(changes: dict[str, Any]) -> None:
    store = CountingStore()
    async with client_of(store, **changes) as client:
        before = (await client.get(PERFORMANCE)).json()["totals"]["spend"]
        store.add_spend([SpendEvent("s", DAY - 1, "Paid Search", 20_000_000, "USD")])
        store.number = 2
        after = (await client.get(PERFORMANCE)).json()["totals"]["spend"]
    assert (before, after) == (0.0, 20.0)


async def test_freshness_is_asked_for_each_request_though_the_numbers_are_kept() -> None:
    store = CountingStore()
    async with client_of(store) as client:
        await client.get(PERFORMANCE)
        store.facts = Meta(1, NOW, NOW, "abc")
        assert (await client.get(PERFORMANCE)).json()["meta"]["lag_seconds"] == 0
    assert store.reads["channel_performance"] == 1


async def test_a_store_that_fails_and_comes_back_is_asked_again() -> None:
    store = CountingStore(failure=Unavailable("clickhouse", "down"))
    async with client_of(store) as client:
        assert (await client.get(PERFORMANCE)).status_code == 503
        store.failure = None
        assert (await client.get(PERFORMANCE)).status_code == 200
