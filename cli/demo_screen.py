"""The demo's picture: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.demo_watch import CURRENCY, MODELS, Credits, Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_PLAIN_EVERY_S: Final = 5.0
_CHANNELS_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look. ``at`` is seconds since the start; ages are milliseconds, ``None`` while nothing new is readable."""

    at: float
    phase: str
    progress: Progress
    events_per_second: float
    p95_age_ms: int | None
    credits: Credits
    dead_letters: dict[str, int] = field(default_factory=dict)

    def headline(self) -> str:
        """All but the table, in one line."""
        age = "-" if self.p95_age_ms is None else f"{self.p95_age_ms / 1000:.2f} s"
        return (
            f"{self.phase} | {self.progress.done:,} events | {self.events_per_second:,.0f} events/s | "
            f"lag {self.progress.lag:,} | p95 age {age} | dead letters {sum(self.dead_letters.values()):,}"
        )


class Screen:
    """Shows snapshots; a context manager. ``notes`` stand below the table and are printed once where there is none."""

    def __init__(self, notes: Sequence[str], *, is_plain: bool | None = None) -> None:
        self._notes = list(notes)
        self._is_plain = not sys.stdout.isatty() if is_plain is None else is_plain
        self._console = Console(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._plain_at = -_PLAIN_EVERY_S
        self._had_credits = False

    def __enter__(self) -> Self:
        if self._is_plain:
            for note in self._notes:
                print(note, flush=True)
        else:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Replace the picture, or print a line if the last one is old enough."""
        if self._live:
            self._live.update(Group(Text(snapshot.headline(), style="bold"), table(snapshot.credits), *self._notes))
            return
        is_first_credit = bool(snapshot.credits.by_channel) and not self._had_credits
        if is_first_credit or snapshot.at - self._plain_at >= _PLAIN_EVERY_S:
            self._plain_at = snapshot.at
            self._had_credits = self._had_credits or is_first_credit
            print(f"{snapshot.at:6.1f} s | {snapshot.headline()} | {_leaders(snapshot.credits)}", flush=True)


def table(found: Credits) -> Table:
    """Channels by models, with the total that all models share."""
    picture = Table(title=f"attributed value, {CURRENCY}", title_justify="left", expand=False)
    picture.add_column("channel")
    for model in MODELS:
        picture.add_column(model, justify="right")
    for channel in found.channels[:_CHANNELS_SHOWN]:
        values = found.by_channel[channel]
        picture.add_row(channel, *(_money(values.get(model, 0)) for model in MODELS))
    picture.add_section()
    picture.add_row("total", *(_money(found.total(model)) for model in MODELS), style="bold")
    return picture


def _leaders(found: Credits) -> str:
    if not found.by_channel:
        return "no credits yet"
    best = found.channels[:3]
    return "linear: " + ", ".join(f"{name} {_money(found.by_channel[name].get('linear', 0))}" for name in best)


def _money(micros: int) -> str:
    return f"{micros / 1_000_000:,.2f}"
