"""The models as a library: the names and shapes that users of the predecessor know."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from attribution import (
    AttributionModelFactory,
    InvalidParameterError,
    InvalidTouchpointError,
    Touchpoint,
    UnknownModelError,
    compare_attribution_models,
)

T0 = datetime(2026, 9, 1, tzinfo=UTC)
PATH: list[dict[str, Any]] = [
    {"id": "a", "timestamp": T0, "channel": "Paid Search", "campaign": "brand", "cost": 1.5},
    {"id": "b", "timestamp": T0 + timedelta(days=7), "channel_id": "Email"},
    {"id": "c", "timestamp": T0 + timedelta(days=14), "channel": "Paid Search"},
    {"id": "d", "timestamp": T0 + timedelta(days=21), "channel": "Direct"},
]


def test_time_decay_over_weeks_is_fifteenths_in_path_order() -> None:
    """Ages 28, 21, 14 and 7 days with a half-life of 7: 1, 2, 4 and 8 fifteenths, and the sum is the value."""
    model = AttributionModelFactory.create_model("time_decay", half_life_days=7)
    result = model.calculate_attribution(PATH, conversion_value=100.0, conversion_time=T0 + timedelta(days=28))

    assert [c.touchpoint_id for c in result.credits] == ["a", "b", "c", "d"]
    assert [c.weight for c in result.credits] == [1 / 15, 2 / 15, 4 / 15, 8 / 15]
    assert [c.value_micros for c in result.credits] == [6_666_667, 13_333_333, 26_666_667, 53_333_333]
    assert result.credits[0].value == Decimal("6.666667")
    assert result.by_channel() == {
        "Paid Search": Decimal("33.333334"),
        "Email": Decimal("13.333333"),
        "Direct": Decimal("53.333333"),
    }


def test_touchpoints_may_be_objects_and_naive_times_are_utc() -> None:
    """Both forms give the same credits."""
    model = AttributionModelFactory.create_model("position_based")
    objects = [
        Touchpoint(p["id"], p["timestamp"].replace(tzinfo=None), p.get("channel") or p["channel_id"]) for p in PATH
    ]

    found = model.calculate_attribution(objects, conversion_value="90").credits
    assert [(c.touchpoint_id, c.weight, c.value_micros) for c in found] == [
        (c.touchpoint_id, c.weight, c.value_micros)
        for c in model.calculate_attribution(PATH, conversion_value=90).credits
    ]


def test_milestones_anchor_the_w_shape() -> None:
    """First, lead and opportunity get 30 % each, the fourth touch 10 %."""
    model = AttributionModelFactory.create_model("w_shaped")
    milestones = {"lead_created": PATH[1]["timestamp"], "opportunity_created": PATH[3]["timestamp"]}
    result = model.calculate_attribution(PATH, conversion_value=10, milestones=milestones)

    assert [c.weight for c in result.credits] == [0.3, 0.3, 0.1, 0.3]


def test_without_a_touch_everything_is_unattributed() -> None:
    """No touch is invented, no value is lost."""
    result = AttributionModelFactory.create_model("linear").calculate_attribution(
        [], conversion_value=12.34, conversion_time=T0
    )

    assert result.unattributed_value == Decimal("12.34")


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (UnknownModelError, "first_touch", lambda: AttributionModelFactory.create_model("first_click")),
        (InvalidParameterError, "half_life_days", lambda: AttributionModelFactory.create_model("time_decay", half=7)),
        (InvalidParameterError, "-1", lambda: AttributionModelFactory.create_model("time_decay", half_life_days=-1)),
        (
            InvalidTouchpointError,
            "channel",
            lambda: AttributionModelFactory.create_model("linear").calculate_attribution(
                [{"id": "a", "timestamp": T0}], conversion_value=1
            ),
        ),
    ],
)
def test_a_wrong_call_is_told_what_would_be_right(error: type[Exception], words: str, call: Any) -> None:
    """The message names the field or the valid choices."""
    with pytest.raises(error, match=words):
        call()


def test_the_frame_is_tidy_and_agrees_with_the_credits() -> None:
    """One row per model and touchpoint."""
    models = ["first_touch", "linear", "u_shaped"]
    frame = compare_attribution_models(PATH, conversion_value=100.0, models=models)

    assert list(frame.columns) == ["model", "touchpoint_id", "channel", "weight", "value"]
    assert len(frame) == 12
    for model, rows in frame.groupby("model"):
        credits_ = AttributionModelFactory.create_model(str(model)).calculate_attribution(PATH, conversion_value=100.0)
        assert list(rows["value"]) == [c.value for c in credits_.credits]


def test_pandas_is_loaded_only_for_a_frame() -> None:
    """Importing and calculating stay light."""
    code = (
        "import sys; from attribution import AttributionModelFactory as F;"
        "touch = {'id': 'a', 'timestamp': '2026-09-01', 'channel': 'x'};"
        "F.create_model('linear').calculate_attribution([touch], conversion_value=1);"
        "sys.exit('pandas' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
