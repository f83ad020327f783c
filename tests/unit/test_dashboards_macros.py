"""Variables and macros become the SQL that the ClickHouse plugin documents, and nothing is passed on unexpanded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboards.macros import Chosen, MacroError, Selection, expand, expand_backend, used_variables

SELECTION = Selection(
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 11, 2, 12, 30, 0, 500_000, tzinfo=UTC),
    {
        "run": Chosen(("1",)),
        "channel": Chosen(("Email", "Bob's")),
        "campaign": Chosen(("a", "b"), is_all=True),
        "odd": Chosen(("back\\slash",)),
        "blank": Chosen(("",)),
    },
    interval_s=300,
)
FROM, TO = "toDateTime(1793491200)", "toDateTime(1793622600)"


@pytest.mark.parametrize(
    ("sql", "expanded"),
    [
        ("$__timeFilter(t)", f"t >= {FROM} AND t <= {TO}"),
        (
            "$__timeFilter_ms(t)",
            "t >= fromUnixTimestamp64Milli(1793491200000) AND t <= fromUnixTimestamp64Milli(1793622600500)",
        ),
        ("$__dateFilter(d)", "d >= toDate('2026-11-01') AND d <= toDate('2026-11-02')"),
        ("toDate($__fromTime, 'UTC'), $__toTime", f"toDate({FROM}, 'UTC'), {TO}"),
        ("$__fromTime_ms", "fromUnixTimestamp64Milli(1793491200000)"),
        ("$__timeFrom(t) AND $__timeTo(t)", f"t >= {FROM} AND t <= {TO}"),
        ("$__timeInterval(t)", "toStartOfInterval(toDateTime(t), INTERVAL 300 second)"),
        ("$__timeGroup(t, 5m)", "toStartOfInterval(toDateTime(t), INTERVAL 300 second)"),
        ("n / $__interval_s", "n / 300"),
        ("$__timeFilter(max(t))", f"max(t) >= {FROM} AND max(t) <= {TO}"),
        ("${run:sqlstring}", "'1'"),
        ("c IN (${channel:sqlstring})", "c IN ('Email','Bob''s')"),
        ("${odd:sqlstring}", "'back\\\\slash'"),
        ("$__conditionalAll(c IN (${channel:sqlstring}), $channel)", "c IN ('Email','Bob''s')"),
        ("$__conditionalAll(c IN (${campaign:sqlstring}), $campaign)", "1=1"),
        ("$__conditionalAll(c = ${blank:sqlstring}, ${blank})", "1=1"),
        (
            "if($__conditionalAll(0, $campaign), [], [${campaign:sqlstring}])",
            "if(1=1, [], ['a','b'])",
        ),
        ("price = '5 $'", "price = '5 $'"),
    ],
)
def test_expansions(sql: str, expanded: str) -> None:
    assert expand(sql, SELECTION) == expanded


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("$__timeFiltre(t)", "no macro of the ClickHouse plugin"),
        ("$__timeFilter(a, b)", "1 arguments wanted"),
        ("$__timeFilter(t", "not closed"),
        ("$__timeGroup(t, monthly)", "no duration"),
        ("$__conditionalAll(x)", "give a condition and a"),
        ("${nobody:sqlstring}", "no such variable"),
        ("${run}", "quotes the value"),
        ("$run", "quotes the value"),
        ("${run:raw}", "quotes the value"),
    ],
)
def test_what_grafana_would_pass_on_is_an_error(sql: str, reason: str) -> None:
    with pytest.raises(MacroError, match=reason):
        expand(sql, SELECTION)


@pytest.mark.parametrize("sql", ["${run:sqlstring}", "$run", "$__conditionalAll(a, $run)"])
def test_an_alert_rule_has_no_variables(sql: str) -> None:
    assert expand_backend("$__timeFilter(t)", SELECTION) == f"t >= {FROM} AND t <= {TO}"
    with pytest.raises(MacroError):
        expand_backend(sql, SELECTION)


def test_used_variables() -> None:
    assert used_variables("$__timeFilter(t) ${a:sqlstring} $b $__conditionalAll(x, ${c})") == {"a", "b", "c"}
