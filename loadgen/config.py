"""What a simulated population looks like: every share and size, checked when it is built.

Shares are probabilities in [0, 1]. Money is micros, durations are days or hours as their names say.
Raises ``ConfigError`` (field, value, way out) for anything outside its range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final


class ConfigError(ValueError):
    """A setting is out of range; says which, what it was and what would do."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        super().__init__(f"{field}={value!r}: {fix}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Channel:
    """One marketing channel and its true effect.

    ``effect`` is added to the log odds of converting by the first contact; every further contact of the
    same channel adds ``PopulationConfig.fatigue`` times what the one before it added. ``start`` and ``follow`` are
    relative frequencies as first and as later contact, ``stay`` is the chance that the next contact has
    the same channel. ``source``/``medium`` are the tags from which the channel rules find the same name.
    """

    name: str
    effect: float
    start: float
    follow: float
    stay: float
    source: str
    medium: str
    touch_type: str = "click"
    click_cost_micros: int = 0
    campaigns: int = 0


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind of customer. ``share`` of all customers; touches and gaps are log-normal around their medians.

    ``base`` is the log odds of converting without any contact. ``milestones``: the sale is announced by
    ``lead_created`` and ``opportunity_created``. ``bias`` multiplies the frequency of channels by name.
    """

    name: str
    share: float
    touches: float
    touches_sigma: float
    gap_hours: float
    gap_sigma: float
    base: float
    value: float = 60.0
    value_sigma: float = 0.7
    milestones: bool = False
    bias: tuple[tuple[str, float], ...] = ()


#: Display has next to no effect but follows people who come anyway: last touch overrates it.
CHANNELS: Final = (
    Channel("Paid Search", 0.55, 0.22, 0.14, 0.30, "google", "cpc", click_cost_micros=1_200_000, campaigns=6),
    Channel("Organic Search", 0.35, 0.20, 0.14, 0.25, "google", "organic", "visit"),
    Channel("Paid Social", 0.25, 0.16, 0.08, 0.30, "facebook", "paid_social", click_cost_micros=700_000, campaigns=6),
    Channel("Organic Social", 0.10, 0.07, 0.05, 0.25, "instagram", "social", "visit"),
    Channel("Email", 0.50, 0.06, 0.18, 0.35, "newsletter", "email", "email_click", 2_000, 5),
    Channel("Display", 0.03, 0.08, 0.16, 0.40, "dv360", "display", "impression", 90_000, 5),
    Channel("Affiliates", 0.30, 0.06, 0.04, 0.20, "partnerize", "affiliate", click_cost_micros=1_800_000, campaigns=4),
    Channel("Referral", 0.20, 0.06, 0.04, 0.20, "blog.example", "referral", "visit"),
    Channel("Direct", 0.0, 0.07, 0.15, 0.35, "(direct)", "(none)", "visit"),
    Channel("SMS", 0.15, 0.02, 0.02, 0.20, "sms", "sms", "click", 15_000, 2),
)

#: Which channel makes which next one likelier, as a factor on ``follow``.
AFFINITIES: Final = (
    ("Paid Social", "Organic Search", 2.0),
    ("Organic Search", "Paid Search", 1.6),
    ("Paid Search", "Display", 1.8),
    ("Display", "Direct", 2.0),
    ("Email", "Direct", 1.5),
    ("Referral", "Organic Search", 1.7),
)

_SEARCHES: Final = (("Organic Search", 1.8), ("Referral", 1.6))
_LOYAL: Final = (("Direct", 4.0), ("Email", 3.0))
_NURTURED: Final = (("Referral", 2.0), ("Email", 1.5))

PERSONAS: Final = (
    Persona("shopper", 0.500, 2.5, 0.60, 10.0, 1.2, -2.2),
    Persona("researcher", 0.210, 7.0, 0.50, 22.0, 1.0, -2.6, 180.0, 0.6, bias=_SEARCHES),
    Persona("brand_loyal", 0.158, 1.6, 0.40, 14.0, 0.8, -0.4, 45.0, 0.5, bias=_LOYAL),
    Persona("b2b_buyer", 0.100, 9.0, 0.45, 60.0, 0.8, -3.0, 9_000.0, 0.9, milestones=True, bias=_NURTURED),
    Persona("walk_in", 0.030, 0.0, 0.0, 1.0, 0.0, math.inf, 35.0, 0.5),
    Persona("bot", 0.002, 250.0, 0.50, 0.01, 1.0, -math.inf),
)


@dataclass(frozen=True, slots=True)
class PopulationConfig:
    """All that decides the events besides seed and start time.

    ``duplicates``: delivered a second time, same bytes. ``out_of_order``: delivered up to ``disorder_minutes``
    late, touches counted from the next contact of their journey, which so overtakes them. ``late``: touches of
    converting journeys that arrive after the conversion; ``late_conversions``: conversions that arrive days after
    they happened, often after their correction. ``refunds``, ``cancellations``, ``restatements``: shares of the
    paid conversions. ``malformed``: share of all records of customers. ``avro``: records in Confluent Avro instead of
    JSON. ``derived_channels``: touches that carry source and medium only. ``workspace``: whose topics the
    records go to.
    """

    customers: int = 10_000
    events_per_day: float = 20_000.0
    duplicates: float = 0.05
    out_of_order: float = 0.10
    disorder_minutes: float = 30.0
    late: float = 0.03
    late_conversions: float = 0.01
    refunds: float = 0.05
    cancellations: float = 0.01
    restatements: float = 0.02
    malformed: float = 0.01
    avro: float = 0.20
    derived_channels: float = 0.10
    without_order_id: float = 0.15
    fatigue: float = 0.7
    max_touches: int = 40
    max_bot_touches: int = 800
    currencies: tuple[tuple[str, float], ...] = (("USD", 0.8), ("EUR", 0.15), ("GBP", 0.05))
    channels: tuple[Channel, ...] = CHANNELS
    personas: tuple[Persona, ...] = PERSONAS
    workspace: str = "default"

    def __post_init__(self) -> None:
        for name in SHARES:
            _share(name, getattr(self, name))
        _share("refunds + cancellations + restatements", self.refunds + self.cancellations + self.restatements)
        if self.malformed > 0.9:
            raise ConfigError("malformed", self.malformed, "leave at least a tenth of the records valid")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(name, value, f"give a number from {low:g} to {high:g}")
        _names("channels", [c.name for c in self.channels])
        _names("personas", [p.name for p in self.personas])
        _names("currencies", [name for name, _ in self.currencies])
        _weights("personas", [p.share for p in self.personas])
        _weights("currencies", [weight for _, weight in self.currencies])
        _weights("channels", [c.start for c in self.channels])
        _weights("channels", [c.follow for c in self.channels])
        for channel in self.channels:
            _share(f"channels[{channel.name}].stay", channel.stay)

    def as_dict(self) -> dict[str, object]:
        """The plain settings (channels and personas by name only), ready for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["channels"] = [c.name for c in self.channels]
        plain["personas"] = [p.name for p in self.personas]
        plain["currencies"] = dict(self.currencies)
        return plain


#: Fields that are shares, 0 to 1.
SHARES: Final = (
    "duplicates",
    "out_of_order",
    "late",
    "late_conversions",
    "refunds",
    "cancellations",
    "restatements",
    "malformed",
    "avro",
    "derived_channels",
    "without_order_id",
    "fatigue",
)
_RANGES: Final = (
    ("customers", 1, 10**9),
    ("events_per_day", 1, 10**10),
    ("disorder_minutes", 0, 7 * 1440),
    ("max_touches", 1, 10_000),
    ("max_bot_touches", 1, 100_000),
)


def _share(field: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ConfigError(field, value, "give a share from 0 to 1, for example 0.05 for 5 %")


def _names(field: str, names: list[str]) -> None:
    if not names or len(set(names)) < len(names) or not all(names):
        raise ConfigError(field, names, "give at least one, each with a name of its own")


def _weights(field: str, weights: list[float]) -> None:
    if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
        raise ConfigError(field, weights, "give frequencies that are not negative and not all zero")
