"""The live stream over the real engine: several writers, random disconnects, another process; nothing lost."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from event_client import EventClient

from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.front import Api
from api.live_store import Position
from api.settings import ApiSettings
from api.testing import MemoryOffsets
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import Conversion, ConversionCredits
from clickhouse import rows
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer

pytestmark = pytest.mark.clickhouse
AT_US = 1_790_000_000_000_000
ATTRIBUTOR = Attributor(AttributionConfig(models=("linear", "last_touch")))
WRITERS, WRITES = 3, 15


def credits_of(name: str, rev: int, at_us: int, *, live: bool = True) -> ConversionCredits:
    sold = Conversion(name, "purchase", at_us, 10_000_000 * rev, "USD", is_live=live)
    touches = [(at_us - 2, f"{name}-t1", "Email", ""), (at_us - 1, f"{name}-t2", "Display", "")]
    return replace(ATTRIBUTOR.attribute(FixedJourney(touches, rev=rev), sold), conversion=sold)


def write(engine: ClickHouseSettings, found: list[ConversionCredits]) -> None:
    client = connect(engine)
    table = rows.attribution_rows([("c", c) for c in found], run_id=1, config_hash="h", emitted_at_us=AT_US)
    Writer(client).write({"attributions": table})
    client.close()


@pytest.fixture
def engine(clickhouse_url: str, clickhouse_database: str) -> ClickHouseSettings:
    return ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)


@pytest.fixture
def build(engine: ClickHouseSettings) -> Iterator[Callable[[], Api]]:
    stores = []

    def make() -> Api:
        stores.append(ClickHouseStore(engine))
        settings = ApiSettings(
            stream_poll_s=0.05,
            stream_heartbeat_s=0.2,
            stream_overlap_s=3,
            streams_per_caller=50,
            default_model="linear",
        )
        return create_app(settings, store=stores[-1], offsets=MemoryOffsets())

    yield make
    for store in stores:
        store.close()


def writing(engine: ClickHouseSettings, number: int, last: dict[str, tuple[int, bool]]) -> None:
    """Inserts of 1 to 40 rows: new conversions, corrections, removals, over several months; equal stamps happen."""
    random_ = random.Random(number)
    known: dict[str, tuple[int, int]] = {}
    for i in range(WRITES):
        batch: list[ConversionCredits] = []
        for n in range(random_.choice((1, 3, 40))):
            name = random_.choice(sorted(known)) if known and random_.random() < 0.3 else f"w{number}-{i}-{n}"
            if name in {c.conversion.conversion_id for c in batch}:
                continue
            rev, at_us = known.get(name, (0, AT_US + random_.randrange(90) * DAY_US))
            known[name] = (rev + 1, at_us)
            batch.append(credits_of(name, rev + 1, at_us, live=random_.random() > 0.1))
            last[name] = (rev + 1, not batch[-1].conversion.is_live)
        write(engine, batch)
        time.sleep(random_.random() * 0.05)


@pytest.mark.parametrize("is_same_process", [True, False], ids=["same process", "another process each time"])
async def test_nothing_is_lost_over_random_disconnects(
    engine: ClickHouseSettings, build: Callable[[], Api], is_same_process: bool
) -> None:
    """In one process nothing comes twice either; in another one only what is at most the overlap old."""
    app, cursor = build(), ""
    last: dict[str, tuple[int, bool]] = {}
    seen: Counter[tuple[str, int, bool]] = Counter()
    state: dict[str, tuple[int, bool]] = {}
    random_ = random.Random(5)
    truth: list[dict[str, tuple[int, bool]]] = [{} for _ in range(WRITERS)]
    threads = [threading.Thread(target=writing, args=(engine, n, truth[n])) for n in range(WRITERS)]
    reconnects = 0
    async with EventClient(app) as always:
        for thread in threads:
            thread.start()
        while True:
            last = {name: version for found in truth for name, version in list(found.items())}
            is_over = not any(t.is_alive() for t in threads)
            if is_over and {n: v[0] for n, v in state.items()} == {n: v[0] for n, v in last.items()}:
                break
            assert reconnects < 400, f"{len(last)} conversions, seen {len(state)}"
            async with EventClient(app, last_id=cursor) as client:
                reconnects += 1
                for _ in range(random_.randrange(1, 120)):
                    event = await client.next()
                    if event.name == "conversion":
                        version = (event.data["conversion_id"], event.data["rev"], event.data["removed"])
                        seen[version] += 1
                        state[version[0]] = max(state.get(version[0], (0, False)), version[1:])
                        total = sum(c["value_micros"] for c in event.data["credits"])
                        assert total == (0 if version[2] else event.data["value_micros"])
                    elif is_over:
                        break
                cursor = client.last_id
            if reconnects % 3 == 0 and not is_same_process:
                app = build()
        whole: Counter[tuple[str, int, bool]] = Counter()
        while not {(n, *v) for n, v in last.items()} <= set(whole):
            event = await always.named()
            whole[event.data["conversion_id"], event.data["rev"], event.data["removed"]] += 1
    assert reconnects > 5
    assert set(whole.values()) == {1}
    assert {(n, *v) for n, v in last.items()} <= set(seen)
    if is_same_process:
        assert set(seen.values()) == {1}


async def test_a_row_that_becomes_visible_late_is_found(engine: ClickHouseSettings, build: Callable[[], Api]) -> None:
    """Its stamp is that of an insert that began two seconds ago; one of before the overlap is history."""
    client = connect(engine)
    async with EventClient(build()) as stream:
        write(engine, [credits_of("first", 1, AT_US)])
        assert (await stream.named()).data["conversion_id"] == "first"
        columns = ", ".join(f"`{c}`" for c in ("run_id", "conversion_id", "customer_id", "converted_at", "rev"))
        for name, age_s in (("older", 60), ("late", 2)):
            client.command(
                f"INSERT INTO attributions ({columns}, inserted_at) "
                "SELECT 1, {name:String}, 'c', now64(6), 1, now64(6) - toIntervalSecond({age:UInt32})",
                parameters={"name": name, "age": age_s},
            )
        assert (await stream.named()).data["conversion_id"] == "late"
    client.close()


def test_the_double_and_the_engine_answer_alike(engine: ClickHouseSettings) -> None:
    store = ClickHouseStore(engine)
    assert store.inserted(0, 5_000_000)[2] == []
    write(engine, [credits_of("a", 1, AT_US), credits_of("b", 2, AT_US, live=False)])
    write(engine, [credits_of("c", 1, AT_US)])
    found = store.inserted(0, 60_000_000)
    assert (found.run_id, len(found.inserts)) == (1, 2)
    assert found.inserts == sorted(found.inserts)
    assert all(found.now_us - 60_000_000 < stamp <= found.now_us for stamp, _ in found.inserts)
    assert store.inserted(found.now_us + 60_000_000, 0).inserts == []
    every = store.inserted_rows(1, [], 0, Position(0), 10)
    assert [r.version for r in every] == [("a", 1, False), ("b", 2, True), ("c", 1, False)]
    assert [r.version for r in store.inserted_rows(1, [], 0, every[0].position, 1)] == [("b", 2, True)]
    assert [r.version for r in store.inserted_rows(1, [found.inserts[1][0]], 0, Position(0), 10)] == [("c", 1, False)]
    assert store.inserted_rows(2, [], 0, Position(0), 10) == []
    assert (every[0].models, every[0].channels) == (("linear", "last_touch"), ("Email", "Display"))
    assert every[0].micros == ((5_000_000, 0), (5_000_000, 10_000_000))
    store.close()


async def test_a_listener_waits_less_than_a_second_for_a_row(
    engine: ClickHouseSettings, build: Callable[[], Api]
) -> None:
    async with EventClient(build()) as stream:
        waiting = asyncio.create_task(stream.named())
        await asyncio.to_thread(write, engine, [credits_of("a", 1, AT_US)])
        assert (await waiting).data["conversion_id"] == "a"
