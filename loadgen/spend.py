"""Daily ad spend, as platforms report it: the costs of the clicks so far, restated while more of them come in."""

from __future__ import annotations

from schemas.events import SpendEvent

#: Impressions an advertiser pays for before one click.
_IMPRESSIONS_A_CLICK = 40


class SpendLedger:
    """Adds up click costs by (day, channel, campaign); a report holds each key that changed since the last one.

    So the last event of a key is the sum of all its clicks that were delivered before the report.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._number = 0
        self._cost: dict[tuple[int, str, str], int] = {}
        self._clicks: dict[tuple[int, str, str], int] = {}
        self._changed: set[tuple[int, str, str]] = set()

    def add(self, day: int, channel: str, campaign: str, cost_micros: int) -> None:
        """Count one click; ``day`` is days since 1970-01-01 (UTC)."""
        key = (day, channel, campaign)
        self._cost[key] = self._cost.get(key, 0) + cost_micros
        self._clicks[key] = self._clicks.get(key, 0) + 1
        self._changed.add(key)

    def report(self) -> list[SpendEvent]:
        """One event for each key that changed, in the order of the keys."""
        events = []
        for key in sorted(self._changed):
            day, channel, campaign = key
            clicks = self._clicks[key]
            events.append(
                SpendEvent(
                    event_id=f"{self._prefix}s{self._number:09d}",
                    spend_day=day,
                    channel=channel,
                    cost_micros=self._cost[key],
                    currency="USD",
                    campaign=campaign,
                    impressions=clicks * _IMPRESSIONS_A_CLICK,
                    clicks=clicks,
                )
            )
            self._number += 1
        self._changed.clear()
        return events
