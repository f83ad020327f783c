"""Cutting migration files into statements; names and settings that are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clickhouse import migrate, queries
from clickhouse.settings import ClickHouseSettings

PIECES = st.sampled_from(
    ["SELECT 1", "'a;b'", "'it''s; --'", "'\\';'", '"x;y"', "`t.id;`", "/* no; */", "-- no; 'quote\n", "{", "é", "\n"]
)


@given(st.lists(st.lists(PIECES, min_size=1, max_size=4).map(lambda p: " ".join(["SELECT", *p])), max_size=5))
def test_statements_are_cut_at_semicolons_outside_comments_and_quotes(statements: list[str]) -> None:
    found = migrate.split_statements("\n;".join(statements))

    assert len(found) == len(statements)
    for step, original in zip(found, statements, strict=True):
        text = step.statement
        for quoted in ("'a;b'", "'it''s; --'", "'\\';'", '"x;y"', "`t.id;`"):
            assert text.count(quoted) == original.count(quoted)
        assert "no;" not in text


def test_a_file_of_comments_has_no_statement() -> None:
    assert migrate.split_statements("-- nothing; here\n/* nor ; here */ ;;\n") == []


def test_migrations_are_numbered_without_gaps_and_each_has_statements() -> None:
    migrations = migrate.load()

    assert [m.version for m in migrations] == list(range(1, len(migrations) + 1))
    assert all(m.steps for m in migrations)


def test_every_statement_of_a_migration_can_be_repeated() -> None:
    repeatable = ("CREATE TABLE IF NOT EXISTS ", "CREATE OR REPLACE ", "INSERT INTO ", "DROP TABLE IF EXISTS ")
    for migration in migrate.load():
        for step in migration.steps:
            statement = step.statement
            adds = statement.startswith("ALTER TABLE ") and statement.count("ADD COLUMN IF NOT EXISTS ") == len(
                re.findall(r"\b(?:ADD|DROP|MODIFY(?! ORDER BY)|RENAME|UPDATE|DELETE)\b", statement)
            )
            indexes = re.fullmatch(
                r"ALTER TABLE \w+\s+(ADD INDEX IF NOT EXISTS [^,]+|MATERIALIZE INDEX \w+)", statement
            )
            assert adds or indexes or step.only_if or statement.startswith(repeatable), (
                f"{migration.name}: {statement[:60]}"
            )


def test_a_guard_belongs_to_the_statement_behind_it() -> None:
    found = migrate.split_statements(
        "SELECT 1;\n-- only if: SELECT 0\n-- why\nSELECT 2;\n-- only if it rains\nSELECT 3"
    )

    assert found == [migrate.Step("SELECT 1"), migrate.Step("SELECT 2", "SELECT 0"), migrate.Step("SELECT 3")]


def test_a_checksum_ignores_line_ends_and_nothing_else() -> None:
    def checksum(sql: str) -> str:
        return migrate.Migration(1, "x_y", sql).checksum

    assert checksum("a\r\nb") == checksum("a\nb") != checksum("a\n b")


def test_every_query_describes_each_of_its_parameters() -> None:
    for name in queries.names():
        header = [line for line in queries.load(name).splitlines() if line.startswith("--")]
        for parameter in queries.parameters(name):
            assert any(parameter in line for line in header), f"{name}: {parameter}"


def test_an_unknown_query_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'nope' does not exist; there are: .*report_credits"):
        queries.load("nope")


def test_missing_and_unknown_parameters_are_named() -> None:
    with pytest.raises(ValueError, match=r"missing parameters \['day'\], unknown parameters \['max'\]"):
        queries.run(None, "bench_customer", max=1)  # type: ignore[arg-type]  # not reached


def test_a_table_name_that_is_not_plain_is_refused() -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        queries.execute(
            None,  # type: ignore[arg-type]  # not reached
            "rollups_replace_day",
            tables={"rollup_stage": "x; DROP TABLE spend"},
            run_id=1,
            day="2026-01-01",
        )


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "tcp://h:9000", "http://", "http://h:99999", "http://u:p@h:1"])
def test_a_url_that_is_no_http_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValidationError, match=r"for instance http://127\.0\.0\.1:8123"):
        ClickHouseSettings(url=url)


@pytest.mark.parametrize("database", ["", "1st", "a-b", "a b", "x;y"])
def test_a_database_name_that_needs_quoting_is_refused(database: str) -> None:
    with pytest.raises(ValidationError, match="letters, digits and underscores"):
        ClickHouseSettings(database=database)


@pytest.mark.parametrize(
    ("url", "compression", "expected"),
    [
        ("http://127.0.0.1:8123", "auto", None),
        ("https://db.example:8443", "auto", "lz4"),
        ("https://db.example:8443", "off", None),
        ("http://localhost:8123", "zstd", "zstd"),
    ],
)
def test_bodies_are_compressed_for_other_machines_only(url: str, compression: str, expected: str | None) -> None:
    settings = ClickHouseSettings.model_validate({"url": url, "compression": compression})

    assert settings.wire_compression == expected


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(ClickHouseSettings.model_validate({"password": "s3cret"}))
