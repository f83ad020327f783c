"""Settings of a worker: the product's names, and a wrong value told with field, value and example."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from attribution.config import DAY_US, AttributionConfig
from stream_app.settings import WorkerSettings
from stream_app.settings_errors import explain


def test_the_defaults_are_the_core_s_defaults() -> None:
    """An empty environment computes what the library computes."""
    assert WorkerSettings().attribution_config() == AttributionConfig()


def test_the_environment_reaches_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists by comma, aliases resolved, days to microseconds."""
    monkeypatch.setenv("ATTRIBUTION_DEFAULT_MODELS", "linear, position_based,custom")
    monkeypatch.setenv("ATTRIBUTION_LOOKBACK_WINDOW_DAYS", "30")
    monkeypatch.setenv("ATTRIBUTION_HALF_LIFE_DAYS", "0.5")
    monkeypatch.setenv("ATTRIBUTION_EXCLUDE_CHANNELS", "Direct,Internal")
    config = WorkerSettings().attribution_config()

    assert config.models == ("linear", "u_shaped", "custom")
    assert (config.lookback_us, config.half_life_us) == (30 * DAY_US, DAY_US // 2)
    assert config.exclude_channels == {"direct", "internal"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ATTRIBUTION_DEFAULT_MODELS", "first_click", "first_touch"),
        ("ATTRIBUTION_DEFAULT_MODELS", " ", "at least one"),
        ("ATTRIBUTION_LOOKBACK_WINDOW_DAYS", "ninety", "=90"),
        ("ATTRIBUTION_LOOKBACK_WINDOW_DAYS", "-1", "=90"),
        ("ATTRIBUTION_HALF_LIFE_DAYS", "nan", "=7"),
        ("ATTRIBUTION_CUSTOM_WEIGHTS", "1,2", "three weights"),
        ("ATTRIBUTION_MAX_TOUCHPOINTS", "1", "=1000"),
        ("ATTRIBUTION_MAX_CONVERSIONS", "0", "=1000"),
    ],
)
def test_a_wrong_value_is_told_with_field_value_and_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    """One line that a reader can act on."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        WorkerSettings()
    text = explain(caught.value, WorkerSettings)

    assert name in text
    assert words in text


def test_a_parameter_that_came_later_leaves_the_hashes_of_older_runs_as_they_were() -> None:
    """A run described before there was a bound on conversions can still be computed again."""
    assert AttributionConfig().config_hash() == AttributionConfig(max_conversions=1_000).config_hash()
    assert AttributionConfig(max_conversions=999).config_hash() != AttributionConfig().config_hash()
    assert AttributionConfig(models=("linear",)).config_hash() == "7372cb40c02d"
