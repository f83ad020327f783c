"""A fit of the data-driven model as it is published: JSON, one record per version.

Strict, because it is the product's own: a record that says something else than the format is refused, and a worker that
meets one does not start.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from attribution.fitted import Fit

#: Effects are divided by exactly; more bits would only make products longer.
LARGEST_EFFECT: Final = 1 << 48

Effect = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_EFFECT)]


class FitProblemError(ValueError):
    """A record that is no fit; names the field, what is wrong, and the way out."""


class FitEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published fit. Times are microseconds since the epoch.

    ``effects`` by channel, empty with ``status`` ``insufficient_data``: then ``fallback`` stands in. ``conversions``
    and ``nulls`` are the journeys behind it. ``report`` holds its figures for people; nothing is computed from them.
    """

    version: Annotated[str, msgspec.Meta(pattern="^[0-9a-z_.-]{1,64}$")]
    effective_from_us: Annotated[int, msgspec.Meta(ge=0)]
    trained_at_us: Annotated[int, msgspec.Meta(ge=0)]
    method: Literal["markov", "shapley"]
    status: Literal["ok", "insufficient_data"]
    fallback: str
    conversions: Annotated[int, msgspec.Meta(ge=0)]
    nulls: Annotated[int, msgspec.Meta(ge=0)]
    effects: dict[str, Effect]
    report: dict[str, Any] = {}

    def fit(self) -> Fit:
        """What the core divides by."""
        return Fit(self.version, self.effective_from_us, self.effects)


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(FitEvent)


def encode(event: FitEvent) -> bytes:
    """The value of its record; equal fits have equal bytes."""
    return _ENCODER.encode(event)


def decode(value: bytes) -> FitEvent:
    """Raises ``FitProblemError``: the value is no fit."""
    try:
        found = _DECODER.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise FitProblemError(f"no fit: {error}; publish fits with `attribution train` only") from None
    if (found.status == "ok") != any(found.effects.values()):
        raise FitProblemError(
            f"fit {found.version}: status {found.status} with {len(found.effects)} effects; "
            "a fit is ok when a channel has an effect above 0, and only then"
        )
    return found
