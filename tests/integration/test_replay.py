"""Replays on the real broker and engine: the same rows from topics and from facts, the live run untouched, any end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from api.clickhouse_store import ClickHouseStore
from cli.__main__ import build_app
from cli.replay_facts import FactsReplay
from cli.run_settings import settings_of
from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.rollups import Roller
from clickhouse.run import Checksum, Comparison, Run
from clickhouse.runs import Runs
from clickhouse.settings import ClickHouseSettings
from simulated import simulated
from stream_app.exits import RUN_CHANGED
from stream_app.settings import WorkerSettings
from stream_harness import Sent, Stream

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

#: Small epochs, so that a kill falls between many of them.
SLOW = {"ATTRIBUTION_EPOCH_RECORDS": "50", "ATTRIBUTION_FETCH_BYTES": "4096"}
#: Everything about the rows of a run and the facts, times of delivery included.
EVERYTHING = """
    SELECT sum(cityHash64(*)), count() FROM (SELECT * FROM attributions WHERE run_id = {r:UInt32})
    UNION ALL SELECT sum(cityHash64(event_id, received_at)), count() FROM touchpoints
    UNION ALL SELECT sum(cityHash64(event_id, received_at)), count() FROM conversions
    UNION ALL SELECT sum(cityHash64(topic, partition, offset, failed_at)), count() FROM dead_letters
