"""The nouns of the core. ``_us`` is microseconds since the epoch, ``_micros`` is 1e-6 of a currency unit.

A journey holds tens of thousands of touches a second, so its two event kinds are plain tuples:
they sort by ``(at_us, event_id)``, which is the one order that everything here uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

#: ``(at_us, event_id, channel, campaign)``; campaign is ``""`` when unknown.
Touch: TypeAlias = tuple[int, str, str, str]

Status: TypeAlias = Literal["completed", "refunded", "cancelled"]

#: Channel of the one credit that a conversion without an eligible touch gets.
UNATTRIBUTED: Final = "unattributed"


class ConversionEvent(NamedTuple):
    """A conversion or a correction of one, as it was sent. Sorts by ``(at_us, event_id)``.

    ``order_id`` and ``adjusts`` are ``""`` when absent. ``value_micros`` of a ``refunded`` event is
    the amount taken off; 0 takes all. A ``completed`` event with ``adjusts`` restates the total.
    ``sent_at_us`` tells versions of one event apart: of several contents under one ``event_id`` the one sent last
    counts (of those sent at the same time, or without a time, the smallest).
    """

    at_us: int
    event_id: str
    conversion_type: str
    order_id: str
    value_micros: int
    currency: str
    status: Status
    adjusts: str
    sent_at_us: int = 0


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the events of one conversion amount to, corrections applied.

    ``conversion_id`` is ``<conversion_type>:<order_id>`` when an order id was sent, else the event id.
    ``is_live`` is False when it was refunded in full or cancelled: its rows must be deleted.
    ``former_at_us``: other times at which this conversion may have been written before (the same order
    id or the same event sent with another time); rows at those days must be deleted too.
    """

    conversion_id: str
    conversion_type: str
    at_us: int
    value_micros: int
    currency: str
    is_live: bool = True
    former_at_us: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, str]:
        """Position among conversions of one journey."""
        return (self.at_us, self.conversion_id)


@dataclass(frozen=True, slots=True)
class ConversionCredits:
    """Every model's credits of one conversion; lists run over ``touches``, in path order.

    ``weights[m][i]`` (sum 1) and ``micros[m][i]`` (sum exactly ``conversion.value_micros``) belong to
    model ``models[m]`` and touch ``touches[i]``. Without an eligible touch, ``touches`` holds the one
    ``unattributed`` pseudo touch ``(conversion.at_us, "", UNATTRIBUTED, "")``.
    For a conversion that is not live ``touches``, ``weights`` and ``micros`` are empty.
    ``fallbacks[m]`` names the model that stood in (``""``: none); ``truncated``: touches in the window may have been
    dropped. ``model_version`` is that of the fit behind ``data_driven`` (``""``: none).
    """

    conversion: Conversion
    rev: int
    models: tuple[str, ...]
    touches: tuple[Touch, ...]
    weights: tuple[tuple[float, ...], ...]
    micros: tuple[tuple[int, ...], ...]
    fallbacks: tuple[str, ...]
    truncated: bool = False
    model_version: str = ""
