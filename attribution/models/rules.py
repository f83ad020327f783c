"""Models that look at position, channel or age only. Each returns numerators; n is the number of touches.

What depends on n alone is computed once per n. One touch always takes everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from attribution.config import AttributionConfig
from attribution.errors import InvalidParameterError
from attribution.models.base import Path

#: Decay is 2**-x as a double, at most 1; times 2**62 it becomes an integer by truncation, exactly.
DECAY_SCALE: Final = 2**62

_WEIGHTS_HINT: Final = "give (first, middle, last), each a number from 0 to 1e9 with at most 9 decimals, not all 0"


def first_touch(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """Everything to the first touch."""
    return _single(len(path.touches), 0)


def last_touch(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """Everything to the last touch."""
    n = len(path.touches)
    return _single(n, n - 1)


def last_non_direct(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """Everything to the last touch that is not direct; to the last one if all are direct."""
    return _single(len(path.touches), path.last_non_direct)


def linear(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """The same to every touch (not to every channel)."""
    return _equal(len(path.touches))


def time_decay(path: Path, config: AttributionConfig) -> tuple[int, ...]:
    """Half as much for each half-life of age, continuously, counted back from the newest touch.

    Counting from the newest touch instead of the conversion changes no weight and cannot underflow to all 0.
    """
    touches = path.touches
    if len(touches) == 1:
        return (1,)
    newest, half_life = touches[-1][0], config.half_life_us
    return tuple([int(2.0 ** ((t[0] - newest) / half_life) * DECAY_SCALE) for t in touches])


def u_shaped(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """40 % first, 40 % last, 20 % shared by the middle; two touches: half each."""
    return _ends(len(path.touches), 2, 1, 2)


def j_shaped(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """20 % first, 20 % shared by the middle, 60 % last; two touches: 25 and 75 %."""
    return _ends(len(path.touches), 1, 1, 3)


def inverse_j(path: Path, _config: AttributionConfig) -> tuple[int, ...]:
    """60 % first, 20 % shared by the middle, 20 % last; two touches: 75 and 25 %."""
    return _ends(len(path.touches), 3, 1, 1)


def data_driven(path: Path, config: AttributionConfig) -> Sequence[int]:
    """As the fit of the path says; needs one."""
    return fitted_shares(path, config)[0]


def fitted_shares(path: Path, config: AttributionConfig) -> tuple[Sequence[int], str]:
    """Numerators of a path's fit and the model that stood in; without a fit, ``linear``."""
    if path.fit is None:
        return _equal(len(path.touches)), "linear"
    return path.fit.rule.shares(path, config)


def custom(path: Path, config: AttributionConfig) -> tuple[int, ...]:
    """Given weights for (first, middle, last); a role without a touch is dropped, the others rescaled.

    If what remains is 0 (two touches with 0/100/0), the touches share equally.
    """
    first, middle, last = _integer_weights(config.custom_weights)
    n = len(path.touches)
    return _equal(2) if n == 2 and first + last == 0 else _ends(n, first, middle, last)


def check_custom_weights(weights: tuple[Decimal, Decimal, Decimal]) -> None:
    """Refuse weights that give no rule.

    Raises:
        InvalidParameterError: not three, negative, not finite, too fine, too large or all 0.
    """
    if len(weights) != 3 or not all(w.is_finite() and 0 <= w <= 10**9 for w in weights) or not any(weights):
        raise InvalidParameterError("custom_weights", [str(w) for w in weights], _WEIGHTS_HINT)
    if any(w and w.normalize().as_tuple().exponent < -9 for w in weights):  # type: ignore[operator]  # finite: an int
        raise InvalidParameterError("custom_weights", [str(w) for w in weights], _WEIGHTS_HINT)


@lru_cache(maxsize=64)
def _integer_weights(weights: tuple[Decimal, Decimal, Decimal]) -> tuple[int, int, int]:
    """The same proportions in whole numbers."""
    first, middle, last = (int(w.scaleb(9)) for w in weights)
    return first, middle, last


@lru_cache(maxsize=512)
def _single(n: int, position: int) -> tuple[int, ...]:
    return (*(0,) * position, 1, *(0,) * (n - 1 - position))


@lru_cache(maxsize=512)
def _equal(n: int) -> tuple[int, ...]:
    return (1,) * n


@lru_cache(maxsize=512)
def _ends(n: int, first: int, middle: int, last: int) -> tuple[int, ...]:
    """``middle`` is what the n - 2 middle touches share: everything times n - 2 keeps it whole."""
    if n == 1:
        return (1,)
    if n == 2:
        return (first, last)
    return (first * (n - 2), *(middle,) * (n - 2), last * (n - 2))
