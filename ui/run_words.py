"""Parameters of a run in words, and a name for one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attribution_client.models.runs import RunEntry

_DAY_US: Final = 86_400_000_000
_USUAL: Final = {"half_life_us": 7.0, "lookback_us": 90.0}
_LONGEST: Final = 64


def days_of(run: RunEntry) -> dict[str, float]:
    """Half-life and lookback in days; the product's own where the run was not described yet."""
    return {name: run.config.get(name, usual * _DAY_US) / _DAY_US for name, usual in _USUAL.items()}


def config_in_words(run: RunEntry, than: RunEntry | None = None) -> str:
    """What was set; with ``than`` only what differs from that run."""
    days, other = days_of(run), days_of(than) if than else {}
    words = []
    if days["half_life_us"] != other.get("half_life_us"):
        words.append(f"half-life {days['half_life_us']:g} days")
    if days["lookback_us"] != other.get("lookback_us"):
        words.append(f"lookback {days['lookback_us']:g} days")
    excluded = sorted(run.config.get("exclude_channels", ()))
    if than is None or excluded != sorted(than.config.get("exclude_channels", ())):
        words.append(f"without {', '.join(excluded)}" if excluded else "no channel excluded")
    return ", ".join(words) or "the same parameters"


def own_name(changed: Mapping[str, Any]) -> str:
    """A name for a run that says what was changed, as the API takes it."""
    parts = [f"{name}-{changed[key]:g}" for name, key in _NUMBERS if key in changed]
    if "exclude_channels" in changed:
        names = [re.sub(r"[^a-z0-9]+", "-", c.casefold()).strip("-") for c in changed["exclude_channels"]]
        parts.append(f"without-{'-'.join(filter(None, names)) or 'none'}")
    return "-".join(parts)[:_LONGEST].rstrip("-.") or "what-if"


_NUMBERS: Final = (("half-life", "half_life_days"), ("lookback", "lookback_days"))
