"""The batch reference: what the stream must converge to, computed naively over a whole list of events.

It is the oracle of the tests, so it shares nothing with the hot path but the types: it filters every touch for
every conversion, applies corrections by its own reading of the rules, writes every model as ``Fraction`` and
divides money by its own largest remainder. That is also why model ids are written here a second time; a test
compares them with the registry. It keeps every event: no pruning, no cap, nothing is too late; ``admitted`` says
which conversions a bounded journey refuses.

Time decay starts from the documented representation: ``int(2.0 ** -(age / half_life) * 2**62)``, age counted
from the newest eligible touch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

from attribution.errors import DuplicateConversionError, UnknownModelError
from attribution.models.base import Path
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits, ConversionEvent, Touch

if TYPE_CHECKING:
    from attribution.config import AttributionConfig
    from attribution.fitted import Fit
    from attribution.identity import Link

#: What a model may look at: touches, position of lead and opportunity touch, configuration.
_Rule: TypeAlias = Callable[[list[Touch], "int | None", "int | None", "AttributionConfig"], list[Fraction]]


def attribute_all(
    touches: Iterable[tuple[str, Touch]],
    events: Iterable[tuple[str, ConversionEvent]],
    config: AttributionConfig,
    links: Iterable[Link] = (),
    fits: Iterable[Fit] = (),
) -> dict[str, ConversionCredits]:
    """Credits of every conversion in a list of events, by conversion id, cancelled ones included.

    Args:
        touches: (customer id, touch), in any order; an id that comes again counts once.
        events: (customer id, conversion or correction), in any order; likewise.
        config: parameters; the bounds of a stored journey do not apply.
        links: which customer ids are one person.
        fits: of the data-driven model.

    Raises:
        DuplicateConversionError: two customers have a conversion with the same id.
        UnknownModelError: a model of the configuration has no rule here.
    """
    known_fits = list(fits)
    for name in config.models:
        if name not in {*_RULES, "data_driven"}:
            raise UnknownModelError(name, [*_RULES, "data_driven"])
    survivors = survivors_of(links)
    touches_of: dict[str, dict[str, Touch]] = {}
    events_of: dict[str, dict[str, ConversionEvent]] = {}
    for customer_id, touch in touches:
        mine = touches_of.setdefault(survivors.get(customer_id, customer_id), {})
        mine[touch[1]] = min(touch, mine.get(touch[1], touch))
    for customer_id, event in events:
        known = events_of.setdefault(survivors.get(customer_id, customer_id), {})
        known[event.event_id] = min(event, known.get(event.event_id, event), key=lambda e: (-e.sent_at_us, e))
    result: dict[str, ConversionCredits] = {}
    for customer_id, known in events_of.items():
        mine = touches_of.get(customer_id, {})
        conversions = _conversions(list(known.values()))
        for conversion in conversions:
            if conversion.conversion_id in result:
                raise DuplicateConversionError(
                    f"conversion {conversion.conversion_id!r} belongs to more than one customer, one of them "
                    f"{customer_id!r}; order ids must be unique among all customers"
                )
            rev = len(mine) + len(known)
            result[conversion.conversion_id] = _credits(
                list(mine.values()), conversions, conversion, rev, config, known_fits
            )
    return result


def admitted(arrivals: Sequence[ConversionEvent], config: AttributionConfig) -> list[ConversionEvent]:
    """Of one customer's events in order of arrival, those that a bounded journey takes: the others are refused.

    An event that is there already is taken again; any other one only while fewer than ``max_conversions`` were
    taken that are not older than the retention before it.
    """
    taken: list[ConversionEvent] = []
    for event in arrivals:
        if any(e[:-1] == event[:-1] for e in taken):
            taken.append(event)
            continue
        counting = {e[:-1] for e in taken if e.at_us >= event.at_us - config.conversion_retention_us}
        if len(counting) < config.max_conversions:
            taken.append(event)
    return taken


def survivors_of(links: Iterable[Link]) -> dict[str, str]:
    """The surviving id of every id that a link names: each link renames all that are called like the former id."""
    names: dict[str, str] = {}
    for _, _, previous_id, customer_id in sorted(links):
        former = names.setdefault(previous_id, previous_id)
        survivor = names.setdefault(customer_id, customer_id)
        names = {name: survivor if now == former else now for name, now in names.items()}
    return names


def _conversions(events: list[ConversionEvent]) -> list[Conversion]:
    """Each group of a base and its corrections, as one conversion."""
    members: dict[tuple[str, str], list[ConversionEvent]] = {}
    for event in events:
        group = _group_of(event, events)
        if group is not None:
            members.setdefault(group, []).append(event)
    found = []
    for (kind, order_or_event), group_events in members.items():
        completed = [e for e in group_events if e.status == "completed" and e.adjusts == ""]
        if not completed:
            continue
        base = min(completed, key=lambda e: (e.at_us, e.event_id))
        value, live = base.value_micros, True
        for event in sorted(group_events, key=lambda e: (e.at_us, e.event_id)):
            if event.event_id == base.event_id:
                continue
            if event.status == "completed":
                value, live = event.value_micros, True
            elif event.status == "refunded" and event.value_micros > 0:
                value -= event.value_micros
                if value <= 0:
                    value, live = 0, False
            else:
                value, live = 0, False
        found.append(
            Conversion(
                conversion_id=f"{kind}:{order_or_event}" if base.order_id else base.event_id,
                conversion_type=base.conversion_type,
                at_us=base.at_us,
                value_micros=value,
                currency=base.currency,
                is_live=live,
                former_at_us=tuple(sorted({e.at_us for e in completed if e.at_us != base.at_us})),
            )
        )
    return sorted(found, key=lambda c: (c.at_us, c.conversion_id))


def _group_of(event: ConversionEvent, events: list[ConversionEvent]) -> tuple[str, str] | None:
    """(type, order id), or ("", event id) without an order; None for a correction of something unknown."""
    if event.adjusts == "":
        return (event.conversion_type, event.order_id) if event.order_id else ("", event.event_id)
    own = [e for e in events if e.adjusts == ""]
    named = [e for e in own if e.event_id == event.adjusts]
    if named:
        return _group_of(named[0], events)
    groups = {(e.conversion_type, e.order_id) for e in own if e.order_id == event.adjusts}
    if (event.conversion_type, event.adjusts) in groups:
        return (event.conversion_type, event.adjusts)
    return next(iter(groups)) if len(groups) == 1 else None


def _credits(
    touches: list[Touch],
    conversions: list[Conversion],
    conversion: Conversion,
    rev: int,
    config: AttributionConfig,
    fits: list[Fit],
) -> ConversionCredits:
    names = config.models
    if not conversion.is_live:
        return ConversionCredits(conversion, rev, names, (), (), (), ("",) * len(names))
    earlier = [c for c in conversions if c.is_live and (c.at_us, c.conversion_id) <= _order(conversion)]
    path = _path(touches, earlier, conversion, config)
    if not path:
        alone = (conversion.at_us, "", UNATTRIBUTED, "")
        micros = ((conversion.value_micros,),) * len(names)
        return ConversionCredits(conversion, rev, names, (alone,), ((1.0,),) * len(names), micros, ("",) * len(names))
    lead, opportunity = _anchors(path, earlier)
    weights, amounts, fallbacks = [], [], []
    fit = _fit(conversion, fits if "data_driven" in names else [])
    for name in names:
        rule, fallback = _RULES.get(name, _RULES["linear"]), ""
        if name in {"w_shaped", "full_path"} and lead is None and opportunity is None:
            rule, fallback = _u_shaped, "u_shaped"
        shares = rule(path, lead, opportunity, config)
        if name == "data_driven" and fit is not None:
            numerators, fallback = fit.rule.shares(Path(tuple(path), conversion, fit=fit), config)
            shares = [Fraction(n) for n in numerators]
        elif name == "data_driven":
            fallback = "linear"
        total = sum(shares)
        shares = [s / total for s in shares]
        weights.append(tuple(float(s) for s in shares))
        amounts.append(_largest_remainder(conversion.value_micros, shares))
        fallbacks.append(fallback)
    return ConversionCredits(
        conversion,
        rev,
        names,
        tuple(path),
        tuple(weights),
        tuple(amounts),
        tuple(fallbacks),
        model_version="" if fit is None else fit.version,
    )


def _fit(conversion: Conversion, fits: list[Fit]) -> Fit | None:
    """The newest fit that was in force at the conversion."""
    in_force = [fit for fit in fits if fit.effective_from_us <= conversion.at_us]
    return max(in_force, key=lambda fit: (fit.effective_from_us, fit.version), default=None)


def _order(conversion: Conversion) -> tuple[int, str]:
    return (conversion.at_us, conversion.conversion_id)


def _path(
    touches: list[Touch], earlier: list[Conversion], conversion: Conversion, config: AttributionConfig
) -> list[Touch]:
    """Eligible touches in order."""
    excluded = {name.casefold() for name in config.exclude_channels}
    ends = [
        c.at_us for c in earlier if c.conversion_type in config.reset_on_conversion and _order(c) < _order(conversion)
    ]
    return sorted(
        t
        for t in touches
        if conversion.at_us - config.lookback_us <= t[0] <= conversion.at_us
        and t[2].casefold() not in excluded
        and all(t[0] > end for end in ends)
    )


def _anchors(path: list[Touch], earlier: list[Conversion]) -> tuple[int | None, int | None]:
    """Positions of the lead and the opportunity touch."""
    opportunities = [c.at_us for c in earlier if c.conversion_type == "opportunity_created"]
    until = max(opportunities) if opportunities else math.inf
    leads = [c.at_us for c in earlier if c.conversion_type == "lead_created" and c.at_us <= until]
    places = []
    for times in (leads, opportunities):
        before = [i for i, t in enumerate(path) if times and t[0] <= max(times)]
        places.append(max(before) if before else None)
    return places[0], places[1]


def _largest_remainder(value: int, shares: list[Fraction]) -> tuple[int, ...]:
    exact = [abs(value) * s for s in shares]
    parts = [math.floor(e) for e in exact]
    left = abs(value) - sum(parts)
    by_remainder = sorted(range(len(exact)), key=lambda i: (-(exact[i] - parts[i]), i))
    for i in by_remainder[:left]:
        parts[i] += 1
    return tuple(p if value >= 0 else -p for p in parts)


def _at(n: int, position: int) -> list[Fraction]:
    return [Fraction(i == position) for i in range(n)]


def _first_middle_last(n: int, first: Fraction, middle: Fraction, last: Fraction) -> list[Fraction]:
    """Not normalised: a role without a touch is dropped, and what is left is rescaled by the caller."""
    if n == 1:
        return [Fraction(1)]
    if n == 2:
        return [first, last] if first + last else [Fraction(1, 2)] * 2
    return [first, *[middle / (n - 2)] * (n - 2), last]


def _ends(first: int, middle: int, last: int) -> _Rule:
    percent = Fraction(1, 100)
    return lambda path, _lead, _opportunity, _config: _first_middle_last(
        len(path), first * percent, middle * percent, last * percent
    )


def _last_non_direct(
    path: list[Touch], _lead: int | None, _opportunity: int | None, config: AttributionConfig
) -> list[Fraction]:
    direct = {name.casefold() for name in config.direct_channels}
    others = [i for i, t in enumerate(path) if t[2].casefold() not in direct]
    return _at(len(path), others[-1] if others else len(path) - 1)


def _time_decay(
    path: list[Touch], _lead: int | None, _opportunity: int | None, config: AttributionConfig
) -> list[Fraction]:
    newest = max(t[0] for t in path)
    return [Fraction(int(2.0 ** -((newest - t[0]) / config.half_life_us) * 2**62)) for t in path]


def _custom(
    path: list[Touch], _lead: int | None, _opportunity: int | None, config: AttributionConfig
) -> list[Fraction]:
    first, middle, last = (Fraction(w) for w in config.custom_weights)
    return _first_middle_last(len(path), first, middle, last)


def _milestones(role_share: Fraction, *, close: bool) -> _Rule:
    def rule(
        path: list[Touch], lead: int | None, opportunity: int | None, _config: AttributionConfig
    ) -> list[Fraction]:
        roles = [0, lead, opportunity] + ([len(path) - 1] if close else [])
        holders = {r for r in roles if r is not None}
        others = len(path) - len(holders)
        return [
            sum((role_share for r in roles if r == i), Fraction(0)) if i in holders else Fraction(1, 10) / others
            for i in range(len(path))
        ]

    return rule


_u_shaped: Final = _ends(40, 20, 40)

_RULES: Final[dict[str, _Rule]] = {
    "first_touch": lambda path, _lead, _opportunity, _config: _at(len(path), 0),
    "last_touch": lambda path, _lead, _opportunity, _config: _at(len(path), len(path) - 1),
    "last_non_direct": _last_non_direct,
    "linear": lambda path, _lead, _opportunity, _config: [Fraction(1, len(path))] * len(path),
    "time_decay": _time_decay,
    "u_shaped": _u_shaped,
    "w_shaped": _milestones(Fraction(30, 100), close=False),
    "full_path": _milestones(Fraction(225, 1000), close=True),
    "j_shaped": _ends(20, 20, 60),
    "inverse_j": _ends(60, 20, 20),
    "custom": _custom,
}
