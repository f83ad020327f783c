"""A stream of events with known truth, in the order of their arrival; the same for the same seed and start.

The path of an event: a block of journeys is drawn (``journeys``), corrected, delayed, repeated and damaged
(``arrivals``), merged by arrival with what the blocks before left over, given event times (``clocks``) and bytes
(``render``). The stream has no end, and its first records do not depend on how many are taken. No clock is read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import TYPE_CHECKING, Final

import numpy as np

from loadgen.arrivals import corrections, damaged, delayed, redelivered
from loadgen.causal import CausalTruth
from loadgen.clocks import DAY_S, Clock, Season
from loadgen.config import ConfigError, PopulationConfig
from loadgen.journeys import Journeys
from loadgen.malformed import DAMAGE_NUMBERS
from loadgen.render import Renderer
from loadgen.rows import make

if TYPE_CHECKING:
    from loadgen.causal import CausalReport
    from loadgen.clocks import Floats
    from loadgen.records import Record
    from loadgen.rows import Rows

_JOURNEYS_A_BLOCK: Final = 2_048


class Population:
    """Customers who act from ``start_at_us`` on.

    Event time runs at ``config.events_per_day`` records a day through day and night; with ``live_rate`` (records a
    second) it runs at that even pace instead, so that a run sent at the same rate happens as it is sent.
    ``causal`` tells what the channels truly caused.
    """

    def __init__(
        self, config: PopulationConfig | None = None, *, seed: int, start_at_us: int, live_rate: float | None = None
    ) -> None:
        self.config = config or PopulationConfig()
        if seed < 0:
            raise ConfigError("seed", seed, "give a whole number from 0 on")
        if live_rate is not None and not live_rate > 0:
            raise ConfigError("rate", live_rate, "a live stream needs a rate above 0, for example 500")
        self.seed = seed
        self.start_at_us = start_at_us
        self.live_rate = live_rate
        self._causal = CausalTruth([c.name for c in self.config.channels])
        self._sent_before = 0
        self._arrivals: Floats = np.zeros(0)
        self._journeys = Journeys(self.config)
        self._renderer = Renderer(self.config, seed=seed, start_at_us=start_at_us)
        season = Season(start_at_us) if live_rate is None else None
        self._clock = Clock(start_at_us, live_rate or self.config.events_per_day / DAY_S, season)

    @property
    def id_hash(self) -> str:
        """Eight hexadecimal digits that every id of an event or order holds."""
        return self._renderer.id_hash

    def again(self) -> Population:
        """The same stream, from its beginning."""
        return Population(self.config, seed=self.seed, start_at_us=self.start_at_us, live_rate=self.live_rate)

    def chunks(self) -> Iterator[list[Record]]:
        """Records in order of arrival, a few thousand at a time, without end."""
        journeys, config = self._journeys, self.config
        gap = journeys.events_per_journey() / config.events_per_day * DAY_S
        cursor, event, sent = 0.0, 0, 0
        waiting: Rows = make(0)
        for block_number in count():
            rng = np.random.default_rng([self.seed, block_number])
            starts = cursor + np.cumsum(rng.exponential(gap, _JOURNEYS_A_BLOCK))
            block = journeys.draw(rng, starts, event)
            self._causal.add(block, settle_before=cursor)
            cursor = float(starts[-1])
            event += len(block.touches) + len(block.conversions)
            corrected = corrections(rng, config, block.conversions, event)
            event += len(corrected)
            valid = delayed(rng, config, block, corrected)
            again = redelivered(rng, valid, config.duplicates)
            broken = damaged(rng, valid, len(valid) + len(again), config.malformed, DAMAGE_NUMBERS, event)
            event += len(broken)

            # Later journeys start after the cursor, so nothing can arrive before it any more.
            rows = np.concatenate([waiting, valid, again, broken])
            rows = rows[np.argsort(rows["arrives"], kind="stable")]
            ready = int(np.searchsorted(rows["arrives"], cursor))
            rows, waiting = rows[:ready], rows[ready:]
            self._clock.advance(rows["arrives"], sent)
            self._sent_before, self._arrivals = sent, rows["arrives"]
            records = self._renderer.render(rows, self._clock.to_us(rows["occurs"]))
            sent += len(records)
            if records:
                yield records

    def records(self, limit: int | None = None) -> Iterator[Record]:
        """The first ``limit`` records, or all of them for ever."""
        stream = (record for chunk in self.chunks() for record in chunk)
        return stream if limit is None else islice(stream, limit)

    def causal(self, sent: int) -> CausalReport:
        """The truth about the journeys that were decided when the ``sent``-th record arrived, one of the last chunk.

        Spend reports are not counted on the way, so it may be a few records off.
        """
        if not len(self._arrivals):
            return self._causal.report(0.0)
        place = min(max(sent - self._sent_before, 1), len(self._arrivals)) - 1
        return self._causal.report(float(self._arrivals[place]))
