"""From conversion events to conversions: one order is one conversion, and corrections are applied in event order.

An event with ``order_id`` belongs to ``(conversion_type, order_id)``, one without to its own ``event_id``. The
earliest completed event of that group that adjusts nothing is the base: it fixes the time and the currency. The
others, and every event whose ``adjusts`` names the group, are corrections, applied after the base in
``(at_us, event_id)`` order whatever the order of arrival:

* ``completed`` restates the total and revives a cancelled conversion;
* ``refunded`` with a value takes that much off, never below zero; at zero the conversion is gone;
* ``refunded`` without a value, and ``cancelled``, take all.

A correction whose conversion is not known (yet) has no effect until the conversion arrives.
"""

from __future__ import annotations

from collections.abc import Sequence

from attribution.types import Conversion, ConversionEvent


def own_key(event: ConversionEvent) -> str:
    """Id of the conversion that an event without ``adjusts`` belongs to."""
    return f"{event.conversion_type}:{event.order_id}" if event.order_id else event.event_id


def conversion_key(event: ConversionEvent, events: Sequence[ConversionEvent]) -> str | None:
    """Id of the conversion that ``event`` belongs to or corrects among ``events``; None while it is unknown.

    ``adjusts`` is read as an event id first, then as an order id of the same conversion type, then as
    the order id of any type if just one type has it.
    """
    target = event.adjusts
    if not target:
        return own_key(event)
    bases = [e for e in events if not e.adjusts]
    for other in bases:
        if other.event_id == target:
            return own_key(other)
    types = {e.conversion_type for e in bases if e.order_id == target}
    if event.conversion_type in types:
        return f"{event.conversion_type}:{target}"
    return f"{types.pop()}:{target}" if len(types) == 1 else None


def linked_keys(some: Sequence[ConversionEvent], events: Sequence[ConversionEvent]) -> set[str | None]:
    """Ids of all conversions among ``events`` whose meaning may hang on ``some``: they share an event or order id."""
    names = {name for e in some for name in (e.event_id, e.order_id, e.adjusts) if name}
    return {
        conversion_key(e, events) for e in events if e.event_id in names or e.order_id in names or e.adjusts in names
    }


def resolve(events: Sequence[ConversionEvent], *, orphans: bool = False) -> list[Conversion]:
    """Every conversion of a journey with its corrections applied, sorted by ``Conversion.order``.

    Args:
        events: sorted by ``(at_us, event_id)``.
        orphans: answer every conversion as not live: used for events that were replaced.
    """
    groups: dict[str, list[ConversionEvent]] = {}
    for event in events:
        key = conversion_key(event, events) if event.adjusts else own_key(event)
        if key is not None:
            groups.setdefault(key, []).append(event)
    found = [c for key, group in groups.items() if (c := _resolve_group(key, group)) is not None]
    if orphans:
        found = [Conversion(c.conversion_id, c.conversion_type, c.at_us, 0, c.currency, is_live=False) for c in found]
    found.sort(key=lambda c: c.order)
    return found


def _resolve_group(key: str, group: Sequence[ConversionEvent]) -> Conversion | None:
    bases = [e for e in group if not e.adjusts and e.status == "completed"]
    if not bases:
        return None
    base = bases[0]
    value, is_live = base.value_micros, True
    if len(group) > 1:
        value, is_live = _corrected(base, group)
    former = tuple(sorted({e.at_us for e in bases[1:]} - {base.at_us}))
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
