"""Settings of a population, and the command line in front of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from cli.simulate import register
from loadgen.config import CHANNELS, ConfigError, PopulationConfig
from loadgen.population import Population


def run(*arguments: str) -> Any:
    app = Typer()
    register(app)
    app.command()(lambda: None)  # a second command keeps `simulate` a subcommand
    return CliRunner().invoke(app, ["simulate", *arguments])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("duplicates", -0.1),
        ("duplicates", float("nan")),
        ("refunds", 1.5),
        ("malformed", 1.0),
        ("customers", 0),
        ("events_per_day", float("inf")),
        ("max_touches", 0),
        ("disorder_minutes", 10**9),
        ("channels", ()),
        ("channels", (CHANNELS[0], CHANNELS[0])),
        ("currencies", (("USD", 0.0),)),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(field: str, value: Any) -> None:
    """The error holds the field, the value and a way out."""
    with pytest.raises(ConfigError) as caught:
        PopulationConfig(**{field: value})

    assert str(caught.value).startswith(field)
    assert ": give" in str(caught.value) or ": leave" in str(caught.value)


def test_corrections_cannot_exceed_the_conversions() -> None:
    """Each conversion has at most one correction."""
    with pytest.raises(ConfigError, match="refunds"):
        PopulationConfig(refunds=0.5, cancellations=0.4, restatements=0.2)


def test_own_channels_are_used() -> None:
    """A population of one channel sends nothing else."""
    config = replace(PopulationConfig(), channels=(CHANNELS[4],), malformed=0.0)

    channels = {
        r.event.channel  # type: ignore[union-attr]  # the kind says which
        for r in Population(config, seed=1, start_at_us=10**15).records(500)
        if r.kind == "touchpoint"
    }

    assert channels == {"Email"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--live", "--rate", "0"], "--rate=0"),
        (["--live", "--start", "2026-01-01"], "--start='2026-01-01'"),
        (["--events", "0"], "--events=0"),
        (["--start", "last week"], "--start='last week'"),
        (["--start", "2999-01-01"], "end in the future"),
        (["--out-of-order", "7"], "--out-of-order=7.0: give a share"),
        (["--customers", "0"], "--customers=0"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(arguments: list[str], told: str) -> None:
    """Mistakes on the command line are told with the option and its value, without a traceback."""
    outcome = run(*arguments)

    assert outcome.exit_code == 2
    assert told in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_dry_run_prints_records_and_needs_no_broker() -> None:
    """Each line is a record in readable form; the same seed prints the same."""
    arguments = ("--dry-run", "--seed", "4", "--start", "2026-01-01", "--avro", "0", "--malformed", "0")
    first, again = run(*arguments), run(*arguments)

    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert first.exit_code == 0
    assert first.stdout == again.stdout
    assert len(lines) == 20
    assert {line["topic"] for line in lines} <= {
        "attribution.touchpoints",
        "attribution.conversions",
        "attribution.spend",
    }
    assert all(json.loads(line["value"])["customer_id"] == line["key"] for line in lines)
