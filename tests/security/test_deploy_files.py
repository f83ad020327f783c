"""The files of ``deploy`` say what docs/security.md promises, and the engine's own parser reads the SQL."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
USERS = (DEPLOY / "clickhouse" / "users.sql").read_text(encoding="utf-8")


def statements_of(text: str) -> list[str]:
    return [s.strip() for s in re.sub(r"--[^\n]*", "", text).split(";") if s.strip()]


STATEMENTS = statements_of(USERS)


def test_the_proxy_passes_on_nothing_that_a_client_claims_and_logs_no_query() -> None:
    places = re.findall(r"location [^{]*\{([^}]*)\}", NGINX)
    assert len(places) == 4
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


def made_users(folder: Path, **passwords: str) -> subprocess.CompletedProcess[str]:
    """What make_users.sh gives to the client, which is one that only shows it."""
    for name in ("admin", "migrator", "reader", "writer"):
        password = passwords.get(name, f"pass $word's {name}\n")
        (folder / f"clickhouse_{name}_password").write_text(password, encoding="utf-8")
    client = folder / "clickhouse-client"
    client.write_text('#!/bin/sh\necho "$CLICKHOUSE_PASSWORD $*" >&2\ncat\n', encoding="utf-8")
    client.chmod(0o755)
    where = {
        "SECRETS_DIR": str(folder),
        "USERS_SQL": str(DEPLOY / "clickhouse" / "users.sql"),
        "CLICKHOUSE_USER": "boss",
    }
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", **where}
    command = ["bash", str(DEPLOY / "clickhouse" / "make_users.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_users_are_made_with_digests_of_the_passwords_in_files(tmp_path: Path) -> None:
    done = made_users(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "pass $word's admin --host 127.0.0.1 --user boss --multiquery\n"
    for name in ("migrator", "reader", "writer"):
        digest = hashlib.sha256(f"pass $word's {name}".encode()).hexdigest()
        assert f"attribution_{name} IDENTIFIED WITH sha256_hash BY '{digest}'" in done.stdout
    assert "CHANGE_ME" not in re.sub(r"--[^\n]*", "", done.stdout)
    assert "$word" not in done.stdout
    assert len(statements_of(done.stdout)) == len(STATEMENTS)


def test_an_empty_password_makes_no_user(tmp_path: Path) -> None:
    done = made_users(tmp_path, writer="\n")
    assert done.returncode == 1
    assert "clickhouse_writer_password is empty" in done.stderr
    assert done.stdout == ""


@pytest.mark.clickhouse
def test_the_engine_reads_every_statement(clickhouse_url: str, tmp_path: Path) -> None:
    client = connect(ClickHouseSettings(url=clickhouse_url), use_database=False)
    try:
        for statement in STATEMENTS + statements_of(made_users(tmp_path).stdout):
            (row,) = client.query("SELECT formatQuery({s:String})", parameters={"s": statement}).result_rows
            assert row[0].split()[:2] == statement.split()[:2]
    finally:
        client.close()
