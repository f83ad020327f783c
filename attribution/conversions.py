"""From conversion events to conversions: one order is one conversion, and corrections are applied in event order.

An event with ``order_id`` belongs to ``(conversion_type, order_id)``, one without to its own ``event_id``. The
earliest completed event of that group that adjusts nothing is the base: it fixes the time and the currency. The
others, and every event whose ``adjusts`` names the group, are corrections, applied after the base in
``(at_us, event_id)`` order whatever the order of arrival:

* ``completed`` restates the total and revives a cancelled conversion;
* ``refunded`` with a value takes that much off, never below zero; at zero the conversion is gone;
* ``refunded`` without a value, and ``cancelled``, take all.

A correction whose conversion is not known (yet) has no effect until the conversion arrives.

Several contents under one ``event_id`` are versions of one event. The one with the highest ``sent_at_us`` counts (the
smallest of those that share it); the others are kept only to know where rows may have been written before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attribution.types import Conversion, ConversionEvent


def own_key(event: ConversionEvent) -> str:
    """Id of the conversion that an event without ``adjusts`` belongs to."""
    return f"{event.conversion_type}:{event.order_id}" if event.order_id else event.event_id


def current(events: Sequence[ConversionEvent]) -> tuple[Sequence[ConversionEvent], Sequence[ConversionEvent]]:
    """The versions that count, and those that do not; both in the order of ``events``, which is sorted."""
    if len({e.event_id for e in events}) == len(events):
        return events, ()
    best: dict[str, ConversionEvent] = {}
    for event in events:
        known = best.get(event.event_id)
        if known is None or event.sent_at_us > known.sent_at_us:
            best[event.event_id] = event
    return [e for e in events if best[e.event_id] is e], [e for e in events if best[e.event_id] is not e]


def conversion_keys(some: Sequence[ConversionEvent], events: Sequence[ConversionEvent]) -> list[str | None]:
    """Id of the conversion that each of ``some`` belongs to or corrects among ``events``; None while it is unknown.

    ``adjusts`` is read as an event id first, then as an order id of the same conversion type, then as
    the order id of any type if just one type has it. Linear in both: the names are looked up, not searched.
    """
    if not any(e.adjusts for e in some):
        return [own_key(e) for e in some]
    by_event: dict[str, ConversionEvent] = {}
    types_of: dict[str, set[str]] = {}
    for event in events:
        if not event.adjusts:
            by_event.setdefault(event.event_id, event)
            types_of.setdefault(event.order_id, set()).add(event.conversion_type)
    return [_key(e, by_event, types_of) for e in some]


def _key(
    event: ConversionEvent, by_event: Mapping[str, ConversionEvent], types_of: Mapping[str, set[str]]
) -> str | None:
    target = event.adjusts
    if not target:
        return own_key(event)
    named = by_event.get(target)
    if named is not None:
        return own_key(named)
    types = types_of.get(target, ())
    if event.conversion_type in types:
        return f"{event.conversion_type}:{target}"
    return f"{next(iter(types))}:{target}" if len(types) == 1 else None


def linked_keys(some: Sequence[ConversionEvent], events: Sequence[ConversionEvent]) -> set[str | None]:
    """Ids of all conversions among ``events`` whose meaning may hang on ``some``: they share an event or order id."""
    names = {name for e in some for name in (e.event_id, e.order_id, e.adjusts) if name}
    counting, _ = current(events)
    linked = [e for e in events if e.event_id in names or e.order_id in names or e.adjusts in names]
    return {*conversion_keys(linked, counting), *map(own_key, linked)}


def resolve(events: Sequence[ConversionEvent]) -> list[Conversion]:
    """Every conversion of a journey with its corrections applied, sorted by ``Conversion.order``.

    A conversion that only a superseded version of an event speaks of is answered as not live: it may have been
    written before.

    Args:
        events: sorted by ``(at_us, event_id)``.
    """
    counting, superseded = current(events)
    groups: dict[str, list[ConversionEvent]] = {}
    for event, key in zip(counting, conversion_keys(counting, counting), strict=True):
        if key is not None:
            groups.setdefault(key, []).append(event)
    former: dict[str, list[ConversionEvent]] = {}
    for event in superseded:
        if not event.adjusts and event.status == "completed":
            former.setdefault(own_key(event), []).append(event)
    found = [c for k, group in groups.items() if (c := _resolve_group(k, group, former.pop(k, ()))) is not None]
    found += [_orphan(key, versions) for key, versions in former.items()]
    found.sort(key=lambda c: c.order)
    return found


def retained(events: Sequence[ConversionEvent], oldest_us: int) -> list[ConversionEvent]:
    """Events not older than ``oldest_us``, and all others of the conversions that these speak of.

    A conversion is kept or forgotten as a whole: half of it would be another conversion.
    """
    counting, _ = current(events)
    keys = conversion_keys(events, counting)
    alive = {name for e, key in zip(events, keys, strict=True) if e.at_us >= oldest_us for name in (key, e.event_id)}
    return [
        e
        for e, key in zip(events, keys, strict=True)
        if e.at_us >= oldest_us or (key is not None and key in alive) or e.event_id in alive
    ]


def _orphan(key: str, versions: Sequence[ConversionEvent]) -> Conversion:
    """A conversion that no event speaks of any more."""
    first = versions[0]
    former = tuple(sorted({e.at_us for e in versions} - {first.at_us}))
    return Conversion(key, first.conversion_type, first.at_us, 0, first.currency, is_live=False, former_at_us=former)


def _resolve_group(
    key: str, group: Sequence[ConversionEvent], former_versions: Sequence[ConversionEvent]
) -> Conversion | None:
    bases = [e for e in group if not e.adjusts and e.status == "completed"]
    if not bases:
        return _orphan(key, former_versions) if former_versions else None
    base = bases[0]
    value, is_live = base.value_micros, True
    if len(group) > 1:
        value, is_live = _corrected(base, group)
    former: tuple[int, ...] = ()
    if len(bases) > 1 or former_versions:
        former = tuple(sorted({e.at_us for e in (*bases[1:], *former_versions)} - {base.at_us}))
    return Conversion(key, base.conversion_type, base.at_us, value, base.currency, is_live, former)


def _corrected(base: ConversionEvent, group: Sequence[ConversionEvent]) -> tuple[int, bool]:
    value, is_live = base.value_micros, True
    for event in group:
        if event is base:
            continue
        if event.status == "completed":
            value, is_live = event.value_micros, True
        elif event.status == "refunded" and event.value_micros > 0:
            value = max(0, value - event.value_micros)
            is_live = is_live and value > 0
        else:
            value, is_live = 0, False
    return value, is_live
