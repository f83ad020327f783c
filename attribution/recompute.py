"""Credits of one customer from all of its events at once: what a stream would have written in the end. Pure.

A stream gets events in order of arrival and forgets what nothing may look back at any more. Here all events are there
from the beginning, so nothing is late, nothing is forgotten, and conversions that were refused are not among them; only
the cap on touches stays, because it decides which touches get credit. A customer who reaches that cap is taken event by
event in the order of event time, within the bounds of a stored journey, since what the cap drops depends on what was
forgotten before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from attribution.attribute import Attributor
from attribution.config import AttributionConfig
from attribution.fitted import NO_FITS, Timeline
from attribution.journey import Journey
from attribution.types import Conversion, ConversionCredits, ConversionEvent, Touch

_UNBOUNDED: Final = 1 << 60


def recomputer(
    config: AttributionConfig, timeline: Timeline = NO_FITS
) -> Callable[[Sequence[Touch], Sequence[ConversionEvent]], list[ConversionCredits]]:
    """A function from the events of one customer, in any order, to the credits of all conversions, cancelled ones too.

    Raises:
        InvalidParameterError: a parameter of ``config`` cannot be used.
    """
    attribute = Attributor(config, timeline=timeline).attribute

    def recompute(touches: Sequence[Touch], events: Sequence[ConversionEvent]) -> list[ConversionCredits]:
        newest: dict[tuple[str, int], ConversionCredits] = {}
        for journey, conversion in states(touches, events, config):
            newest[conversion.conversion_id, conversion.at_us] = attribute(journey, conversion)
        return list(newest.values())

    return recompute


def states(
    touches: Sequence[Touch], events: Sequence[ConversionEvent], config: AttributionConfig
) -> Iterator[tuple[Journey, Conversion]]:
    """The journey as it is whenever a conversion is to be attributed; the last time of each conversion counts.

    The journey changes as the iterator goes on.
    """
    if not events:
        return
    config = replace(config, max_conversions=_UNBOUNDED)
    journey = Journey()
    if len(touches) <= config.max_touchpoints:
        unbounded = replace(config, allowed_lateness_us=_UNBOUNDED, conversion_retention_us=_UNBOUNDED)
        for conversion in journey.apply(touches, events, unbounded).affected:
            yield journey, conversion
        return
    for touch, event in _steps(touches, events):
        applied = journey.apply(touch, event, config)
        for conversion in applied.affected:
            yield journey, conversion
        journey.prune(applied.newest_before_us, config)


def _steps(
    touches: Sequence[Touch], events: Sequence[ConversionEvent]
) -> Iterable[tuple[Sequence[Touch], Sequence[ConversionEvent]]]:
    """Event by event in the order of event time; a touch comes before a conversion of the same time."""
    in_order = sorted(touches), sorted(events)
    times = [(t[0], 0, i) for i, t in enumerate(in_order[0])] + [(e.at_us, 1, i) for i, e in enumerate(in_order[1])]
    for _, is_event, i in sorted(times):
        yield ((), in_order[1][i : i + 1]) if is_event else (in_order[0][i : i + 1], ())
