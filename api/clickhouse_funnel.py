"""``funnel_store.Funnels`` over ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from api.funnel_store import FunnelAsked, Step, StepKind, Unattributed, UnattributedAsked, UnattributedRow
from api.store import Unavailable
from attribution.config import DAY_US, AttributionConfig, config_in

#: The engine knows no day before it.
_FIRST_DAY: Final = date(1970, 1, 1)
_PARAMETERS: Final[tuple[tuple[StepKind, str, str], ...]] = (
    ("touch", "channels", "channel_masks"),
    ("touch_type", "types", "type_masks"),
    ("conversion", "conversions", "conversion_masks"),
)


class ClickHouseFunnels:
    """Mixed into the store, which runs the queries."""

    def _run(self, query: str, **bound: Any) -> list[dict[str, Any]]:
        raise NotImplementedError

    def funnel(self, asked: FunnelAsked) -> list[int]:
        """Persons by step."""
        rows = self._run(
            "funnel_levels",
            first_us=asked.first_us,
            last_us=asked.last_us,
            window_us=asked.window_us,
            **_masks(asked.steps),
        )
        return [sum(r["customers"] for r in rows if r["level"] > n) for n in range(len(asked.steps))]

    def conversion_types(self) -> list[str]:
        """Types of the conversions that the run has."""
        return sorted(r["of_type"] for r in self._run("funnel_types"))

    def unattributed(self, asked: UnattributedAsked) -> Unattributed:
        """Conversions without an eligible touch, by reason."""
        config = self._config()
        used = config or AttributionConfig(lookback_us=0)
        since = asked.start - timedelta(days=min(-(-used.lookback_us // DAY_US), asked.start.toordinal() - 1))
        rows = self._run(
            "unattributed",
            **asked._asdict(),
            lookback_us=used.lookback_us,
            excluded=self._excluded(used),
            resets=sorted(used.reset_on_conversion),
            resets_since=max(since, _FIRST_DAY) if used.reset_on_conversion else asked.start,
        )
        if rows and config is None:
            raise Unavailable("clickhouse", "the run has no parameters yet; start its worker, which records them")
        return Unattributed(
            [
                UnattributedRow(r["shown"], r["of_type"], r["reason"], r["conversions"], r["value_micros"])
                for r in rows
                if r["has_usable"]
            ],
            config,
            sorted({name for r in rows for name in r["left_out"]}),
            sorted({name for r in rows for name in r["converted"]}),
        )

    def _config(self) -> AttributionConfig | None:
        return next((config_in(r["config"]) for r in self._run("explain_config")), None)

    def _excluded(self, config: AttributionConfig) -> list[str]:
        """The spellings in touches of what the run excludes: folded here, by the rule of the core."""
        folded = config.folded_exclusions
        if not folded:
            return []
        names = (r["of_channel"] for r in self._run("unattributed_channels"))
        return sorted(name for name in names if name.casefold() in folded)


def _masks(steps: Sequence[Step]) -> dict[str, Any]:
    """Steps as bits by what they look for; a name that nothing has stands in where there is none."""
    bound: dict[str, Any] = {"any_touch": sum(1 << n for n, step in enumerate(steps) if step.kind == "any")}
    for kind, names, masks in _PARAMETERS:
        found: dict[str, int] = {}
        for n, step in enumerate(steps):
            if step.kind == kind:
                found[step.name] = found.get(step.name, 0) | 1 << n
        bound |= {names: list(found) or [""], masks: list(found.values()) or [0]}
    return bound
