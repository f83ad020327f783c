"""The files of ``deploy`` say what docs/security.md promises, and the engine's own parser reads the SQL."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
USERS = (DEPLOY / "clickhouse" / "users.sql").read_text(encoding="utf-8")
STATEMENTS = [s.strip() for s in re.sub(r"--[^\n]*", "", USERS).split(";") if s.strip()]


def test_the_proxy_passes_on_nothing_that_a_client_claims_and_logs_no_query() -> None:
    places = re.findall(r"location [^{]*\{([^}]*)\}", NGINX)
    assert len(places) == 3
    for place in places:
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in place
        assert "proxy_set_header X-Forwarded-Proto https;" in place
        assert 'proxy_set_header Forwarded "";' in place
    log = re.search(r"log_format plain '([^']*)'", NGINX)
    assert log is not None
    assert not set(re.findall(r"\$\w+", log[1])) & {"$request", "$args", "$query_string", "$request_uri"}
    assert "$http_" not in log[1]
    assert NGINX.count("{") == NGINX.count("}")
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in NGINX


def test_the_reader_reads_and_nothing_else() -> None:
    grants = [s for s in STATEMENTS if s.startswith("GRANT") and s.endswith("attribution_reader")]
    assert grants == [
        "GRANT SELECT ON attribution*.* TO attribution_reader",
        "GRANT SELECT ON system.parts TO attribution_reader",
    ]
    assert "SOURCES" not in "".join(STATEMENTS)
    (profile,) = (s for s in STATEMENTS if s.startswith("CREATE SETTINGS PROFILE"))
    assert "readonly = 2" in profile
    for limit in ("max_execution_time", "max_memory_usage", "max_rows_to_read", "max_result_rows"):
        assert re.search(rf"{limit} = \d+ (MIN \d+ )?MAX \d+", profile), limit


@pytest.mark.clickhouse
def test_the_engine_reads_every_statement(clickhouse_url: str) -> None:
    client = connect(ClickHouseSettings(url=clickhouse_url), use_database=False)
    try:
        for statement in STATEMENTS:
            (row,) = client.query("SELECT formatQuery({s:String})", parameters={"s": statement}).result_rows
            assert row[0].split()[:2] == statement.split()[:2]
    finally:
        client.close()
