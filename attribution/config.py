"""The parameters of an attribution; equal parameters have an equal ``config_hash``, which every row carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Final

DAY_US: Final = 86_400_000_000

#: Every rule model that needs no parameters of its own, in the order in which rows are written.
DEFAULT_MODELS: Final = (
    "first_touch",
    "last_touch",
    "last_non_direct",
    "linear",
    "time_decay",
    "u_shaped",
    "w_shaped",
    "full_path",
    "j_shaped",
    "inverse_j",
)


_SILENT: Final = {"max_conversions": 1_000}


@dataclass(frozen=True, slots=True)
class AttributionConfig:
    """What decides the numbers. Durations are microseconds; channel sets hold case-folded names.

    ``custom_weights`` are (first, middle, last) of the ``custom`` model. ``reset_on_conversion`` names
    the conversion types that end a journey for the conversions after them (empty: windows overlap).
    ``max_touchpoints``, ``max_conversions`` (conversions and corrections within a retention),
    ``max_linked_ids`` (ids of one person), ``allowed_lateness_us`` and ``conversion_retention_us`` bound a
    stored journey.
    """

    models: tuple[str, ...] = DEFAULT_MODELS
    lookback_us: int = 90 * DAY_US
    half_life_us: int = 7 * DAY_US
    custom_weights: tuple[Decimal, Decimal, Decimal] = (Decimal("0.4"), Decimal("0.2"), Decimal("0.4"))
    exclude_channels: frozenset[str] = frozenset()
    direct_channels: frozenset[str] = frozenset({"direct", "(direct)"})
    reset_on_conversion: frozenset[str] = frozenset()
    max_touchpoints: int = 1_000
    max_conversions: int = 1_000
    max_linked_ids: int = 100
    allowed_lateness_us: int = 30 * DAY_US
    conversion_retention_us: int = 400 * DAY_US

    @property
    def horizon_us(self) -> int:
        """How far behind the newest event of a journey a touch may arrive and still count."""
        return self.lookback_us + self.allowed_lateness_us

    @property
    def folded_exclusions(self) -> frozenset[str]:
        """``exclude_channels`` as touches are compared with them."""
        return frozenset(name.casefold() for name in self.exclude_channels)

    def config_hash(self) -> str:
        """12 hex digits over all parameters, independent of the order inside sets.

        A parameter of ``_SILENT`` counts only when it is not at its default, so that hashes from before it stay.
        """
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, default in _SILENT.items():
            if plain[name] == default:
                del plain[name]
        text = json.dumps(plain, default=_plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, object]:
        """Parameters as JSON-ready values."""
        return {k: _plain(v) for k, v in asdict(self).items()}


def config_of(plain: Mapping[str, Any]) -> AttributionConfig:
    """The parameters that ``as_dict`` gave; one that it did not know yet has its default.

    Raises:
        KeyError: there are none.
    """
    read: dict[str, Callable[[Any], Any]] = {
        "models": tuple,
        "custom_weights": lambda weights: tuple(Decimal(w) for w in weights),
        **dict.fromkeys(("exclude_channels", "direct_channels", "reset_on_conversion"), frozenset),
    }
    known = {f.name for f in fields(AttributionConfig)}
    plain = {"models": plain["models"]} | {name: value for name, value in plain.items() if name in known}
    return AttributionConfig(**{name: read.get(name, int)(value) for name, value in plain.items()})


def config_in(text: str) -> AttributionConfig | None:
    """The parameters in the JSON that a run keeps; None while it keeps none."""
    plain = json.loads(text or "{}")
    return config_of(plain) if plain.get("models") else None


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Decimal) else value
