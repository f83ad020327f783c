"""Fitted parameters: what a worker needs to give data-driven credit, as versioned, canonical bytes.

Everything that decides a credit is an integer: effects are parts of ``EFFECT_SCALE``, far coarser than the rounding
of a solve and far finer than what data can tell. So equal bytes give equal credits on every machine, and two machines
that train on the same counts all but always publish the same bytes. ``version`` is a hash of the content.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, TypeAlias

import msgspec

from attribution.errors import InvalidParameterError

Method: TypeAlias = Literal["markov", "shapley", "ordered_shapley", "learned"]
Status: TypeAlias = Literal["ok", "insufficient_data"]

#: Effects are in parts of this, of the conversion probability.
EFFECT_SCALE: Final = 1 << 32
FORMAT: Final = 1
_VERSION_DIGITS: Final = 16


class HazardCurve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The learned model in parts of ``EFFECT_SCALE``, calibrated (``datadriven.hazard`` evaluates it).

    ``coefficients`` belong to the parameters' channels; ``pairs`` are ``(channel, channel, coefficient)``. The
    ``max_touches`` newest touches of a path count.
    """

    half_life_us: int
    intercept: int
    coefficients: tuple[int, ...]
    pairs: tuple[tuple[int, int, int], ...]
    max_touches: int


class ChannelUncertainty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One channel's share of the credit (0 to 1) over bootstrap replicates.

    ``rank_stability``: share of the replicates in which it has the rank it has in the estimate.
    """

    channel: str
    share: float
    low: float
    high: float
    rank_stability: float


class Uncertainty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Intervals of all channels, by falling share. ``overlaps``: neighbours in rank whose intervals overlap."""

    level: float
    replicates: int
    channels: tuple[ChannelUncertainty, ...]
    overlaps: tuple[tuple[str, str], ...]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fit.

    ``effects[i]`` belongs to ``channels[i]`` (sorted; for ``ordered_shapley`` players ``<position>:<channel>``): the
    removal effect, the Shapley value over the value of all, or the mean effect of removing a touch. It may be negative.
    ``status`` ``insufficient_data`` comes with a ``reason``; credits are then those of the model ``fallback``, by name.
    ``settings`` are what the fit was asked for, ``quality`` how good it is. Periods are [from, to) in microseconds;
    conversions at or after ``effective_from_us`` use this version. ``conversions`` are those with a touch.
    """

    method: Method
    status: Status
    reason: str
    fallback: str
    order: int
    channels: tuple[str, ...]
    effects: tuple[int, ...]
    conversions: int
    nulls: int
    settings: dict[str, float]
    quality: dict[str, float]
    trained_from_us: int
    trained_to_us: int
    effective_from_us: int
    curve: HazardCurve | None = None
    uncertainty: Uncertainty | None = None
    format: int = FORMAT
    version: str = ""


def sealed(draft: Parameters) -> Parameters:
    """The same with its version.

    Raises:
        InvalidParameterError: effects that do not fit the channels, or channels not sorted and distinct.
    """
    if len(draft.effects) != len(draft.channels):
        raise InvalidParameterError("effects", len(draft.effects), "give one for each channel")
    if list(draft.channels) != sorted(set(draft.channels)):
        raise InvalidParameterError("channels", draft.channels[:3], "give sorted, distinct names")
    if draft.format != FORMAT:
        raise InvalidParameterError("format", draft.format, f"this program reads format {FORMAT}; upgrade it")
    content = encode(msgspec.structs.replace(draft, version=""))
    return msgspec.structs.replace(draft, version=hashlib.sha256(content).hexdigest()[:_VERSION_DIGITS])


def encode(parameters: Parameters) -> bytes:
    """Canonical JSON: sorted keys, no spaces; equal parameters give equal bytes."""
    return msgspec.json.encode(parameters, order="sorted")


def decode(data: bytes) -> Parameters:
    """Parameters from their bytes, checked against their version.

    Raises:
        InvalidParameterError: not parameters, another format, or a version that is not the hash of the content.
    """
    try:
        found = msgspec.json.decode(data, type=Parameters)
    except msgspec.DecodeError as error:
        raise InvalidParameterError("parameters", data[:40], f"publish what `encode` gives ({error})") from None
    if sealed(found).version != found.version:
        raise InvalidParameterError("version", found.version, "the content was changed; publish what `sealed` gives")
    return found


def quantised(value: float) -> int:
    """A number in parts of ``EFFECT_SCALE``, to the nearest."""
    return round(value * EFFECT_SCALE)
