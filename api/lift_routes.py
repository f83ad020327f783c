"""``/api/v1/analytics/lift…``: experiments that were recorded, and a model's credit calibrated by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from accounts.roles import Role
from api.access import requires
from api.errors import Problem, invalid
from api.freshness import freshness
from api.lift_responses import (
    CalibratedChannel,
    LiftCalibration,
    LiftTest,
    LiftTestIn,
    LiftTests,
    LiftTestsIn,
    LiftTestsKept,
)
from api.parameters import ModelName, json_only, model_id, problems
from api.periods import ConversionType, End, Start, period
from api.services import Injected
from api.tables import table, table_responses
from attribution.errors import InvalidParameterError
from clickhouse.lifts import RecordedTest
from datadriven.lift import LEVEL, Calibrated, Experiment, calibrate_period

if TYPE_CHECKING:
    from datetime import date

    from api.services import Services
    from datadriven.lift import Calibration

_COLUMNS: Final = tuple(CalibratedChannel.model_fields)


def build_router() -> APIRouter:
    """The routes of this resource."""
    router = APIRouter(prefix="/api/v1/analytics", tags=["analytics"])
    _add_tests(router)
    _add_report(router)
    return router


def _add_tests(router: APIRouter) -> None:
    @router.get(
        "/lift-tests", operation_id="list_lift_tests", summary="Lift tests on record", responses=problems(503, 504)
    )
    @requires(Role.VIEWER)
    async def list_lift_tests(services: Injected) -> LiftTests:
        """All of them, the newest period first."""
        found = await services.call(services.store.lift_tests)
        return LiftTests(tests=[_shown(test) for test in found])

    @router.post(
        "/lift-tests",
        operation_id="post_lift_tests",
        summary="Record lift tests",
        status_code=201,
        responses=problems(413, 415, 422, 503, 504),
        dependencies=[Depends(json_only)],
    )
    @requires(Role.ANALYST)
    async def post_lift_tests(asked: LiftTestsIn, services: Injected) -> LiftTestsKept:
        """Results of holdouts, geo tests or an ad platform's lift studies. The same `test_id` again replaces."""
        named = {test.test_id: test for test in asked.tests}
        if len(named) < len(asked.tests):
            twice = next(
                t.test_id for i, t in enumerate(asked.tests) if t.test_id in {x.test_id for x in asked.tests[:i]}
            )
            raise invalid("tests", twice, "this test_id is there more than once; give each test an id of its own")
        await services.call(services.store.record_lift_tests, [_recorded(test) for test in asked.tests])
        return LiftTestsKept(kept=len(named))

    @router.delete(
        "/lift-tests/{test_id}",
        operation_id="delete_lift_test",
        summary="Take a lift test back",
        status_code=204,
        responses=problems(404, 422, 503, 504),
    )
    @requires(Role.ANALYST)
    async def delete_lift_test(
        test_id: Annotated[str, Path(min_length=1, max_length=256, examples=["geo-2026-10"])], services: Injected
    ) -> None:
        """It counts no more."""
        if not await services.call(services.store.drop_lift_test, test_id):
            raise Problem(404, f"No lift test {test_id!r} is on record.")


def _add_report(router: APIRouter) -> None:
    @router.get(
        "/lift",
        operation_id="get_lift_calibration",
        summary="A model's credit beside what lift tests say of it",
        response_model=LiftCalibration,
        responses={**table_responses(_COLUMNS), **problems(406, 422, 503, 504)},
    )
    @requires(Role.VIEWER)
    async def get_lift_calibration(
        request: Request,
        services: Injected,
        start_date: Start = None,
        end_date: End = None,
        attribution_model: ModelName = None,
        conversion_type: ConversionType = None,
    ) -> Response:
        """Each test is held against the model's credit of its own days; the factor is applied to the days asked for.

        Raw credit conserves every conversion, calibrated credit does not: `residual` says by how much.
        """
        start, end = period(start_date, end_date, services.now().date())
        model = model_id(attribution_model or services.settings.default_model)
        shown = freshness(await services.meta(), services.now(), model=model)
        try:
            found = await services.call(_calibrated, services, start, end, model, conversion_type or "")
        except InvalidParameterError as error:
            raise invalid("tests", error.value, str(error)) from None
        channels = [_channel(row) for row in found.channels]
        answer = LiftCalibration(
            start_date=start,
            end_date=end,
            channels=channels,
            level=LEVEL,
            coverage=found.coverage,
            residual=found.residual,
            meta=shown,
        )
        lines = [channel.model_dump(mode="json") for channel in channels]
        return table(request, answer, shown, lines, _COLUMNS, f"lift-{start}-{end}-{model}")


def _calibrated(services: Services, start: date, end: date, model: str, conversion_type: str) -> Calibration:
    store = services.store
    tests = [Experiment(t.channel, t.start, t.end, t.incremental, t.standard_error) for t in store.lift_tests()]
    return calibrate_period(tests, lambda a, b: store.lift_credit(a, b, model, conversion_type), start, end)


def _channel(row: Calibrated) -> CalibratedChannel:
    return CalibratedChannel(
        channel=row.channel,
        credited=row.raw,
        tests=row.tests,
        factor=row.factor,
        factor_low=row.low,
        factor_high=row.high,
        calibrated=row.calibrated,
        calibrated_low=row.calibrated_low,
        calibrated_high=row.calibrated_high,
        disagreement=row.disagreement,
    )


def _shown(test: RecordedTest) -> LiftTest:
    return LiftTest(
        test_id=test.test_id,
        channel=test.channel,
        start_date=test.start,
        end_date=test.end,
        incremental_conversions=test.incremental,
        standard_error=test.standard_error,
        note=test.note,
        recorded_at=test.recorded_at,
    )


def _recorded(test: LiftTestIn) -> RecordedTest:
    return RecordedTest(
        test.test_id,
        test.channel,
        test.start_date,
        test.end_date,
        test.incremental_conversions,
        test.standard_error,
        test.note,
    )
