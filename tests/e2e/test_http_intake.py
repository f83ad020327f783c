"""Events by HTTP POST, through broker and worker into ClickHouse and out by REST: the batch, to the micro."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import pytest

from clickhouse.rollups import Roller
from fault_oracle import conversion_id_of
from loadgen.records import Record
from schemas.codec import encode_json
from schemas.events import ConversionWireEvent, SpendEvent
from schemas.topics import load_topics, topic_in, topic_of
from served_api import served_api
from simulated import Input, simulated, with_devices
from stream_harness import Credit, Stream, differences

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

E = TypeVar("E", ConversionWireEvent, SpendEvent)
PATHS = {"touchpoint": "touchpoints", "conversion": "conversions", "spend": "spend", "identity": "identities"}
PERIOD = {"start_date": "2026-08-01", "end_date": "2027-03-31"}
BROKEN = b'{"event_id": "broken", "customer_id": "c", "occurred_at": "never"}'


class World(NamedTuple):
    """A workspace of its own: its stream, and a client with its key."""

    stream: Stream
    client: httpx.Client


@pytest.fixture(scope="module")
def data() -> Input:
    """Valid events with redeliveries, disorder, late ones, refunds, restatements; a third of the people on devices."""
    made = with_devices(simulated(5_000, seed=61, customers=400), seed=3)
    return Input([record for record in made.records if not record.is_malformed])


@pytest.fixture
def world(kafka_bootstrap: str, clickhouse_url: str, clickhouse_database: str, tmp_path: Path) -> Iterator[World]:
    stream = Stream(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path)
    workspace = stream.group  # closing the stream removes the topics with this prefix
    stream.topics = {str(spec.kind): topic_in(workspace, spec.topic) for spec in load_topics().values()}
    stream.database = f"{clickhouse_database}_{workspace}"
    with served_api(kafka_bootstrap, clickhouse_url, clickhouse_database, tmp_path) as api:
        command = [sys.executable, "-P", "-m", "cli", "workspace", "create", workspace]
        subprocess.run(command, env=dict(api.environment), check=True, capture_output=True)
        stream.partitions = topic_of("touchpoint").partitions
        key = api.new_key("admin", "--workspace", workspace)
        with httpx.Client(base_url=api.url, headers={"X-API-Key": key}, timeout=60) as client:
            yield World(stream, client)
    stream.close()
    client = stream.client()
    client.command(f"DROP DATABASE {stream.database} SYNC")


def lines_of(records: Sequence[Record]) -> list[bytes]:
    """The spelling of each record if it is JSON; what was Avro is spelled anew."""
    return [r.value if r.value[:1] == b"{" else encode_json(r.event) for r in records if r.event is not None]


def post(client: httpx.Client, kind: str, records: Sequence[Record]) -> None:
    """One call, in the form that fits the kind best."""
    path, lines = f"/api/v1/data/{PATHS[kind]}", lines_of(records)
    if kind == "touchpoint":
        body = gzip.compress(b"\n".join([*lines, BROKEN]))
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    elif kind == "spend":
        body, headers = as_csv([json.loads(line) for line in lines]), {"Content-Type": "text/csv"}
    else:
        body, headers = b"[" + b",".join(lines) + b"]", {"Content-Type": "application/json"}
    answer = client.post(path, content=body, headers=headers)
    is_broken = kind == "touchpoint"
    assert answer.status_code == (207 if is_broken else 202), answer.text
    assert answer.json()["accepted"] == len(records)
    assert [e["index"] for e in answer.json()["errors"]] == ([len(records)] if is_broken else [])


def as_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({name for row in rows for name in row}))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def send_all(client: httpx.Client, records: Sequence[Record]) -> None:
    """In calls of a few hundred, kinds apart, in order of arrival."""
    for start in range(0, len(records), 700):
        by_kind: dict[str, list[Record]] = defaultdict(list)
        for record in records[start : start + 700]:
            by_kind[record.kind].append(record)
        for kind, found in by_kind.items():
            post(client, kind, found)


def results(client: httpx.Client, customer: str) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """All pages of a customer: model and conversion to touchpoint and micros."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    cursor: str | None = None
    while True:
        query = {"limit": "40"} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"/api/v1/attribution/results/{customer}", params=query).json()
        for row in page["results"]:
            credits_ = [(c["touchpoint_id"], c["value_micros"]) for c in row["credits"]]
            found[row["model"], row["conversion_id"]] = credits_ or [("", row["unattributed_value_micros"])]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def by_channel(client: httpx.Client, model: str, currency: str, column: str) -> dict[str, int]:
    """Amounts in one currency; there are no exchange rates, so it has no part of another one."""
    query = {**PERIOD, "attribution_model": model, "currency": currency}
    rows = client.get("/api/v1/analytics/channel-performance", params=query).json()["channels"]
    return {row["channel"]: row[column] for row in rows if row[column]}


def test_what_was_posted_is_answered_as_the_batch_says(world: World, data: Input) -> None:
    stream, client = world
    send_all(client, data.records)
    send_all(client, data.records[:700])  # sent again, as a client does that got no answer
    stream.start()
    stream.wait()
    want = data.expected()

    assert differences(stream.credits(), want) == ""
    assert stream.dead_letters() == []

    Roller(stream.client()).drain()
    by_customer: dict[str, list[Credit]] = defaultdict(list)
    of_channel: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    currencies = {conversion_id_of(e): e.currency for e in events_of(data, ConversionWireEvent) if not e.adjusts}
    for credit in (credit for found in want.values() for credit in found):
        by_customer[credit.customer_id].append(credit)
        of_channel[credit.model, currencies[credit.conversion_id]][credit.channel] += credit.value_micros
    for customer in sorted(by_customer)[::20]:
        expected: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        for credit in by_customer[customer]:
            expected[credit.model, credit.conversion_id].append((credit.touchpoint_id, credit.value_micros))
        assert results(client, customer) == expected
    assert {currency for _, currency in of_channel} == {"USD", "EUR", "GBP"}
    for (model, currency), found in of_channel.items():
        assert by_channel(client, model, currency, "revenue_micros") == {c: v for c, v in found.items() if v}
    assert by_channel(client, "linear", "USD", "spend_micros") == spend(data)

    erased = next(c for c, found in by_customer.items() if "device" not in str(found))
    forget(world, erased)
    left = {i: found for i, found in want.items() if found[0].customer_id != erased}
    assert len(left) < len(want)
    assert differences(stream.credits(), left) == ""
    assert results(client, erased) == {}


def events_of(data: Input, kind: type[E]) -> Iterator[E]:
    yield from (record.event for record in data.records if isinstance(record.event, kind))


def spend(data: Input) -> dict[str, int]:
    """Cost by channel; of several reports for one key the last one holds."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last: dict[tuple[int, str, str, str], SpendEvent] = {}
    for e in events_of(data, SpendEvent):
        last[e.spend_day, e.channel, e.campaign or "", e.source or ""] = e
    found: dict[str, int] = defaultdict(int)
    for event in last.values():
        day = (epoch + timedelta(days=event.spend_day)).date().isoformat()
        assert PERIOD["start_date"] <= day <= PERIOD["end_date"]
        found[event.channel] += event.cost_micros
    return dict(found)


def forget(world: World, customer: str) -> None:
    body = {"customer_id": customer, "policy": "delete"}
    first, second = (world.client.post("/api/v1/data/erasures", json=body) for _ in range(2))
    assert first.status_code == 202, first.text
    assert first.json() == second.json()
    world.stream.wait()
