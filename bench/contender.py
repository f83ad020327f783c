"""This product as a contender of the peer benchmark: an engine, a worker, and a check of what it wrote.

The benchmark gives ``BOOTSTRAP``, ``TOUCHPOINTS_TOPIC``, ``CONVERSIONS_TOPIC``, ``STATE_DIR`` and ``GROUP_ID``.
The engine (ClickHouse behind its HTTP interface) is a child, so its CPU and memory are counted with the worker's.
On SIGTERM the workers stop first; then the credits in ClickHouse are checked and appended to
``ATTRIBUTION_BENCH_OUTPUT`` as one JSON line, with the seconds from the start of this process until the first credit
could be read.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from embedded.clickhouse import ClickHouse

WORKERS = int(os.environ.get("ATTRIBUTION_BENCH_WORKERS", "2"))
CHECK = Path(__file__).with_name("check.sql")


def main() -> None:
    """Run until SIGTERM."""
    began = time.monotonic()
    state, group = Path(os.environ["STATE_DIR"]), os.environ["GROUP_ID"]
    servers, touchpoints = os.environ["BOOTSTRAP"], os.environ["TOUCHPOINTS_TOPIC"]
    conversions = os.environ["CONVERSIONS_TOPIC"]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    engine_dir = state.parent / f"{group}-clickhouse"
    with ClickHouse(engine_dir) as engine:
        settings = ClickHouseSettings(url=engine.url, database="bench")
        migrate(settings)
        client = connect(settings)
        own_topics(servers, group, touchpoints)
        workers = [start_worker(i, servers, engine.url, group, touchpoints, conversions) for i in range(WORKERS)]
        first_credit_s = None
        while all(w.poll() is None for w in workers) and not stop.wait(0.1):
            if first_credit_s is None and client.command("SELECT count() FROM attributions") != 0:
                first_credit_s = round(time.monotonic() - began, 2)
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        codes = [worker.wait() for worker in workers]
        if (output := os.environ.get("ATTRIBUTION_BENCH_OUTPUT")) is not None:
            found = client.query(CHECK.read_text())
            row = dict(zip(found.column_names, found.result_rows[0], strict=True))
            with Path(output).open("a") as lines:
                lines.write(
                    json.dumps({"group": group, "worker_exits": codes, "first_credit_s": first_credit_s, **row}) + "\n"
                )
    sys.exit(0 if stop.is_set() else 1)


def start_worker(  # all come from the benchmark
    index: int, servers: str, engine: str, group: str, touchpoints: str, conversions: str
) -> subprocess.Popen[bytes]:
    """One worker with a state directory of its own."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("attribution"), "worker"],
        env={
            "ATTRIBUTION_EPOCH_RECORDS": "100000",  # a backlog alone: fewer inserts for more memory
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "CLICKHOUSE_URL": engine,
            "CLICKHOUSE_DATABASE": "bench",
            "ATTRIBUTION_GROUP_ID": group,
            "ATTRIBUTION_DATA_DIR": str(Path(os.environ["STATE_DIR"]) / f"worker-{index}"),
            "ATTRIBUTION_TOUCHPOINTS_TOPIC": touchpoints,
            "ATTRIBUTION_CONVERSIONS_TOPIC": conversions,
            "ATTRIBUTION_SPEND_TOPIC": f"{group}-spend",
            "ATTRIBUTION_IDENTITIES_TOPIC": f"{group}-identities",
            "ATTRIBUTION_ERASURES_TOPIC": f"{group}-erasures",
            "ATTRIBUTION_DEAD_LETTER_TOPIC": f"{group}-dead-letter",
        },
    )


def own_topics(servers: str, group: str, like: str) -> None:
    """The topics that the benchmark does not know; their names hold the group, so it deletes them."""
    admin = AdminClient({"bootstrap.servers": servers})
    existing = admin.list_topics(timeout=10).topics
    partitions = len(existing[like].partitions)
    names = [
        n
        for n in (f"{group}-spend", f"{group}-identities", f"{group}-erasures", f"{group}-dead-letter")
        if n not in existing
    ]
    if names:
        for future in admin.create_topics([NewTopic(n, partitions, 1) for n in names]).values():
            future.result()


if __name__ == "__main__":
    main()
