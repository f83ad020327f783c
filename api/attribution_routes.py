"""``/api/v1/attribution``: the models, a calculation on given touchpoints, and a customer's stored results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from accounts.roles import Role, Scope
from api import cursor as cursors
from api import question
from api.access import requires
from api.attribution_responses import Calculation, Model, ModelList, ModelParameter, Result, ResultCredit, ResultPage
from api.calculation import calculate
from api.freshness import freshness
from api.front import quick
from api.parameters import Cursor, CustomerId, ModelName, json_only, model_id, problems
from api.requests import CalculateIn
from api.responses import amount, iso
from api.services import Injected, Services, services_of
from api.settings import ApiSettings
from api.store import ResultRow
from api.tables import table, table_responses
from attribution.config import DAY_US, AttributionConfig
from attribution.models.registry import MODELS

#: A longer body is computed in a thread: 10,000 touchpoints under ten models would hold up everybody else.
_QUICK_BYTES: Final = 16_384
_RESULT_COLUMNS: Final = (
    "conversion_id",
    "conversion_type",
    "converted_at",
    "conversion_value",
    "currency",
    "model",
    "rev",
    "position",
    "touchpoint_id",
    "touched_at",
    "channel",
    "campaign",
    "weight",
    "value",
    "value_micros",
)


async def _calculate_quickly(body: bytes, request: Request) -> Response | None:
    if request.headers.get("content-type") != "application/json":
        return None
    services: Services = request.state.services
    answer = (
        _read_and_calculate(body, services.settings)
        if len(body) <= _QUICK_BYTES
        else await services.call(_read_and_calculate, body, services.settings)
    )
    return None if answer is None else Response(answer, media_type="application/json")


def _read_and_calculate(body: bytes, settings: ApiSettings) -> bytes | None:
    asked = question.read(body)
    return None if asked is None else calculate(asked, settings)


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/attribution", tags=["attribution"])

    @router.get("/models", operation_id="list_models", summary="Every attribution model", responses=problems())
    @requires(Role.VIEWER, audited=False)
    async def list_models(services: Injected) -> ModelList:
        """Ids, rules, formulas and parameters with the values that `calculate` assumes."""
        return ModelList(models=_models(services.settings))

    @router.post(
        "/calculate",
        operation_id="calculate_attribution",
        summary="Credits of a path that you describe",
        response_model=Calculation,
        responses=problems(413, 415, 422, 504),
        dependencies=[Depends(json_only)],
    )
    @quick(_calculate_quickly, covers=(json_only, services_of))
    @requires(Role.VIEWER, audited=False)
    async def calculate_attribution(asked: CalculateIn, services: Injected) -> Response:
        """One conversion under several models, by the same core as the stream; nothing is stored.

        Values of one model sum exactly to the conversion's value (`value_micros`). Without a touchpoint inside the
        lookback window `credits` is empty and `unattributed_value` is the whole value.
        """
        body = await services.call(calculate, question.of(asked), services.settings)
        return Response(body, media_type="application/json")

    @router.get(
        "/results/{customer_id:path}",
        operation_id="list_results",
        summary="Stored credits of a customer's conversions",
        response_model=ResultPage,
        responses={**table_responses(_RESULT_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER, Scope.CUSTOMERS)
    async def list_results(
        request: Request,
        services: Injected,
        customer_id: CustomerId,
        attribution_model: ModelName = None,
        limit: Annotated[int, Query(ge=1, le=500, description="Results in this page.")] = 100,
        cursor: Cursor = None,
    ) -> Response:
        """One result per conversion and model, newest conversion first. An unknown customer has none.

        As CSV one line per credit, the `unattributed` one included; the cursor of the next page is in `X-Next-Cursor`.
        """
        model = None if attribution_model is None else model_id(attribution_model)
        after = cursors.decode_result(cursor)
        meta = await services.meta()
        rows = await services.call(services.store.results, customer_id, model, after, limit + 1)
        request.state.rows = len(rows[:limit])
        answer = ResultPage(
            customer_id=customer_id,
            results=[_result(row) for row in rows[:limit]],
            next_cursor=cursors.encode(rows[limit - 1].key) if len(rows) > limit else None,
            meta=freshness(meta, services.now(), model=model),
        )
        lines = (line for row in rows[:limit] for line in _lines(row))
        response = table(request, answer, answer.meta, lines, _RESULT_COLUMNS, "results")
        if answer.next_cursor is not None:
            response.headers["X-Next-Cursor"] = answer.next_cursor
        return response

    return router


def _models(settings: ApiSettings) -> list[Model]:
    plain = AttributionConfig(half_life_us=int(settings.half_life_days * DAY_US))
    defaults = {
        "half_life_days": f"{settings.half_life_days:g}",
        "custom_weights": ", ".join(str(w) for w in plain.custom_weights),
        "direct_channels": ", ".join(sorted(plain.direct_channels)),
    }
    return [
        Model(
            id=m.model_id,
            description=m.description,
            formula=m.formula,
            parameters=[
                ModelParameter(name="lookback_days", default=f"{settings.lookback_days:g}"),
                *(ModelParameter(name=name, default=defaults.get(name)) for name in m.parameters),
            ],
            aliases=list(m.aliases),
        )
        for m in MODELS
    ]


def _lines(row: ResultRow) -> Iterator[dict[str, Any]]:
    """The credits of a result as lines of the CSV; they add up to its value."""
    for c in row.credits:
        yield {
            "conversion_id": row.conversion_id,
            "conversion_type": row.conversion_type,
            "converted_at": iso(row.converted_at),
            "conversion_value": amount(row.value_micros),
            "currency": row.currency,
            "model": row.model,
            "rev": row.rev,
            "position": c.position if c.touchpoint_id else None,
            "touchpoint_id": c.touchpoint_id or None,
            "touched_at": iso(c.touched_at) if c.touchpoint_id else None,
            "channel": c.channel,
            "campaign": c.campaign or None,
            "weight": c.weight,
            "value": amount(c.value_micros),
            "value_micros": c.value_micros,
        }


def _result(row: ResultRow) -> Result:
    unattributed = sum(c.value_micros for c in row.credits if not c.touchpoint_id)
    return Result(
        conversion_id=row.conversion_id,
        conversion_type=row.conversion_type,
        converted_at=row.converted_at,
        value=amount(row.value_micros),
        value_micros=row.value_micros,
        currency=row.currency,
        model=row.model,
        rev=row.rev,
        credits=[
            ResultCredit(
                position=c.position,
                touchpoint_id=c.touchpoint_id,
                touched_at=c.touched_at,
                channel=c.channel,
                campaign=c.campaign or None,
                weight=c.weight,
                value=amount(c.value_micros),
                value_micros=c.value_micros,
            )
            for c in row.credits
            if c.touchpoint_id
        ],
        unattributed_value=amount(unattributed),
        unattributed_value_micros=unattributed,
    )
