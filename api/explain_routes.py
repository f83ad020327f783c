"""``/api/v1/attribution/conversions/{conversion_id}/explain``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import JSONResponse, Response

from accounts.roles import Role, Scope
from api import explain_responses as shown
from api import responses
from api.access import requires
from api.analytics_store import ConversionFacts, StoredRow
from api.errors import Problem
from api.freshness import entity_tag, freshness, is_current
from api.parameters import problems
from api.responses import amount
from api.services import Injected
from api.store import Meta
from api.tables import meta_headers
from attribution import explain as core
from attribution.times import from_us
from attribution.types import ConversionCredits


def build_router() -> APIRouter:
    """The route of this resource."""
    router = APIRouter(prefix="/api/v1/attribution", tags=["attribution"])

    @router.get(
        "/conversions/{conversion_id:path}/explain",
        operation_id="get_explanation",
        summary="Why a conversion's credits are what they are",
        response_model=shown.Explanation,
        responses={
            304: {"description": "The explanation is that of the `If-None-Match` tag."},
            **problems(404, 422, 503, 504),
        },
    )
    @requires(Role.VIEWER, Scope.CUSTOMERS)
    async def get_explanation(
        request: Request,
        services: Injected,
        conversion_id: Annotated[str, Path(min_length=1, max_length=512, examples=["purchase:o-1001"])],
    ) -> Response:
        """Every touch with its verdict, every model with its numbers and its rounding, the events and rows behind it.

        Computed from the facts by the code that attributes in the stream. 404 for a conversion that the run does not
        hold, which may be on its way.
        """
        meta = await services.meta()
        answer = await services.call(_explain, services.store.conversion_facts, conversion_id, meta, services.now())
        if answer is None:
            raise Problem(
                404,
                f"No conversion {conversion_id} in this run. An order's id is <conversion_type>:<order_id>, any other "
                f"conversion's is its event id; what was just sent is there when the watermark has passed it.",
            )
        tag = entity_tag("application/json", conversion_id, answer.model_dump(mode="json", exclude={"meta"}))
        headers = {"ETag": tag, "Cache-Control": "private, no-cache", **meta_headers(answer.meta)}
        if is_current(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=headers)
        return JSONResponse(answer.model_dump(mode="json"), headers=headers)

    return router


def _explain(
    read: Callable[[str], ConversionFacts | None], conversion_id: str, meta: Meta, now: datetime
) -> shown.Explanation | None:
    facts = read(conversion_id)
    if facts is None:
        return None
    found = core.explain(conversion_id, facts.touches, facts.events, facts.config, facts.timeline)
    return None if found is None else _answer(facts, found, freshness(meta, now, currency=found.conversion.currency))


def _answer(facts: ConversionFacts, found: core.Explanation, meta: responses.Meta) -> shown.Explanation:
    conversion, newest = found.conversion, max(facts.history, key=lambda row: row.rev)
    return shown.Explanation(
        conversion_id=conversion.conversion_id,
        customer_id=newest.customer_id,
        customer_ids=list(facts.customer_ids),
        conversion_type=conversion.conversion_type,
        converted_at=from_us(conversion.at_us),
        value=amount(conversion.value_micros),
        value_micros=conversion.value_micros,
        currency=conversion.currency,
        is_live=conversion.is_live,
        truncated=found.credits.truncated,
        matches_stored=_is_stored(newest, found.credits),
        touches=[
            shown.ExplainedTouch(
                touchpoint_id=t.touch[1],
                touched_at=from_us(t.touch[0]),
                channel=t.touch[2],
                campaign=t.touch[3] or None,
                verdict=t.verdict,
                position=t.position,
            )
            for t in found.touches
        ],
        milestones=_milestones(found),
        models=_models(found),
        events=[
            shown.ExplainedEvent(
                event_id=e.event_id,
                occurred_at=from_us(e.at_us),
                status=e.status,
                adjusts=e.adjusts or None,
                value_micros=e.value_micros,
                currency=e.currency,
            )
            for e in found.events
        ],
        history=[
            shown.Revision(
                rev=row.rev,
                converted_at=row.converted_at,
                value_micros=row.value_micros,
                is_deleted=row.is_deleted,
                config_hash=row.config_hash,
                emitted_at=row.emitted_at,
            )
            for row in facts.history
        ],
        config=facts.config.as_dict(),
        config_hash=facts.config_hash,
        model_version=found.credits.model_version or None,
        meta=meta,
    )


def _milestones(found: core.Explanation) -> list[shown.Milestone]:
    path = found.path
    if path is None:
        return []
    return [
        shown.Milestone.model_validate({"role": role, "position": place + 1, "touchpoint_id": path.touches[place][1]})
        for role, place in path.roles().items()
    ]


def _models(found: core.Explanation) -> list[shown.ExplainedModel]:
    touches, conversion = found.credits.touches, found.conversion
    if found.path is None and conversion.is_live:
        return [
            shown.ExplainedModel(
                model=model,
                applied=model,
                formula=core.formula(model),
                shares=[],
                handed_out=0,
                unattributed_value_micros=conversion.value_micros,
            )
            for model in found.credits.models
        ]
    return [
        shown.ExplainedModel(
            model=model.model,
            applied=model.applied,
            formula=model.formula,
            shares=[
                shown.ExplainedShare(
                    position=p.position,
                    touchpoint_id=touches[p.position - 1][1],
                    roles=list(p.roles),
                    numbers=p.numbers,
                    weight=p.weight,
                    raw_micros=_six_decimals(p.raw),
                    floor_micros=p.floor,
                    remainder_rank=p.remainder_rank,
                    extra_micros=p.extra,
                    value_micros=p.micros,
                )
                for p in model.parts
            ],
            handed_out=model.handed_out,
            unattributed_value_micros=0,
        )
        for model in found.models
    ]


def _six_decimals(exact: Fraction) -> str:
    whole, rest = divmod(abs(exact), 1)
    return f"{'-' if exact < 0 else ''}{whole}.{int(rest * 1_000_000):06}"


def _is_stored(row: StoredRow, credits_: ConversionCredits) -> bool:
    if row.is_deleted or not credits_.conversion.is_live:
        return row.is_deleted and not credits_.conversion.is_live
    mine = {
        model: (credits_.weights[m], credits_.micros[m], tuple(t[1] for t in credits_.touches))
        for m, model in enumerate(credits_.models)
    }
    stored = {
        model: (tuple(w[m] for w in row.weights), tuple(v[m] for v in row.micros), row.touch_ids)
        for m, model in enumerate(row.models)
    }
    return mine == stored
