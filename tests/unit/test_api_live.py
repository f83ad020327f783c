"""The live stream over the double: order, filters, cursors, slow listeners, one reader for all, and its ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from event_client import PATH, EventClient

from api.app import create_app
from api.front import Api
from api.live_cursor import LiveCursor, decode
from api.live_store import LiveRow, Position
from api.settings import ApiSettings
from api.store import Unavailable
from api.testing import MemoryOffsets, MemoryStore

AT = datetime(2026, 11, 20, tzinfo=UTC)
SECOND = 1_000_000


def row(
    store: MemoryStore, name: str, rev: int = 1, *, late_us: int = 0, removed: bool = False, **more: Any
) -> LiveRow:
    """A version of a conversion: 60 of 100 for Email, 40 for Display under `linear`; all for Email under the other."""
    fields: dict[str, Any] = {
        "position": Position(store.feed.now_us - late_us, name, rev, removed),
        "customer_id": f"{name}-customer",
        "conversion_type": "purchase",
        "converted_at": AT,
        "value_micros": 100_000_000,
        "currency": "USD",
        "models": ("linear", "first_touch"),
        "ids": () if removed else ("t1", "t2"),
        "ats": () if removed else (AT, AT),
        "channels": () if removed else ("Email", "Display"),
        "campaigns": () if removed else ("", "spring"),
        "weights": () if removed else ((0.6, 1.0), (0.4, 0.0)),
        "micros": () if removed else ((60_000_000, 100_000_000), (40_000_000, 0)),
        "config_hash": "h",
        "emitted_at": AT,
    }
    return LiveRow(**(fields | more))


def insert(store: MemoryStore, *rows: LiveRow) -> None:
    store.feed.now_us += 1_000
    store.feed.rows += rows


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def build(store: MemoryStore, **settings: Any) -> Api:
    quick = {"stream_poll_s": 0.01, "stream_heartbeat_s": 0.05}
    return create_app(ApiSettings(**(quick | settings)), store=store, offsets=MemoryOffsets(), now=lambda: AT)


async def names(client: EventClient, n: int) -> list[tuple[str, int, bool]]:
    found = [(await client.named()).data for _ in range(n)]
    return [(d["conversion_id"], d["rev"], d["removed"]) for d in found]


async def test_an_event_holds_the_credits_of_the_chosen_model(store: MemoryStore) -> None:
    insert(store, row(store, "before"))
    app = build(store)
    async with EventClient(app, attribution_model="linear") as client:
        assert client.status == 200
        assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert client.headers["x-accel-buffering"] == "no"
        assert "no-store" in client.headers["cache-control"]
        assert "content-length" not in client.headers
        insert(store, row(store, "v1", 3))
        event = await client.named()
    assert (event.data["conversion_id"], event.data["rev"], event.data["run_id"]) == ("v1", 3, 1)
    assert (event.data["model"], event.data["customer_id"]) == ("linear", "v1-customer")
    assert [(c["channel"], c["value_micros"], c["campaign"]) for c in event.data["credits"]] == [
        ("Email", 60_000_000, None),
        ("Display", 40_000_000, "spring"),
    ]
    assert sum(c["value_micros"] for c in event.data["credits"]) == event.data["value_micros"]


async def test_corrections_and_removals_are_events_of_the_same_conversion(store: MemoryStore) -> None:
    async with EventClient(build(store)) as client:
        insert(store, row(store, "v"))
        assert await names(client, 1) == [("v", 1, False)]
        insert(store, row(store, "v", 2), row(store, "v", 2, removed=True))  # its former minute is emptied
        insert(store, row(store, "v", 3, removed=True))
        assert await names(client, 2) == [("v", 2, False), ("v", 3, True)]


async def test_what_is_written_once_more_is_no_news_and_what_becomes_visible_late_is(store: MemoryStore) -> None:
    async with EventClient(build(store)) as client:
        insert(store, row(store, "a"))
        assert await names(client, 1) == [("a", 1, False)]
        insert(store, row(store, "a"), row(store, "late", late_us=9 * SECOND))
        insert(store, row(store, "b"))
        assert await names(client, 2) == [("late", 1, False), ("b", 1, False)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"conversion_type": "lead"}, ["lead"]),
        ({"channel": "Email"}, ["both", "lead"]),
        ({"channel": "Display", "attribution_model": "first_touch"}, []),
        ({"channel": "Display", "conversion_type": "purchase"}, ["both"]),
        ({}, ["both", "lead", "alone"]),
    ],
)
async def test_filters(store: MemoryStore, query: dict[str, Any], expected: list[str]) -> None:
    alone: dict[str, Any] = {
        "ids": ("",),
        "ats": (AT,),
        "channels": ("unattributed",),
        "campaigns": ("",),
        "weights": ((1.0, 1.0),),
    }
    async with EventClient(build(store), **({"attribution_model": "linear"} | query)) as client:
        insert(store, row(store, "both"))
        insert(store, row(store, "lead", conversion_type="lead"))
        insert(store, row(store, "alone", **alone, micros=((7, 7),)))
        insert(store, row(store, "last", conversion_type="lead" if "conversion_type" in query else "purchase"))
        if not expected:  # nothing is let through, and the cursor moves on all the same
            while (cursor := decode(client.last_id, "")) is None or cursor.number < 4:
                assert (await client.next()).name == ""
            return
        found = [n for n, *_ in await names(client, len(expected) + (query.get("conversion_type") != "purchase"))]
    assert [n for n in found if n != "last"] == expected


async def test_a_filter_by_channel_sees_the_credit_go(store: MemoryStore) -> None:
    async with EventClient(build(store), attribution_model="linear", channel="Email") as client:
        insert(store, row(store, "v"), row(store, "w", channels=("Direct", "Display")))
        insert(store, row(store, "v", 2, channels=("Direct", "Display")))
        insert(store, row(store, "v", 3, removed=True))
        assert await names(client, 3) == [("v", 1, False), ("v", 2, False), ("v", 3, True)]


async def test_coming_back_to_the_same_process_gives_the_next_event(store: MemoryStore) -> None:
    app, last, seen = build(store), "", []
    for i in range(6):
        async with EventClient(app, last_id=last) as client:
            insert(store, row(store, f"in-{i}", late_us=i % 2 * 5 * SECOND))
            seen += [n for n, *_ in await names(client, 1 if i == 0 else 2)]
            last = client.last_id
        insert(store, row(store, f"between-{i}"))
    async with EventClient(app, after=last) as client:  # the parameter does what the header does
        seen += [n for n, *_ in await names(client, 1)]
    assert sorted(seen) == sorted(f"{kind}-{i}" for kind in ("in", "between") for i in range(6))


async def test_coming_to_another_process_gives_everything_once_more_from_the_overlap_on(store: MemoryStore) -> None:
    insert(store, row(store, "old"))
    store.feed.now_us += 60 * SECOND
    insert(store, row(store, "near"))
    async with EventClient(build(store)) as client:
        insert(store, row(store, "seen"))
        await names(client, 1)
        last = client.last_id
    insert(store, *(row(store, f"missed-{i:04}") for i in range(1_203)))
    insert(store, row(store, "moved", 2), row(store, "moved", 2, removed=True))
    async with EventClient(build(store), last_id=last) as client:
        found = await names(client, 1_206)
        insert(store, row(store, "live"))
        assert await names(client, 1) == [("live", 1, False)]
    assert [n for n, *_ in found[:2]] == ["near", "seen"]
    assert len(set(found)) == len(found) == 1_206
    assert ("moved", 2, True) not in found


async def test_when_the_memory_is_too_short_the_store_is_read(store: MemoryStore) -> None:
    app = build(store, stream_kept=5)
    async with EventClient(app) as client:
        insert(store, row(store, "first"))
        await names(client, 1)
        last = client.last_id
        insert(store, *(row(store, f"v{i:02}") for i in range(30)))
        await names(client, 30)
        async with EventClient(app, last_id=last) as behind:
            end = await behind.named("end")  # of a feed that outruns the memory within the overlap
            assert end.data["reason"] == "slow"
    store.feed.now_us += 60 * SECOND
    async with EventClient(app, last_id=last) as behind:
        found = {n for n, *_ in await names(behind, 31)}
    assert found == {"first", *(f"v{i:02}" for i in range(30))}


async def test_a_slow_listener_is_told_and_ends_and_holds_nobody_up(store: MemoryStore) -> None:
    app = build(store, stream_queue=10)
    async with EventClient(app) as quick, EventClient(app, reads=False) as slow:
        for i in range(40):
            insert(store, row(store, f"v{i:02}"))
            assert await names(quick, 1) == [(f"v{i:02}", 1, False)]
        slow.read_on()
        found = []
        while (event := await slow.next()).name != "end":
            found += [event.data["conversion_id"]] if event.name else []
        assert event.data["reason"] == "slow"
        assert found == [f"v{i:02}" for i in range(len(found))]  # a prefix: the last id is where to go on
        with pytest.raises(EOFError):
            await slow.next()
        async with EventClient(app, last_id=slow.last_id) as again:
            rest = await names(again, 40 - len(found))
    assert [n for n, *_ in rest] == [f"v{i:02}" for i in range(len(found), 40)]


async def test_who_reads_nothing_at_all_is_disconnected(store: MemoryStore) -> None:
    app = build(store, stream_send_timeout_s=0.05)
    async with EventClient(app, reads=False) as dead:
        await asyncio.wait_for(dead._task, 60)
    assert app.state.streams.count == 0


async def test_one_reader_for_all_and_none_without_listeners(store: MemoryStore) -> None:
    app = build(store, stream_poll_s=0.05)
    clients = [EventClient(app) for _ in range(6)]
    for client in clients:
        await client.__aenter__()
    began, asked = asyncio.get_running_loop().time(), store.feed.asked
    await asyncio.sleep(0.5)
    turns = (asyncio.get_running_loop().time() - began) / 0.05
    assert 0 < store.feed.asked - asked <= turns + 1
    assert app.state.streams.count == 6
    for client in clients:
        await client.__aexit__()
    await asyncio.sleep(0.1)  # a question that was under way
    asked = store.feed.asked
    await asyncio.sleep(0.2)
    assert store.feed.asked == asked
    assert app.state.streams.count == 0


async def test_another_run_is_announced(store: MemoryStore) -> None:
    app = build(store)
    async with EventClient(app) as client:
        insert(store, row(store, "v"))
        await names(client, 1)
        last = client.last_id
        store.feed.run_id = 2
        assert (await client.named("run")).data == {"run_id": 2}
        insert(store, row(store, "v", 1))  # the same version, of another run
        assert (await client.named()).data["run_id"] == 2
    async with EventClient(build(store), last_id=last) as other:
        assert (await other.next()).data == {"run_id": 2}


async def test_a_store_that_is_away_is_503_before_and_silence_after_the_beginning(store: MemoryStore) -> None:
    app = build(store)
    async with EventClient(app) as client:
        store.failure = Unavailable("clickhouse", "it cannot be reached")
        async with EventClient(app) as refused:
            assert refused.status == 503
        assert (await client.next()).name == ""
        store.failure = None
        insert(store, row(store, "v"))
        assert await names(client, 1) == [("v", 1, False)]
        store.failure = RuntimeError("a fault of ours")
        assert (await client.named("end")).data["reason"] == "failed"


async def test_streams_end_when_the_process_does_and_are_capped(store: MemoryStore) -> None:
    app = build(store, streams_per_caller=1)
    async with EventClient(app) as client:
        async with EventClient(app) as refused:
            assert refused.status == 429
        app.state.streams.stop()
        assert (await client.named("end")).data["reason"] == "stopping"
        with pytest.raises(EOFError):
            await client.next()
    async with EventClient(app) as late:
        assert late.status == 503


@pytest.fixture
async def http(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(store)), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"attribution_model": "lst_touch"}, {}),
        ({"after": "x"}, {}),
        ({"after": "WzEsInIiXQ"}, {}),
        ({"after": "é" * 20}, {}),
        ({}, {"Last-Event-ID": "nonsense"}),
        ({"channel": "x" * 257}, {}),
        ({"after": LiveCursor("h", 1, 2**62, 1).encode()}, {}),
        ({"after": LiveCursor("h", 1, -1, 1).encode()}, {}),
        ({"after": LiveCursor("h", 1, 1, 2**32).encode()}, {}),
    ],
)
async def test_wrong_input_is_a_problem_before_the_stream_begins(
    http: httpx.AsyncClient, query: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await http.get(PATH, params=query, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_versions_are_told_apart_by_id_rev_and_removal(store: MemoryStore) -> None:
    one = row(store, "v")
    assert replace(one, position=one.position._replace(stamp_us=1)).version == one.version == ("v", 1, False)
    assert row(store, "v", 1, removed=True).version != one.version
