"""``/api/v1/attribution/data-driven``: what was fitted, when it counts, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from accounts.roles import Role
from api.access import requires
from api.fit_responses import ChannelShare, FitReport, FitReports
from api.parameters import problems
from api.services import Injected
from attribution.times import from_us, to_us
from datadriven.credits import channel_effects

if TYPE_CHECKING:
    from datadriven.parameters import Parameters


def build_router() -> APIRouter:
    """The route of this resource."""
    router = APIRouter(prefix="/api/v1/attribution", tags=["attribution"])

    @router.get(
        "/data-driven",
        operation_id="get_data_driven_fits",
        summary="Fits of the data-driven model with intervals",
        response_model=FitReports,
        responses=problems(422, 503, 504),
    )
    @requires(Role.VIEWER)
    async def get_data_driven_fits(
        services: Injected,
        limit: Annotated[int, Query(ge=1, le=100, description="So many of the newest ones.")] = 10,
    ) -> FitReports:
        """What `attribution train` has published. An empty list: nothing was trained, `linear` stands in."""
        fits = await services.call(services.store.fits, limit)
        now_us = to_us(services.now())
        in_force = next((fit.version for fit in fits if fit.effective_from_us <= now_us), "")
        return FitReports(fits=[report(fit, is_in_force=fit.version == in_force) for fit in fits])

    return router


def report(fit: Parameters, *, is_in_force: bool) -> FitReport:
    """A fit as it is shown."""
    intervals = fit.uncertainty
    overlaps = () if intervals is None else intervals.overlaps
    warnings = [f"{a} and {b}: their intervals overlap, so which is ahead is not known" for a, b in overlaps]
    if fit.status != "ok":
        warnings.append(f"the data do not suffice ({fit.reason}): {fit.fallback} stands in")
    return FitReport(
        version=fit.version,
        method=fit.method,
        order=fit.order,
        status=fit.status,
        reason=fit.reason or None,
        fallback=fit.fallback,
        conversions=fit.conversions,
        nulls=fit.nulls,
        trained_from=from_us(fit.trained_from_us),
        trained_to=from_us(fit.trained_to_us),
        effective_from=from_us(fit.effective_from_us),
        is_in_force=is_in_force,
        interval_level=None if intervals is None else intervals.level,
        channels=_channels(fit),
        quality=fit.quality,
        warnings=warnings,
    )


def _channels(fit: Parameters) -> list[ChannelShare]:
    """By falling share, then by name."""
    known = {} if fit.uncertainty is None else {c.channel: c for c in fit.uncertainty.channels}
    pairs = () if fit.uncertainty is None else fit.uncertainty.overlaps
    effects = channel_effects(fit)
    total = sum(of.positive for of in effects.values()) or 1
    found = []
    for channel, of in effects.items():
        interval = known.get(channel)
        found.append(
            ChannelShare(
                channel=channel,
                effect=of.effect,
                share=round(of.positive / total, 9),
                low=None if interval is None else interval.low,
                high=None if interval is None else interval.high,
                rank_stability=None if interval is None else interval.rank_stability,
                overlaps=[b if a == channel else a for a, b in pairs if channel in {a, b}],
            )
        )
    return sorted(found, key=lambda share: (-share.share, share.channel))
