"""Raw facts come back customer by customer, each once, whole, over any number of buckets; merged ids together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from attribution.types import ConversionEvent
from clickhouse import facts
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.clickhouse

#: Every customer ü0..ü39 has ten touches, each written twice; ü20..ü59 have a conversion.
TOUCHES = """
    INSERT INTO touchpoints (event_id, customer_id, occurred_at, channel, campaign, touch_type, received_at)
    SELECT concat('t', toString(number)), concat('ü', toString(number % 40)), toDateTime64(1760000000 + number, 6),
           'email', 'spring', 'click', now64(6) + copy
    FROM (SELECT number, arrayJoin([0, 1]) AS copy FROM numbers(400))
"""
CONVERSIONS = """
    INSERT INTO conversions
        (event_id, customer_id, occurred_at, conversion_type, order_id, value_micros, currency, status, received_at)
    SELECT concat('k', toString(number)), concat('ü', toString(number)), toDateTime64(1760009999, 6), 'purchase',
           concat('o', toString(number)), number, 'USD', 'completed', now64(6)
    FROM numbers(20, 40)
"""


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    client.command(TOUCHES)
    client.command(CONVERSIONS)
    yield client
    client.close()


@pytest.mark.parametrize("buckets", [1, 7])
def test_every_customer_comes_once_with_all_events(client: Client, buckets: int) -> None:
    roots = {"ü1": "ü21", "ü2": "ü21", "ü59": "nobody"}
    found = [facts.customers(client, bucket=bucket, buckets=buckets, roots=roots) for bucket in range(buckets)]
    rows = {f.customer_id: (len(f.touches), len(f.events)) for bucket in found for f in bucket}
    plain = {f"ü{i}": (10 * (i < 40), int(i >= 20)) for i in range(60) if i not in {1, 2, 21, 59}}

    assert rows == plain | {"ü21": (30, 1), "nobody": (0, 1)}
    assert facts.count(client) >= 440


def test_events_are_those_of_the_core(client: Client) -> None:
    found = {f.customer_id: f for f in facts.customers(client, bucket=0, buckets=1, roots={})}

    assert min(found["ü20"].touches) == (1_760_000_020_000_000, "t20", "email", "spring")
    assert found["ü20"].events == [
        ConversionEvent(1_760_009_999_000_000, "k20", "purchase", "o20", 20, "USD", "completed", ""),
    ]
