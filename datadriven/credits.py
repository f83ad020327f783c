"""Credits from fitted parameters: integer numerators for each touch, and the channel table; both conserve every micro.

A touch gets its effect over the sum of the effects on its path, negative ones counting as 0. Where nothing positive is
left, and where the data did not suffice, another rule stands in and is named, as a row's ``fallback`` wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from attribution.config import AttributionConfig
from attribution.models.base import Path
from attribution.models.registry import resolve
from attribution.money import split_micros
from datadriven import hazard
from datadriven.coalitions import channel_of
from datadriven.parameters import Parameters

#: What stands in on a path none of whose touches has a positive effect.
NO_EFFECT_FALLBACK: Final = "linear"


class TouchShares(NamedTuple):
    """Numerators, one for each touch, never negative and never all 0; ``fallback`` names the rule that stood in."""

    numerators: Sequence[int]
    fallback: str

    def split(self, value_micros: int) -> tuple[int, ...]:
        """The value in micros by largest remainder; sums to it exactly, whatever its sign."""
        return split_micros(value_micros, self.numerators, sum(self.numerators))


@dataclass(frozen=True, slots=True)
class ChannelCredits:
    """The channel table of a fit: conversions and micros of each channel, in the order of its channels.

    What no channel earned is ``unattributed``; with it, the sums are the totals.
    """

    channels: tuple[str, ...]
    conversions: tuple[float, ...]
    micros: tuple[int, ...]
    unattributed_conversions: float
    unattributed_micros: int


class CreditRule:
    """Parameters made ready to give credit to many paths."""

    __slots__ = ("_effects", "_places", "parameters")

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._effects = dict(zip(parameters.channels, parameters.effects, strict=True))
        self._places = {name: i for i, name in enumerate(parameters.channels)}

    def shares(self, path: Path, config: AttributionConfig) -> TouchShares:
        """Numerators of the touches of one conversion's path.

        Args:
            path: its eligible touches, in order.
            config: what a fallback rule reads.
        """
        if self.parameters.status != "ok":
            return TouchShares(resolve(self.parameters.fallback).numerators(path, config), self.parameters.fallback)
        if len(path) == 1:
            return TouchShares((1,), "")
        found = [max(0, effect) for effect in self.effects(path)]
        if any(found):
            return TouchShares(tuple(found), "")
        return TouchShares(resolve(NO_EFFECT_FALLBACK).numerators(path, config), NO_EFFECT_FALLBACK)

    def effects(self, path: Path) -> Sequence[int]:
        """Effect of each touch, signed; 0 for a channel that the fit has not seen."""
        channels = [touch[2] for touch in path.touches]
        if self.parameters.curve is not None:
            places = [self._places.get(channel, -1) for channel in channels]
            return hazard.removal_effects(self.parameters.curve, places, [touch[0] for touch in path.touches])
        if self.parameters.method == "ordered_shapley":
            channels = self._players(channels)
        return [self._effects.get(channel, 0) for channel in channels]

    def _players(self, channels: Sequence[str]) -> list[str]:
        """The (position, channel) player of each touch: the rank of its channel's first occurrence."""
        last = int(self.parameters.settings["positions"])
        ranks = {channel: rank for rank, channel in enumerate(dict.fromkeys(channels), start=1)}
        return [f"{min(ranks[channel], last)}:{channel}" for channel in channels]


class ChannelEffect(NamedTuple):
    """Of one channel, in parts of ``EFFECT_SCALE``: its effect, and the part of it that earns credit."""

    effect: int
    positive: int


def channel_effects(parameters: Parameters) -> dict[str, ChannelEffect]:
    """By channel, in the order of the fit; players of an ordered one are added up."""
    found: dict[str, ChannelEffect] = {}
    for name, effect in zip(parameters.channels, parameters.effects, strict=True):
        channel = channel_of(name) if parameters.method == "ordered_shapley" else name
        before = found.get(channel, ChannelEffect(0, 0))
        found[channel] = ChannelEffect(before.effect + effect, before.positive + max(0, effect))
    return found


def channel_credits(
    parameters: Parameters, conversions: int, value_micros: int, *, untouched: int = 0, untouched_micros: int = 0
) -> ChannelCredits:
    """Conversions and value by each channel's share of the positive effects: the ``global`` credit.

    It is not the sum of the credits of single conversions, which divide each conversion over its own path.

    Args:
        parameters: a fit; of an ordered one, players are added up to channels.
        conversions: with at least one touch.
        value_micros: their value.
        untouched: conversions without a touch, which stay unattributed.
        untouched_micros: their value.
    """
    found = channel_effects(parameters)
    names, effects = tuple(found), tuple([effect.positive for effect in found.values()])
    total = sum(effects) if parameters.status == "ok" else 0
    if total == 0:
        nothing = (0,) * len(names)
        return ChannelCredits(
            names, (0.0,) * len(names), nothing, float(conversions + untouched), value_micros + untouched_micros
        )
    return ChannelCredits(
        names,
        tuple([conversions * effect / total for effect in effects]),
        split_micros(value_micros, effects, total),
        float(untouched),
        untouched_micros,
    )
