"""What replays promise to the API, for the double and for the processes over the real engine; and the routes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.clickhouse_store import ClickHouseStore
from api.replay_store import ReplayAsked, ReplayRefused, Replays
from api.settings import ApiSettings
from api.store import Store, Unavailable
from api.testing import MemoryOffsets, MemoryStore
from api.testing_replays import MemoryReplays
from cli.replay_processes import ReplayProcesses, replays_in
from clickhouse.client import connect
from clickhouse.errors import RunError
from clickhouse.run import Run
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from served_api import plant

RUNS = "/api/v1/runs"
HALF: dict[str, Any] = {"half_life_days": 1.0}


def asked(name: str, **parameters: Any) -> ReplayAsked:
    return ReplayAsked(name, "", "", parameters, "facts")


@dataclass
class World:
    """Replays with the store that shows their runs; ``put`` makes an entry behind their back."""

    replays: Replays
    store: Store
    put: Callable[[Run], None]
    until_done: Callable[[str], None]

    def run(self, name: str) -> Run:
        return next(r for r in self.store.runs() if r.name == name)


def _double() -> World:
    store = MemoryStore()
    replays = MemoryReplays(store.run_list)
    return World(replays, store, store.run_list.entries.append, replays.finish)


@pytest.fixture(params=["double", pytest.param("processes", marks=pytest.mark.clickhouse)])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "double":
        yield _double()
        return
    engine = ClickHouseSettings(
        url=request.getfixturevalue("clickhouse_url"), database=request.getfixturevalue("clickhouse_database")
    )
    monkeypatch.setenv("CLICKHOUSE_URL", engine.url)
    monkeypatch.setenv("CLICKHOUSE_DATABASE", engine.database)
    plant(engine)
    store, client = ClickHouseStore(engine), connect(engine)
    replays = ReplayProcesses("default", tmp_path, 5)

    def until_done(name: str) -> None:
        deadline = time.monotonic() + 120
        while (run := Runs(client).get(name)).status == "running":
            assert time.monotonic() < deadline, (tmp_path / "replays" / name / "replay.log").read_text()
            time.sleep(0.1)
        assert run.status == "complete", run.detail

    yield World(replays, store, Runs(client).save, until_done)
    replays.close()
    store.close()
    client.close()


def test_one_run_is_computed_at_a_time_stopped_gone_on_with_and_removed(world: World) -> None:
    replays = world.replays
    begun = replays.begin(asked("half", **HALF))
    assert (begun.name, begun.status, begun.source, begun.has_feeder) == ("half", "running", "facts", False)
    assert replays.begin(asked("half", **HALF)).run_id == begun.run_id
    with pytest.raises(RunError, match="half is being computed"):
        replays.begin(asked("other", **HALF))
    stopped = replays.cancel(begun)
    assert (stopped.status, "goes on" in stopped.detail) == ("cancelled", True)
    with pytest.raises(RunError, match="nothing is being computed"):
        replays.cancel(stopped)

    replays.begin(asked("half", **HALF))
    world.until_done("half")
    done = world.run("half")
    assert (done.run_id, done.done) == (begun.run_id, done.total)
    assert replays.begin(asked("half", **HALF)).status == "complete"
    with pytest.raises(RunError, match="other parameters"):
        replays.begin(asked("half", half_life_days=2.0))

    with pytest.raises(RunError):
        replays.drop(next(r for r in world.store.runs() if r.run_id == 1))
    replays.drop(done)
    replays.drop(replace(done, status="dropped"))
    assert world.run("half").status == "dropped"


def test_a_run_that_nobody_computes_any_more_is_cancelled_and_makes_room(world: World) -> None:
    """Its process was killed, or its machine is gone."""
    left = Run(7, "left", ("linear",), "hash", HALF, "running", "facts", total=9)
    world.put(left)
    with pytest.raises(RunError, match="left is being computed"):
        world.replays.begin(asked("next", **HALF))
    with pytest.raises(RunError):
        world.replays.drop(left)
    assert world.replays.cancel(left).status == "cancelled"
    assert world.replays.begin(asked("next", **HALF)).status == "running"
    world.replays.close()


@pytest.mark.clickhouse
@pytest.mark.parametrize("world", ["processes"], indirect=True)
def test_what_the_processes_refuse(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReplayRefused, match="half_life_days") as wrong:
        world.replays.begin(asked("wrong", half_life_days=-1.0))
    assert wrong.value.field == "half_life_days"
    for number in range(4):
        world.put(Run(10 + number, f"r{number}", ("linear",), "h", {}, source="facts"))
    with pytest.raises(RunError, match="at most 5: remove one of live, r0"):
        world.replays.begin(asked("sixth", **HALF))
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="ATTRIBUTION_API_REPLAY_DIR"):
        ReplayProcesses("default", tmp_path / "file", 20).begin(asked("x", **HALF))
    monkeypatch.setenv("ATTRIBUTION_HALF_LIFE_DAYS", "soon")
    with pytest.raises(Unavailable, match="settings of workers"):
        world.replays.begin(asked("x", **HALF))
    assert replays_in(None, most_runs=1) is None


def client_of(world: World | None) -> httpx.AsyncClient:
    app = create_app(
        ApiSettings(),
        store=world.store if world else MemoryStore(),
        offsets=MemoryOffsets(),
        replays=None if world is None else lambda _: world.replays,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_over_http_a_what_if_is_begun_watched_cancelled_and_removed() -> None:
    world = _double()
    async with client_of(world) as client:

        async def post(path: str = "", **body: Any) -> tuple[int, Any]:
            answer = await client.post(f"{RUNS}{path}", json=body)
            return answer.status_code, answer.json()

        status, run = await post(name="half", half_life_days=14, exclude_channels=["Direct"], lookback_days=30)
        assert (status, run["status"], run["is_fed"]) == (202, "running", False)
        assert isinstance(world.replays, MemoryReplays)
        assert world.replays.begun[-1] == ReplayAsked(
            "half",
            "",
            "",
            {"half_life_days": 14.0, "lookback_window_days": 30.0, "exclude_channels": ("Direct",)},
            "auto",
        )
        assert (await post(name="other"))[0] == 409
        assert (await client.get(f"{RUNS}/half")).json()["done"] == 0
        assert (await post("/half/cancel"))[1]["status"] == "cancelled"
        assert (await post("/half/cancel"))[0] == 409
        assert (await post("/nobody/cancel"))[0] == 404
        asked_again: dict[str, Any] = {
            "name": "all",
            "models": ["position_based", "linear"],
            "from": "2026-03-01T00:00:00+01:00",
        }
        assert (await post(**asked_again))[0] == 202
        begun = world.replays.begun[-1]
        assert (begun.parameters, begun.since) == ({"models": ("u_shaped", "linear")}, "2026-03-01T00:00:00+01:00")
        world.replays.finish("all")
        assert [(await client.post(f"{RUNS}/{name}/drop")).status_code for name in ("all", "live", "nobody")] == [
            204,
            409,
            404,
        ]
        for wrong in (
            {},
            {"name": "live"},
            {"name": "a b"},
            {"name": "x", "half_life_days": 0},
            {"name": "x", "half_life_days": True},
            {"name": "x", "lookback_days": "long"},
            {"name": "x", "models": []},
            {"name": "x", "models": ["last_click"]},
            {"name": "x", "source": "files"},
            {"name": "x", "from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
            {"name": "x", "workers": 64},
        ):
            assert (await client.post(RUNS, json=wrong)).status_code == 422, wrong


async def test_a_process_that_computes_nothing_says_so() -> None:
    async with client_of(None) as client:
        answer = await client.post(RUNS, json={"name": "x", "half_life_days": 3})
    assert (answer.status_code, "attribution replay" in answer.json()["detail"]) == (409, True)
