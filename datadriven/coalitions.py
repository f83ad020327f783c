"""Journeys by the set of their channels: what Shapley values need, as additive integer counts.

A set is a bit mask in words of 63 channels, so any number of channels has exact sets. Counts add and subtract as
transition counts do; sets left with neither conversions nor nulls vanish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from attribution.errors import InvalidParameterError
from datadriven.paths import Integers, PathCounts, exact_sum

_WORD: Final = 63


@dataclass(frozen=True, slots=True, eq=False)
class SetCounts:
    """Column j of ``masks`` (words, m) is the set of ``conversions[j]`` and ``nulls[j]``; distinct, sorted.

    Bit ``i % 63`` of word ``i // 63`` stands for ``channels[i]``; ``channels`` are sorted and all occur.
    """

    channels: tuple[str, ...]
    masks: Integers
    conversions: Integers
    nulls: Integers

    @classmethod
    def from_paths(cls, paths: PathCounts) -> SetCounts:
        """Sets of the channels of each path; order and repetition are lost."""
        lengths, words = paths.lengths, max(1, -(-len(paths.channels) // _WORD))
        touched = np.flatnonzero(lengths)
        masks = np.zeros((words, len(paths)), dtype=np.int64)
        for word in range(words):
            places = paths.steps - word * _WORD
            bits = np.where((places >= 0) & (places < _WORD), np.int64(1) << np.clip(places, 0, _WORD - 1), 0)
            if len(touched):
                masks[word, touched] = np.bitwise_or.reduceat(bits, paths.offsets[:-1][touched])
        return _canonical(paths.channels, masks, paths.converted, paths.nulls)

    def __add__(self, other: SetCounts) -> SetCounts:
        names = tuple(sorted({*self.channels, *other.channels}))
        return _canonical(
            names,
            np.concatenate((_recoded(self, names), _recoded(other, names)), axis=1),
            np.concatenate((self.conversions, other.conversions)),
            np.concatenate((self.nulls, other.nulls)),
        )

    def __neg__(self) -> SetCounts:
        return SetCounts(self.channels, self.masks, -self.conversions, -self.nulls)

    def __sub__(self, other: SetCounts) -> SetCounts:
        return self + -other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SetCounts):
            return NotImplemented
        mine, theirs = (
            (c.channels, c.masks.tobytes(), c.conversions.tobytes(), c.nulls.tobytes()) for c in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def total_conversions(self) -> int:
        """Journeys that converted."""
        return exact_sum(self.conversions)

    @property
    def untouched_conversions(self) -> int:
        """Conversions without a touch: no channel can earn them."""
        return exact_sum(self.conversions[~self.masks.any(axis=0)])

    @property
    def total_nulls(self) -> int:
        """Journeys that ended in nothing."""
        return exact_sum(self.nulls)

    def members(self) -> tuple[Integers, Integers]:
        """Pairs (place of the set, channel) of every channel of every set, by set."""
        found = [np.flatnonzero(self.has(i)) for i in range(len(self.channels))]
        sets = np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
        channels = np.repeat(np.arange(len(found)), [len(f) for f in found])
        order = np.argsort(sets, kind="stable")
        return sets[order], channels[order]

    def has(self, channel: int) -> npt.NDArray[np.bool_]:
        """Whether each set holds a channel."""
        return np.asarray((self.masks[channel // _WORD] >> (channel % _WORD)) & 1 == 1)

    def require_journeys(self) -> None:
        """Refuse negative counts.

        Raises:
            InvalidParameterError: some retraction came without its addition.
        """
        for field in ("conversions", "nulls"):
            column: Integers = getattr(self, field)
            if column.size and int(column.min()) < 0:
                raise InvalidParameterError(field, int(column.min()), "take off only journeys that were counted")


def ordered_paths(paths: PathCounts, *, positions: int = 4) -> PathCounts:
    """Paths over (position, channel) players for the ordered Shapley value: names ``<position>:<channel>``.

    A channel's position is the rank of its first occurrence among the distinct channels of its journey, from 1; ranks
    beyond ``positions`` share the last one, so that rare long journeys do not make a player each. After Zhao, Mahboobi
    and Bagheri, arXiv 1804.05327 (a channel's value is split by the touchpoint at which it came in), with this module's
    game in place of theirs. A channel's ordered value is the sum over its positions (``channel_of``).

    Raises:
        InvalidParameterError: ``positions`` below 1.
    """
    if positions < 1:
        raise InvalidParameterError("positions", positions, "give 1 or more")
    known, row = max(1, len(paths.channels)), np.repeat(np.arange(len(paths)), paths.lengths)
    _, first = np.unique(row * known + paths.steps, return_index=True)
    first.sort()
    rows, steps = row[first], paths.steps[first]
    lengths = np.bincount(rows, minlength=len(paths))
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    rank = np.minimum(np.arange(len(rows)) - np.repeat(offsets[:-1], lengths), positions - 1)
    names = [f"{position + 1}:{name}" for position in range(positions) for name in paths.channels]
    return PathCounts.from_columns(
        names, offsets, rank * len(paths.channels) + steps, paths.converted, paths.nulls, paths.value_micros
    )


def channel_of(player: str) -> str:
    """Channel of a player of ``ordered_paths``."""
    return player.partition(":")[2]


def _recoded(part: SetCounts, names: Sequence[str]) -> Integers:
    place = {name: i for i, name in enumerate(names)}
    return _moved(part.masks, {old: place[name] for old, name in enumerate(part.channels)}, len(names))


def _moved(masks: Integers, places: Mapping[int, int], known: int) -> Integers:
    """Masks whose bit ``old`` becomes bit ``places[old]``, of ``known`` bits."""
    found = np.zeros((max(1, -(-known // _WORD)), masks.shape[1]), dtype=np.int64)
    for old, new in places.items():
        bit = (masks[old // _WORD] >> (old % _WORD)) & 1
        found[new // _WORD] |= bit << (new % _WORD)
    return found


def _canonical(channels: tuple[str, ...], masks: Integers, conversions: Integers, nulls: Integers) -> SetCounts:
    """Equal sets added, empty ones and unused channels dropped, sorted."""
    order = np.lexsort(masks) if len(masks) > 1 else np.argsort(masks[0], kind="stable")
    masks = masks[:, order]
    is_first = np.ones(masks.shape[1], dtype=bool)
    is_first[1:] = (masks[:, 1:] != masks[:, :-1]).any(axis=0)
    starts = np.flatnonzero(is_first)
    won, lost = (np.add.reduceat(column[order], starts) if len(starts) else column for column in (conversions, nulls))
    kept = (won != 0) | (lost != 0)
    masks, won, lost = masks[:, starts][:, kept], won[kept], lost[kept]
    used = np.bitwise_or.reduce(masks, axis=1)
    left = [i for i in range(len(channels)) if int(used[i // _WORD]) >> (i % _WORD) & 1]
    if len(left) < len(channels):
        masks = _moved(masks, {old: new for new, old in enumerate(left)}, len(left))
        channels = tuple([channels[i] for i in left])
    return SetCounts(channels, masks, won, lost)
