"""The models as a library: touchpoints in, credits out; the same core as the stream.

::

    model = AttributionModelFactory.create_model("time_decay", half_life_days=7)
    result = model.calculate_attribution(touchpoints, conversion_value=100.0)

A touchpoint is a ``Touchpoint`` or a mapping with ``id`` (or ``event_id``), ``timestamp`` (``occurred_at``),
``channel`` (``channel_id``) and optionally ``campaign`` and ``cost``. Times are UTC unless they say otherwise.
Amounts may be ``Decimal``, ``int``, text or ``float`` (read as its shortest decimal form) and are kept as micros.

Raises ``InvalidTouchpointError`` with index and field, ``UnknownModelError`` and ``InvalidParameterError`` with
what is valid, ``MissingPackageError`` when a frame is asked for and pandas is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, DEFAULT_MODELS, AttributionConfig
from attribution.errors import InvalidParameterError, InvalidTouchpointError, MissingPackageError
from attribution.models.base import LEAD, OPPORTUNITY
from attribution.models.registry import model_ids, resolve
from attribution.money import from_micros, to_micros
from attribution.times import to_us
from attribution.types import Conversion, Touch

if TYPE_CHECKING:
    import pandas as pd

Amount: TypeAlias = Decimal | str | float
Time: TypeAlias = datetime | str | int | float

#: Parameters that every model takes, beside its own.
COMMON_PARAMETERS: Final = ("lookback_days", "exclude_channels")

_MAX_DAYS: Final = 100_000
#: Later than any other conversion of the same instant, so that milestones at the conversion's time count.
_CONVERSION_ID: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """One contact of a customer with a channel."""

    id: str
    timestamp: Time
    channel: str
    campaign: str = ""
    cost: Amount | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """What one touchpoint got. ``touchpoint_id`` is ``""`` in the credit of a conversion without one."""

    touchpoint_id: str
    channel: str
    weight: float
    value: Decimal
    value_micros: int


@dataclass(frozen=True, slots=True)
class AttributionResult:
    """Credits of one conversion by one model, in path order; their values sum exactly to the conversion's.

    Without an eligible touchpoint there is one credit, of channel ``unattributed``, with everything.
    ``fallback`` names the model that stood in (``""``: none).
    """

    model: str
    value_micros: int
    currency: str
    credits: tuple[Credit, ...]
    fallback: str = ""

    @property
    def value(self) -> Decimal:
        """The conversion's value."""
        return from_micros(self.value_micros)

    @property
    def unattributed_value(self) -> Decimal:
        """What no touchpoint got: the whole value, or 0."""
        return from_micros(sum(c.value_micros for c in self.credits if not c.touchpoint_id))

    def by_channel(self) -> dict[str, Decimal]:
        """Value per channel, in order of first appearance; sums to the conversion's value."""
        totals: dict[str, int] = {}
        for credit in self.credits:
            totals[credit.channel] = totals.get(credit.channel, 0) + credit.value_micros
        return {channel: from_micros(micros) for channel, micros in totals.items()}


class AttributionModel:
    """One model with its parameters, ready for any number of conversions."""

    def __init__(self, config: AttributionConfig) -> None:
        self._attributor = Attributor(config)

    @property
    def model_id(self) -> str:
        """The public id; an alias is already resolved."""
        return self._attributor.models[0]

    @property
    def config(self) -> AttributionConfig:
        """The parameters in the units of the core."""
        return self._attributor.config

    def calculate_attribution(
        self,
        touchpoints: Iterable[Touchpoint | Mapping[str, Any]],
        conversion_value: Amount,
        conversion_time: Time | None = None,
        milestones: Mapping[str, Time] | None = None,
        currency: str = "USD",
    ) -> AttributionResult:
        """Attribute one conversion.

        Args:
            touchpoints: in any order; the same touchpoint twice counts once.
            conversion_value: in units of the currency; may be negative.
            conversion_time: defaults to the time of the newest touchpoint.
            milestones: times of ``lead_created`` and ``opportunity_created``, at or before the conversion.
            currency: goes to the result.
        """
        return _results(self._attributor, touchpoints, conversion_value, conversion_time, milestones, currency)[0]


