"""A wrong setting is told with variable, value and example; whatever is left out has its default."""

from __future__ import annotations

import pytest

from telemetry.settings import TelemetrySettings, TelemetrySettingsError


def test_nothing_and_empty_values_are_the_defaults() -> None:
    """No port is opened unless somebody asks for it."""
    names = ("METRICS_HOST", "METRICS_PORT", "LOG_FORMAT", "LOG_LEVEL")
    empty = {f"ATTRIBUTION_{name}": "" for name in names}
    assert TelemetrySettings.of_environment({}) == TelemetrySettings.of_environment(empty) == TelemetrySettings()


def test_the_environment_is_read() -> None:
    given = {
        "ATTRIBUTION_METRICS_HOST": "0.0.0.0",  # noqa: S104 - as in a container
        "ATTRIBUTION_METRICS_PORT": "9101",
        "ATTRIBUTION_LOG_FORMAT": "JSON",
        "ATTRIBUTION_LOG_LEVEL": "info",
    }
    assert TelemetrySettings.of_environment(given) == TelemetrySettings("0.0.0.0", 9101, "json", "info")  # noqa: S104 - same


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ATTRIBUTION_METRICS_PORT", "65536"),
        ("ATTRIBUTION_METRICS_PORT", "-1"),
        ("ATTRIBUTION_METRICS_PORT", "web"),
        ("ATTRIBUTION_LOG_FORMAT", "yaml"),
        ("ATTRIBUTION_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_told(name: str, value: str) -> None:
    with pytest.raises(TelemetrySettingsError) as caught:
        TelemetrySettings.of_environment({name: value})
    text = str(caught.value)
    assert f"{name}={value!r}" in text
    assert f"for example {name}=" in text
