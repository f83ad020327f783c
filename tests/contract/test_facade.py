"""The facade speaks ClickHouse's HTTP interface: clickhouse-connect and plain HTTP find what a server gives them."""

from __future__ import annotations

import http.client
import itertools
import random
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

pytestmark = pytest.mark.clickhouse

VALUES: dict[str, list[Any]] = {
    "Int64": [-(2**63), 0, 2**63 - 1],
    "UInt64": [0, 1, 2**64 - 1],
    "Float64": [0.1, -1e300, 5e-324],
    "String": ["", "größe ✓", "a'b\\c\n"],
    "LowCardinality(String)": ["x", "y", "x"],
    "DateTime64(6, 'UTC')": [datetime(2026, 9, 1, 12, 0, 0, n, tzinfo=UTC) for n in (0, 1, 999_999)],
    "Decimal(18, 6)": [Decimal("0.000001"), Decimal("-5.000000"), Decimal("123456789012.123456")],
    "Nullable(Int32)": [None, 0, -1],
    "Array(String)": [[], ["a"], ["a", "", "b"]],
    "Map(String, String)": [{}, {"k": "v"}, {"a": "1", "b": "2"}],
    "UUID": [uuid.UUID(int=n) for n in (0, 1, 2**127)],
}


@pytest.fixture(params=[False, "lz4", "zstd", "gzip"])
def client(request: pytest.FixtureRequest, clickhouse_url: str, clickhouse_database: str) -> Iterator[Any]:
    parts = urlsplit(clickhouse_url)
    found = clickhouse_connect.get_client(
        host=parts.hostname, port=parts.port, database=clickhouse_database, compress=request.param, tz_mode="aware"
    )
    yield found
    found.close()


def test_every_type_comes_back_as_it_was_inserted(client: Any) -> None:
    """Bounds, time fractions, unicode, nulls and nested values."""
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(VALUES))
    client.command(f"CREATE TABLE kinds (n UInt8, {columns}) ENGINE = MergeTree ORDER BY n")
    summary = client.insert("kinds", [[0, 1, 2], *VALUES.values()], column_oriented=True)

    assert summary.written_rows == 3
    rows = client.query("SELECT * EXCEPT n FROM kinds ORDER BY n").result_columns
    assert [list(column) for column in rows] == list(VALUES.values())


