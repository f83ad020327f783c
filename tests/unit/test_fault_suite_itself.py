"""The harness of the fault suite, without a stack: invariants see what they are for, the matrix says what was run."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution.types import UNATTRIBUTED
from fault_oracle import Key, Row, expected_sums
from fault_report import RESULTS, Result, matrix, read
from invariants import no_key_twice, rows_equal_the_batch, sums_are_exact
from proxy import inserted_table

KEY: Key = ("linear", "k1")
TOUCHES = (("t1", 1, "email", ""), ("t2", 2, "email", "spring"))
ROW = Row("ada", "purchase", 86_400_000_000, 3, "USD", TOUCHES, (0.5, 0.5), (2, 1), "")


def test_each_row_invariant_sees_its_trouble_and_nothing_else() -> None:
    """Missing, wrong, doubled, one micro off."""
    wrong = ROW._replace(micros=(1, 1))

    assert rows_equal_the_batch([(KEY, ROW)], {KEY: ROW}) == []
    assert "missing" in rows_equal_the_batch([], {KEY: ROW})[0]
    assert "too many" in rows_equal_the_batch([(KEY, ROW)], {})[0]
    assert "wrong" in rows_equal_the_batch([(KEY, wrong)], {KEY: ROW})[0]
    assert no_key_twice([(KEY, ROW)]) == []
    assert "doubled" in no_key_twice([(KEY, ROW), (KEY, ROW)])[0]
    assert sums_are_exact([(KEY, ROW)]) == []
    assert "off" in sums_are_exact([(KEY, wrong)])[0]


def test_daily_sums_of_the_oracle_count_touches_that_earned() -> None:
    """By channel and campaign; an unattributed conversion has no touchpoint."""
    alone = Row("bob", "purchase", 1, 5, "USD", (("", 1, UNATTRIBUTED, ""),), (1.0,), (5,), "")
    sums = {key[2:4]: found for key, found in expected_sums({KEY: ROW, ("linear", "k2"): alone}).items()}

    assert sums == {("email", ""): (2, 1, 0.5), ("email", "spring"): (1, 1, 0.5), (UNATTRIBUTED, ""): (5, 0, 1.0)}


def test_the_matrix_counts_runs_violations_and_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is runs with a violation / runs that checked; a control is named with what it broke."""
    monkeypatch.setenv(RESULTS, str(tmp_path / "results.jsonl"))
    Result(1, "one", 1, counts={"kills": 1_000}, violations={"I1": [], "I2": ["rows missing: 1"]}).write()
    Result(1, "two", 2, counts={"kills": 20}, violations={"I1": []}).write()
    Result(1, "control", 3, control="b", violations={"I2": ["rows missing: 7"], "I7": ["x"], "I1": []}).write()
    lines = matrix(read(tmp_path / "results.jsonl")).splitlines()

    assert "| 2 | 1,020 kills | 1, 2 | 0/2 | 1/1 | - |" in lines[2]
    assert lines[-1] == "| b | commit before insert | 1 | 1 | I2, I7 |"


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/?query=INSERT+INTO+touchpoints+%28a%29+FORMAT+ArrowStream", b"", "touchpoints"),
        ("/?database=x", b"INSERT INTO `attributions` (a, b) FORMAT ArrowStream\n...", "attributions"),
        ("/?query=SELECT+1", b"", ""),
    ],
)
def test_the_proxy_knows_an_insert_and_its_table(path: str, body: bytes, table: str) -> None:
    """In the address or at the head of the body."""
    assert inserted_table(path, body) == table