class AttributionModelFactory:
    """Makes models by name."""

    @staticmethod
    def create_model(name: str, **params: Any) -> AttributionModel:
        """The model with this id or alias.

        Args:
            name: for example ``"time_decay"``.
            **params: ``lookback_days`` (90), ``exclude_channels`` (none) and the model's own:
                ``half_life_days`` (7), ``custom_weights`` (0.4, 0.2, 0.4), ``direct_channels``.

        Raises:
            UnknownModelError: no such model.
            InvalidParameterError: the model has no such parameter, or the value cannot be used.
        """
        return AttributionModel(build_config([name], params))

    @staticmethod
    def available_models() -> tuple[str, ...]:
        """Every public id."""
        return model_ids()


def compare_attribution_models(
    touchpoints: Iterable[Touchpoint | Mapping[str, Any]],
    conversion_value: Amount,
    models: Sequence[str] | None = None,
    conversion_time: Time | None = None,
    milestones: Mapping[str, Time] | None = None,
    currency: str = "USD",
    **params: Any,
) -> pd.DataFrame:
    """One conversion by several models, as a tidy frame: ``model, touchpoint_id, channel, weight, value``.

    ``value`` holds ``Decimal``, so that sums are exact; ``frame["value"].astype(float)`` is for plotting.

    Args:
        touchpoints: as in ``AttributionModel.calculate_attribution``; so are the arguments not listed.
        conversion_value: in units of the currency.
        models: ids or aliases; every default model if not given.
        conversion_time: defaults to the time of the newest touchpoint.
        milestones: times of ``lead_created`` and ``opportunity_created``.
        currency: of the value.
        **params: parameters of any of the models.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - a frame is the only thing that needs it
    except ImportError as missing:
        raise MissingPackageError(
            "a frame needs pandas: install realtime-attribution[frames], or use calculate_attribution"
        ) from missing
    attributor = Attributor(build_config(DEFAULT_MODELS if models is None else models, params))
    results = _results(attributor, touchpoints, conversion_value, conversion_time, milestones, currency)
    rows = [(r.model, c.touchpoint_id, c.channel, c.weight, c.value) for r in results for c in r.credits]
    return pd.DataFrame(rows, columns=["model", "touchpoint_id", "channel", "weight", "value"])


def build_config(models: Sequence[str], params: Mapping[str, Any]) -> AttributionConfig:
    """A configuration from user-facing parameters (days, lists of names).

    Args:
        models: ids or aliases.
        params: any of ``COMMON_PARAMETERS`` and of the parameters of these models.

    Raises:
        UnknownModelError: no such model.
        InvalidParameterError: no such parameter, or a value that cannot be used.
    """
    found = [resolve(name) for name in models]
    valid = [*COMMON_PARAMETERS, *(p for model in found for p in model.parameters)]
    config = AttributionConfig(models=tuple(m.model_id for m in found))
    for name, value in params.items():
        if name not in valid:
            names = ", ".join(m.model_id for m in found)
            raise InvalidParameterError(name, value, f"parameters of {names}: {', '.join(dict.fromkeys(valid))}")
        match name:
            case "lookback_days":
                config = replace(config, lookback_us=_days_us(name, value))
            case "half_life_days":
                config = replace(config, half_life_us=_days_us(name, value))
            case "exclude_channels":
                config = replace(config, exclude_channels=_names(name, value))
            case "direct_channels":
                config = replace(config, direct_channels=_names(name, value))
            case _:
                config = replace(config, custom_weights=_weights(name, value))
    return config


def _days_us(name: str, value: object) -> int:
    days = _number(value)
    if days is None or not 0 < days <= _MAX_DAYS or int(days * DAY_US) == 0:
        raise InvalidParameterError(name, value, f"give a number of days above 0 and at most {_MAX_DAYS}")
    return int(days * DAY_US)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _names(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidParameterError(name, value, 'give a list of channel names such as ["direct"]')
    names = list(value)
    if not all(isinstance(n, str) for n in names):
        raise InvalidParameterError(name, value, 'give a list of channel names such as ["direct"]')
    return frozenset(n.casefold() for n in names)


def _weights(name: str, value: object) -> tuple[Decimal, Decimal, Decimal]:
    numbers = [] if isinstance(value, str) or not isinstance(value, Sequence) else [_number(v) for v in value]
    match numbers:
        case [Decimal() as first, Decimal() as middle, Decimal() as last]:
            return (first, middle, last)
    raise InvalidParameterError(name, value, "give three numbers (first, middle, last) such as (0.4, 0.2, 0.4)")


def _results(
    attributor: Attributor,
    touchpoints: Iterable[Touchpoint | Mapping[str, Any]],
    conversion_value: Amount,
    conversion_time: Time | None,
    milestones: Mapping[str, Time] | None,
    currency: str,
) -> list[AttributionResult]:
    micros = to_micros(conversion_value, "conversion_value")
    touches = _touches(touchpoints)
    at_us = max((t[0] for t in touches), default=0)
    if conversion_time is not None:
        at_us = to_us(conversion_time, "conversion_time")
    conversion = Conversion(_CONVERSION_ID, "purchase", at_us, micros, currency)
    journey = FixedJourney(touches, [*_milestones(milestones or {}, at_us), conversion])
    found = attributor.attribute(journey, conversion)
    return [
        AttributionResult(
            model,
            micros,
            currency,
            tuple(
                Credit(touch[1], touch[2], weight, from_micros(part), part)
                for touch, weight, part in zip(found.touches, found.weights[m], found.micros[m], strict=True)
            ),
            found.fallbacks[m],
        )
        for m, model in enumerate(found.models)
    ]


def _milestones(milestones: Mapping[str, Time], at_us: int) -> list[Conversion]:
    found = []
    for name, time in milestones.items():
        if name not in (LEAD, OPPORTUNITY):
            raise InvalidParameterError("milestones", name, f"valid milestones: {LEAD}, {OPPORTUNITY}")
        reached_us = to_us(time, f"milestones[{name!r}]")
        if reached_us > at_us:
            raise InvalidParameterError(
                f"milestones[{name!r}]", time, "it is after the conversion; give a conversion_time at or after it"
            )
        found.append(Conversion(name, name, reached_us, 0, ""))
    return found


def _touches(touchpoints: Iterable[Touchpoint | Mapping[str, Any]]) -> list[Touch]:
    by_id: dict[str, Touch] = {}
    for index, item in enumerate(touchpoints):
        touch = _touch(index, item)
        known = by_id.setdefault(touch[1], touch)
        if known != touch:
            raise InvalidTouchpointError(index, "id", touch[1], "it names another touchpoint before; ids must differ")
    return list(by_id.values())


def _touch(index: int, item: Touchpoint | Mapping[str, Any]) -> Touch:
    if isinstance(item, Touchpoint):
        item = {name: getattr(item, name) for name in ("id", "timestamp", "channel", "campaign", "cost")}
    elif not isinstance(item, Mapping):
        raise InvalidTouchpointError(index, "", item, "give a mapping with id, timestamp and channel, or a Touchpoint")
    identifier = _required(index, item, "id", "event_id")
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    channel = _required(index, item, "channel", "channel_id")
    campaign = item.get("campaign")
    for field, text in (("id", identifier), ("channel", channel), ("campaign", "" if campaign is None else campaign)):
        if not isinstance(text, str):
            raise InvalidTouchpointError(index, field, text, "give a text")
    time = _required(index, item, "timestamp", "occurred_at")
    try:
        at_us = to_us(time)
        if item.get("cost") is not None:
            to_micros(item["cost"], "cost")
    except InvalidParameterError as wrong:
        raise InvalidTouchpointError(index, wrong.field, wrong.value, wrong.way_out) from None
    return (at_us, identifier, channel, campaign or "")


def _required(index: int, item: Mapping[str, Any], *names: str) -> Any:
    """The value under the first of the names that is there and not empty."""
    for name in names:
        value = item.get(name)
        if value is not None and value != "":
            return value
    raise InvalidTouchpointError(index, names[0], item.get(names[0]), f"it is required (also read: {names[1]})")