def test_an_insert_of_several_blocks_arrives_whole(client: Any) -> None:
    """Compressed bodies are several frames; all of them count."""
    client.command("CREATE TABLE many (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
    count = 300_000
    summary = client.insert("many", [list(range(count)), ["x" * 40] * count], ["n", "s"], column_oriented=True)

    assert summary.written_rows == count
    assert client.query("SELECT count(), sum(n) FROM many").result_rows == [(count, count * (count - 1) // 2)]


def test_parameters_are_bound_by_the_server(client: Any) -> None:
    """Text with quotes stays text."""
    found = client.query(
        "SELECT {text:String}, {n:Int64}, {list:Array(String)}, {at:DateTime64(6, 'UTC')}",
        parameters={"text": "it's; DROP", "n": -5, "list": ["a", "b'c"], "at": datetime(2026, 9, 1, tzinfo=UTC)},
    )

    assert found.result_rows == [("it's; DROP", -5, ["a", "b'c"], datetime(2026, 9, 1, tzinfo=UTC))]


def test_settings_reach_the_query_and_errors_keep_their_codes(client: Any) -> None:
    """A limit is enforced; an unknown table is code 60, a syntax error 62."""
    with pytest.raises(DatabaseError, match="60"):
        client.query("SELECT 1 FROM no_such_table")
    with pytest.raises(DatabaseError, match="62"):
        client.query("SELEC 1")
    with pytest.raises(DatabaseError, match=r"158|396"):
        client.query(
            "SELECT number FROM numbers(1000)", settings={"max_rows_to_read": 10, "read_overflow_mode": "throw"}
        )


def test_no_call_sees_what_another_has_set(clickhouse_url: str, clickhouse_database: str) -> None:
    """Sessions are used again: settings, database, rights and temporary tables stay with the call that brought them."""
    ask = "SELECT getSetting('max_block_size'), currentDatabase(), getSetting('readonly')"
    usual = ["65409", "default", "0"]

    def answer(statement: str, **words: str) -> tuple[int, list[str]]:
        connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=30)
        connection.request("POST", "/?" + urlencode(words), body=statement.encode())
        found = connection.getresponse()
        told = (found.status, found.read().decode().split())
        connection.close()
        return told

    for size, database, readonly in random.Random(1).choices(
        list(itertools.product(("", "7", "9"), ("", clickhouse_database), ("", "1", "2"))), k=60
    ):
        given = {"max_block_size": size, "database": database, "readonly": readonly}
        expected = [size or usual[0], database or usual[1], readonly or usual[2]]
        assert answer(ask, **{name: value for name, value in given.items() if value}) == (200, expected)
    for change in (
        "SET max_block_size = 5",
        f"USE {clickhouse_database}",
        "CREATE TEMPORARY TABLE only_here (n UInt8)",
        "SELECT throwIf(1)",
        "INSERT INTO no_such_table FORMAT TSV\n1",
    ):
        answer(change)
        assert answer(ask) == (200, usual), change
        assert answer("SELECT * FROM only_here")[0] == 404, change
    assert answer("SELECT {n:UInt8}", param_n="3") == (200, ["3"])
    assert answer("SELECT {n:UInt8}")[0] != 200, "a parameter of the call before"


def test_a_database_that_was_dropped_is_gone_for_whoever_was_in_it(client: Any, clickhouse_url: str) -> None:
    parts, name = urlsplit(clickhouse_url), f"gone_{uuid.uuid4().hex[:8]}"
    client.command("CREATE DATABASE {name:Identifier}", parameters={"name": name})
    own = clickhouse_connect.get_client(host=parts.hostname, port=parts.port, database=name)
    for _ in range(2):
        own.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
        own.insert("t", [[1]], ["n"])
        assert own.query("SELECT count() FROM t").result_rows == [(1,)]
        client.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": name})
        with pytest.raises(DatabaseError, match="81"):
            own.query("SELECT 1")
        client.command("CREATE DATABASE {name:Identifier}", parameters={"name": name})
    client.command("DROP DATABASE {name:Identifier} SYNC", parameters={"name": name})
    own.close()


def test_clients_work_side_by_side(clickhouse_url: str, clickhouse_database: str) -> None:
    """Eight threads with their own clients insert and read; nothing is lost or mixed."""
    parts = urlsplit(clickhouse_url)

    def work(number: int) -> int:
        own = clickhouse_connect.get_client(host=parts.hostname, port=parts.port, database=clickhouse_database)
        table = {"table": f"t{number}"}
        own.command("CREATE TABLE {table:Identifier} (n UInt32) ENGINE = MergeTree ORDER BY n", parameters=table)
        for _ in range(5):
            own.insert(f"t{number}", [[number]] * 100, ["n"])
        (row,) = own.query("SELECT count(), min(n), max(n) FROM {table:Identifier}", parameters=table).result_rows
        own.close()
        assert row == (500, number, number)
        return number

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(work, range(8))) == list(range(8))


def test_a_client_that_disconnects_in_an_insert_leaves_no_row(clickhouse_url: str, clickhouse_database: str) -> None:
    """Half a body is no insert, and the server goes on."""
    parts = urlsplit(clickhouse_url)
    own = clickhouse_connect.get_client(host=parts.hostname, port=parts.port, database=clickhouse_database)
    own.command("CREATE TABLE half (n UInt32) ENGINE = MergeTree ORDER BY n")
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        query = f"/?database={clickhouse_database}&query=INSERT%20INTO%20half%20FORMAT%20TSV"
        connection.sendall(f"POST {query} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n1\n2\n3\n".encode())

    assert own.query("SELECT count() FROM half").result_rows == [(0,)]
    own.close()


def test_plain_http_answers_ping_and_reads_only_by_get(clickhouse_url: str) -> None:
    """What curl and load balancers use."""
    connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=10)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b"Ok.\n"
    connection.request("GET", "/?query=SELECT%201%2B1")
    assert connection.getresponse().read() == b"2\n"
    connection.request("GET", "/?query=CREATE%20DATABASE%20by_get")
    answer = connection.getresponse()
    assert answer.status != 200
    assert b"readonly" in answer.read().lower()
    connection.close()


def test_a_kafka_table_is_refused(client: Any) -> None:
    """The engine could not open its directory again."""
    with pytest.raises(DatabaseError, match=r"(?i)kafka"):
        client.command("CREATE TABLE k (n UInt8) ENGINE = Kafka('b:9092', 't', 'g', 'JSONEachRow')")
