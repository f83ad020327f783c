"""Which conversions a run holds: those that happened from one time on and before another, half open.

Times are microseconds since the epoch; 0 means no bound. Touches before the window still count: it is the conversion's
time that decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from attribution.types import ConversionCredits


class Window(NamedTuple):
    """``[from_us, to_us)``."""

    from_us: int = 0
    to_us: int = 0

    def holds(self, at_us: int) -> bool:
        """Whether a conversion of this time is in the window."""
        return self.from_us <= at_us and (not self.to_us or at_us < self.to_us)

    def credits(self, found: Iterable[tuple[str, ConversionCredits]]) -> list[tuple[str, ConversionCredits]]:
        """Credits to write, of ``(customer id, credits)``.

        A conversion that has left the window (the same order sent with another time) is answered as not live: its
        rows inside are deleted.
        """
        if not any(self):
            return list(found)
        kept = []
        for customer_id, item in found:
            conversion = item.conversion
            if self.holds(conversion.at_us):
                kept.append((customer_id, item))
            elif any(map(self.holds, conversion.former_at_us)):
                gone = replace(conversion, is_live=False)
                kept.append((customer_id, replace(item, conversion=gone, touches=(), weights=(), micros=())))
        return kept


#: No bounds.
ALL: Final = Window()
