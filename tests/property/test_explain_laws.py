"""An explanation is that of the credits: same touches, same weights, same micros, for any journey."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from attribution.config import DAY_US, AttributionConfig, config_of
from attribution.explain import explain
from attribution.fitted import Timeline
from attribution.recompute import recomputer
from attribution.testing import START_US, configs, conversion_event_lists, touch_lists
from attribution.types import ConversionEvent, Touch
from fits import fit

TIMELINE = Timeline([fit("a", START_US, email=3, paid_search=5), fit("b", START_US + 9 * DAY_US, email=1)])


@given(touch_lists(12), conversion_event_lists(4), configs(), st.sampled_from((2, 4, 1_000)))
def test_explained_credits_are_those_of_the_core(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig, cap: int
) -> None:
    config = replace(config, max_touchpoints=cap)
    for found in recomputer(config, TIMELINE)([*touches, *touches[:1]], events):
        conversion = found.conversion
        explained = explain(conversion.conversion_id, [*touches, *touches[:1]], events, config, TIMELINE)
        assert explained is not None
        if explained.conversion != conversion:
            assert explained.conversion.conversion_id == conversion.conversion_id  # written before at another time
            continue
        assert explained.credits == found
        assert len(explained.touches) == len(touches) + len(touches[:1])
        eligible = [t.touch for t in explained.touches if t.verdict == "eligible"]
        if not conversion.is_live or explained.path is None:
            assert explained.models == ()
            assert not eligible or not conversion.is_live
            continue
        assert eligible == list(found.touches)
        assert [t.position for t in explained.touches if t.position] == list(range(1, len(eligible) + 1))
        for m, model in enumerate(explained.models):
            assert (model.model, model.applied) == (found.models[m], found.fallbacks[m] or found.models[m])
            assert tuple(p.micros for p in model.parts) == found.micros[m]
            assert tuple(p.weight for p in model.parts) == found.weights[m]
            assert sum(p.raw for p in model.parts) == conversion.value_micros == sum(p.micros for p in model.parts)
            assert sum(abs(p.extra) for p in model.parts) == model.handed_out
            assert all(p.floor + p.extra == p.micros and abs(p.raw - p.micros) < 1 for p in model.parts)


@given(touch_lists(12), conversion_event_lists(4), configs())
def test_the_verdict_of_every_touch_is_its_own(
    touches: list[Touch], events: list[ConversionEvent], config: AttributionConfig
) -> None:
    for found in recomputer(config)(touches, events):
        conversion = found.conversion
        explained = explain(conversion.conversion_id, touches, events, config)
        assert explained is not None
        for item in explained.touches:
            at_us, _, channel, _ = item.touch
            is_inside = conversion.at_us - config.lookback_us <= at_us <= conversion.at_us
            match item.verdict:
                case "after_conversion":
                    assert at_us > conversion.at_us
                case "outside_lookback":
                    assert at_us < conversion.at_us - config.lookback_us
                case "excluded_channel":
                    assert is_inside
                    assert channel.casefold() in config.exclude_channels
                case "before_reset":
                    assert is_inside
                    assert config.reset_on_conversion
                case verdict:
                    assert verdict == "eligible"
                    assert is_inside


def test_at_the_edge_of_the_window_a_touch_is_excluded_for_its_channel_and_not_for_its_age() -> None:
    config = AttributionConfig(lookback_us=DAY_US, exclude_channels=frozenset({"email"}))
    touches = [(START_US + n, f"t{n}", "Email", "") for n in (-1, 0, DAY_US, DAY_US + 1)]
    sold = ConversionEvent(START_US + DAY_US, "v", "purchase", "", 5, "USD", "completed", "")
    explained = explain("v", touches, [sold], config)
    assert explained is not None
    assert [t.verdict for t in explained.touches] == [
        "outside_lookback",
        "excluded_channel",
        "excluded_channel",
        "after_conversion",
    ]


@given(configs())
def test_parameters_come_back_from_what_a_run_records(config: AttributionConfig) -> None:
    assert config_of(config.as_dict()) == config
    assert config_of(config.as_dict()).config_hash() == config.config_hash()