"""


class Lived(Stream):
    """A stream that a live worker has read to its end, and the command line beside it."""

    def call(self, *words: str, **env: str) -> Any:
        """Run a command in this process; the answer has ``exit_code`` and ``output``."""
        return CliRunner().invoke(build_app(), list(words), env={**self.environment(0), **env})

    def replay(self, name: str, *words: str) -> Run:
        """A replay that must succeed."""
        result = self.call("replay", "--as", name, "--data-dir", str(self.folder), *words)
        assert result.exit_code == 0, result.output + self.log_tail()
        return self.runs().get(name)

    def runs(self) -> Runs:
        return Runs(self.client())

    def checksum(self, name: str) -> Checksum:
        return self.runs().checksum(self.runs().get(name))

    def compare(self, a: str, b: str) -> Comparison:
        return self.runs().compare(self.runs().get(a), self.runs().get(b), limit=1_000_000)

    def merge(self) -> None:
        """From now on a row that is written once more is counted."""
        for table in ("attributions", "touchpoints", "conversions", "dead_letters"):
            self.client().command("OPTIMIZE TABLE {t:Identifier} FINAL", parameters={"t": table})

    def everything(self, run_id: int = 1) -> list[Any]:
        """All that a replay must leave as it is."""
        rows = self.client().query(EVERYTHING, parameters={"r": run_id}).result_rows
        letters = [TopicPartition(self.topics["dead_letter"], p) for p in range(self.partitions)]
        return [sorted(rows), [self._reader.get_watermark_offsets(tp, timeout=10) for tp in letters]]

    def scalar(self, sql: str, **bound: Any) -> Any:
        return self.client().query(sql, parameters=bound).result_rows[0][0]


@pytest.fixture(scope="module")
def lived(kafka_bootstrap: str, clickhouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    database = f"test_{uuid.uuid4().hex[:12]}"
    migrate(ClickHouseSettings(url=clickhouse_url, database=database))
    stream = Lived(kafka_bootstrap, clickhouse_url, database, tmp_path_factory.mktemp("replay"))
    stream.produce(simulated(5_000, seed=11, customers=400).sent())
    stream.start()
    stream.wait()
    assert stream.stop(0) == 0, stream.log_tail()
    yield stream
    stream.close()
    client = connect(ClickHouseSettings(url=clickhouse_url, database=database), use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": database})
    client.close()


def rows_of(stream: Lived, run: Run) -> dict[str, int]:
    """How many rows each table has of a run."""
    tables = ("attributions", "rollup_day", "dirty_days", "rollup_state", "worker_progress")
    sql = "SELECT count() FROM {t:Identifier} WHERE run_id = {r:UInt32}"
    return {t: stream.scalar(sql, t=t, r=run.run_id) for t in tables}


def differing(found: Comparison) -> dict[str, int]:
    """Rows that are not equal, by model, of those models that have any."""
    counts: Counter[str] = Counter()
    for m in found.models:
        counts[m["model"]] += m["different"] + m["only_a"] + m["only_b"]
    assert sum(m["equal"] for m in found.models) > 0
    return {model: n for model, n in counts.items() if n}


def test_a_replay_with_unchanged_parameters_gives_the_live_rows_and_leaves_everything_else(lived: Lived) -> None:
    """From the topics and from the facts: equal checksums, equal rows; no byte of live, facts or dead letters moved."""
    lived.merge()
    before = lived.everything()
    from_topics = lived.replay("shown")
    from_facts = lived.replay("again-facts", "--source", "facts")

    assert (from_topics.source, from_topics.status, from_topics.done) == ("topics", "complete", from_topics.total)
    assert from_topics.total == 5_000
    assert (from_facts.source, from_facts.status) == ("facts", "complete")
    assert lived.checksum("shown") == lived.checksum("live") == lived.checksum("again-facts")
    assert lived.checksum("live").credit_rows > 1_000
    assert differing(lived.compare("live", "shown")) == {}
    assert differing(lived.compare("live", "again-facts")) == {}
    assert lived.everything() == before


def test_another_half_life_moves_only_time_decay_and_every_row_says_so(lived: Lived) -> None:
    run = lived.replay("half-life-1", "--half-life-days", "1", "--source", "facts")
    found = lived.compare("live", "half-life-1")

    assert differing(found).keys() == {"time_decay"}
    assert {c["model"] for c in found.channels if c["value_a"] != c["value_b"]} == {"time_decay"}
    assert all(c["models"] == ["time_decay"] for c in found.conversions)
    assert sum(c["value_a"] for c in found.channels) == sum(c["value_b"] for c in found.channels)
    hashes = lived.client().query(
        "SELECT DISTINCT config_hash FROM attributions WHERE run_id = {r:UInt32}", parameters={"r": run.run_id}
    )
    assert [h for (h,) in hashes.result_rows] == [run.config_hash]
    assert run.config_hash != lived.runs().get("live").config_hash
    shown = json.loads(lived.call("runs", "compare", "live", "half-life-1", "--json", "--limit", "3").output)
    assert len(shown["conversions"]) == 3
    assert shown["conversions"][0]["difference"] == found.conversions[0]["difference"] > 0


def test_a_file_of_parameters_excludes_channels_and_chooses_models(lived: Lived) -> None:
    file = lived.folder / "what-if.yaml"
    file.write_text("models: [linear, position_based]\nexclude_channels: Email, direct\nlookback_window_days: 10\n")
    run = lived.replay("what-if", "--config", str(file), "--lookback-days", "20", "--source", "facts")

    assert run.models == ("linear", "u_shaped")
    assert run.config["lookback_us"] == 20 * 86_400_000_000
    channels = {c["channel"].casefold() for c in lived.compare("what-if", "what-if").channels}
    assert channels
    assert not channels & {"email", "direct"}


def test_a_window_holds_its_conversions_and_no_other_and_dropping_leaves_nothing(lived: Lived) -> None:
    """Both sources give the same part of the live run; the one from the topics is then dropped, twice."""
    middle = lived.scalar("SELECT toString(quantileExact(0.5)(converted_at)) FROM attributions WHERE run_id = 1")
    parts = {s: lived.replay(f"part-{s}", "--from", middle, "--source", s) for s in ("topics", "facts")}
    outside = "SELECT count() FROM attributions WHERE run_id = {r:UInt32} AND converted_at < {m:DateTime64(6, 'UTC')}"

    assert 0 < lived.checksum("part-topics").credit_rows < lived.checksum("live").credit_rows
    assert lived.checksum("part-topics") == lived.checksum("part-facts")
    assert [lived.scalar(outside, r=run.run_id, m=middle) for run in parts.values()] == [0, 0]
    assert differing(lived.compare("live", "part-topics")) == {}

    run = parts["topics"]
    Roller(lived.client()).drain()
    held = rows_of(lived, run)
    results = [lived.call("runs", "drop", run.name, "--data-dir", str(lived.folder)) for _ in range(2)]
    admin = AdminClient({"bootstrap.servers": lived.bootstrap})
    assert all(held.values()), held
    assert [r.exit_code for r in results] == [0, 0], results[0].output
    assert not any(rows_of(lived, run).values())
    assert not [t for t in admin.list_topics(timeout=10).topics if run.group_id in t]
    assert run.group_id not in {g.group_id for g in admin.list_consumer_groups().result().valid}
    assert not (lived.folder / "replays" / run.name).exists()
    assert run.name not in lived.call("runs", "list").output
    assert lived.runs().find(run.name) is None


def test_a_replay_that_was_killed_goes_on_by_the_same_command(lived: Lived) -> None:
    """The command is killed in the middle; no worker outlives it; the second call does only the rest."""
    words = [sys.executable, "-P", "-m", "cli", "replay", "--as", "killed", "--data-dir", str(lived.folder)]
    env = {**os.environ, **lived.environment(0), **SLOW}
    done = 0
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 120
        while done == 0 and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.02)
            done = lived.scalar(
                "SELECT sum(offset) FROM worker_progress FINAL WHERE app LIKE '%replay%' AND run_id = "
                "(SELECT max(run_id) FROM runs WHERE label = 'killed')"
            )
        busy = [
            lived.call(*words, "--data-dir", str(lived.folder))
            for words in (("runs", "drop", "killed"), ("replay", "--as", "killed"))
        ]
        first.send_signal(signal.SIGKILL)
    halted = lived.runs().get("killed")
    refused = lived.call("runs", "promote", "killed")
    other = lived.call("replay", "--as", "killed", "--half-life-days", "3", "--data-dir", str(lived.folder))
    resumed = lived.replay("killed")

    assert 0 < done < 5_000
    assert [(r.exit_code, "at work" in r.output or "another process" in r.output) for r in busy] == [(1, True)] * 2
    assert halted.status == "running"
    assert refused.exit_code == 1
    assert "only a complete run" in refused.output
    assert other.exit_code == 2
    assert "other parameters" in other.output
    assert resumed.status == "complete"
    assert lived.checksum("killed") == lived.checksum("live")


def test_a_replay_from_facts_that_was_killed_does_only_the_open_buckets(lived: Lived) -> None:
    """Buckets that were finished before are not done again; the rows are the same."""
    runs, live = lived.runs(), lived.runs().get("live")
    run = runs.create(
        Run(
            0,
            "buckets",
            live.models,
            live.config_hash,
            live.config,
            "running",
            "facts",
            total=5_000,
            plan={"buckets": 5, "finished": []},
        )
    )
    settings = settings_of(run, WorkerSettings())
    saved: list[Run] = []

    def save_twice(state: Run) -> None:
        saved.append(state)
        if len(saved) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FactsReplay(run, settings, lived.client(), save_twice).run()
    runs.save(saved[1])
    rest: list[Run] = []
    FactsReplay(runs.get("buckets"), settings, lived.client(), rest.append).run()

    assert saved[1].plan["finished"] == [0, 1]
    assert [r.plan["finished"] for r in rest] == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]
    assert lived.checksum("buckets") == lived.checksum("live")


def test_promoting_is_seen_by_the_next_query_and_workers_change_to_the_run(lived: Lived) -> None:
    """New events reach the promoted run alone; going back is the same command, and forward again only without a gap."""
    lived.replay("shown")
    shown = lived.runs().get("shown").run_id
    store = ClickHouseStore(ClickHouseSettings(url=lived.clickhouse_url, database=lived.database))
    assert store.standing().meta.run_id == 1
    worker = start_following(lived, 5)
    promoted = lived.call("runs", "promote", "shown")
    seen, not_summed = store.standing().meta.run_id, Roller(lived.client()).freshness().dirty_days
    code = worker.wait(30)
    del lived.workers[5]
    assert promoted.exit_code == 0, promoted.output
    assert (seen, not_summed, code) == (shown, 0, RUN_CHANGED), lived.log_tail()

    live_rows = lived.checksum("live")
    start_following(lived, 6)
    body = {"event_id": "new-1", "customer_id": "new", "occurred_at": "2026-10-20T10:00:00Z", "conversion_type": "lead"}
    lived.produce([Sent("conversion", b"new", json.dumps(body).encode())])
    wait_for(lambda: lived.scalar("SELECT count() FROM credits WHERE conversion_id = 'new-1'") > 0, lived)
    assert lived.stop(6) == 0
    assert lived.scalar("SELECT count() FROM conversions WHERE event_id = 'new-1'") == 1
    assert lived.checksum("live") == live_rows
    refused = lived.call("runs", "drop", "shown", "--data-dir", str(lived.folder))
    assert (refused.exit_code, "promote another run first" in refused.output) == (1, True)

    assert lived.call("runs", "promote", "live").exit_code == 0
    assert store.standing().meta.run_id == 1
    gap = lived.call("runs", "promote", "shown")
    lived.start()
    lived.wait()
    assert lived.stop(0) == 0
    again = lived.call("runs", "promote", "shown")
    assert lived.call("runs", "promote", "live").exit_code == 0
    assert (gap.exit_code, "would be missing" in gap.output) == (1, True), gap.output
    assert again.exit_code == 0, again.output
    assert lived.checksum("live") == lived.checksum("shown") != live_rows


def test_a_run_that_nobody_can_feed_is_promoted_only_as_frozen(lived: Lived) -> None:
    lived.replay("still", "--source", "facts", "--models", "linear")
    refused = lived.call("runs", "promote", "still")
    accepted = lived.call("runs", "promote", "still", "--frozen")
    listed = json.loads(lived.call("runs", "list", "--json").output)
    assert lived.call("runs", "promote", "live").exit_code == 0

    assert refused.exit_code == 1
    assert "--frozen" in refused.output
    assert accepted.exit_code == 0
    assert [r["name"] for r in listed if r["is_active"]] == ["still"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["replay", "--as", "live"], 2, "none of active, live"),
        (["replay", "--as", "a b"], 2, "half-life-14"),
        (["replay", "--as", "x", "--from", "tomorrow"], 2, "ISO-8601"),
        (["replay", "--as", "x", "--from", "2026-09-02", "--to", "2026-09-01"], 2, "is not after"),
        (["replay", "--as", "x", "--half-life-days", "-1"], 2, "half_life_days=-1"),
        (["replay", "--as", "x", "--models", "first_click"], 2, "first_touch"),
        (["replay", "--as", "x", "--source", "files"], 2, "auto, topics or facts"),
        (["replay", "--as", "x", "--config", "/nowhere.yaml"], 2, "cannot be read"),
        (["runs", "compare", "live", "nobody"], 1, "does not exist; there are: live"),
        (["runs", "promote", "nobody"], 1, "does not exist"),
        (["runs", "drop", "nobody"], 1, "does not exist"),
        (["runs", "drop", "live"], 1, "active one"),
        (["worker", "--run", "nobody"], 1, "does not exist"),
    ],
)
def test_wrong_input_is_told_and_changes_nothing(lived: Lived, words: list[str], code: int, told: str) -> None:
    before = len(lived.runs().every())
    result = lived.call(*words, *(["--data-dir", str(lived.folder)] if words[0] == "replay" else []))

    assert result.exit_code == code, result.output
    assert told in result.output
    assert len(lived.runs().every()) == before


def start_following(stream: Lived, index: int) -> subprocess.Popen[bytes]:
    """A worker of the active run, ready."""
    log: Path = stream.folder / f"worker-{index}.log"
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", "worker", "--run", "active"],
            env={**os.environ, **stream.environment(index)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stream.workers[index] = worker
    wait_for(lambda: stream.is_ready(index), stream)
    return worker


def wait_for(is_true: Any, stream: Lived, timeout: float = 40) -> None:
    deadline = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < deadline, stream.log_tail()
        time.sleep(0.1)
