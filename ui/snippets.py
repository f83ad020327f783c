"""What a first event looks like, by way of sending: texts that can be pasted as they are. Pure.

Each way sends an event of a customer of its own, so that the page can tell which of them has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

#: Stands where the key belongs, until one was made.
NO_KEY: Final = "YOUR_WRITE_KEY"


class Way(NamedTuple):
    """One way of sending.

    Attributes:
        name: short, in the customer's id.
        title: for people.
        text: from the address of the API, the write key and the customer's id.
        needs: what must be there first.
    """

    name: str
    title: str
    text: Callable[[str, str, str], str]
    needs: str


def _curl(url: str, key: str, customer: str) -> str:
    return f"""curl -s {url}/api/v1/data/touchpoints \\
  -H "X-API-Key: {key}" -H "Content-Type: application/json" \\
  -d '[{{"event_id": "{customer}-1", "customer_id": "{customer}", "channel": "Email",
       "occurred_at": "'$(date -u +%FT%TZ)'"}}]'"""


def _python(url: str, key: str, customer: str) -> str:
    return f"""from attribution_client import Client

with Client("{url}", "{key}") as client:
    client.track("{customer}", "Paid Search", cost="0.80", currency="USD")
    client.conversion("{customer}", "49.90", currency="USD", order_id="{customer}")
    print(client.flush())"""


def _segment(url: str, key: str, customer: str) -> str:
    return f"""from segment.analytics import Client

analytics = Client("{key}", host="{url}")
analytics.page("{customer}", properties={{"url": "https://shop.example/?utm_source=news&utm_medium=email"}},
               context={{"page": {{"url": "https://shop.example/?utm_source=news&utm_medium=email"}}}})
analytics.track("{customer}", "Order Completed", {{"order_id": "{customer}", "total": 49.90, "currency": "USD"}})
analytics.flush()"""


def _kafka(url: str, key: str, customer: str) -> str:
    del url, key
    return f"""import json, os
from datetime import UTC, datetime
from confluent_kafka import Producer

producer = Producer({{"bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
                     "partitioner": "murmur2_random", "acks": "all"}})
event = {{"event_id": "{customer}-1", "customer_id": "{customer}", "channel": "Paid Social",
         "occurred_at": datetime.now(UTC).isoformat()}}
producer.produce("attribution.touchpoints", key="{customer}", value=json.dumps(event))  # the key is the customer id
producer.flush()"""


WAYS: Final = (
    Way("curl", "curl", _curl, "Nothing but curl."),
    Way("python", "Python", _python, "`pip install ./clients/python` in the repository."),
    Way(
        "segment",
        "Segment",
        _segment,
        "`pip install segment-analytics-python`. Other SDKs of Segment and RudderStack, and GA4: docs/collector.md.",
    ),
    Way(
        "kafka",
        "Kafka",
        _kafka,
        "`pip install confluent-kafka`, and the broker's address in KAFKA_BOOTSTRAP_SERVERS.",
    ),
)
