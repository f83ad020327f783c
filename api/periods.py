"""The days of a report: parameters that its routes share."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Final, TypeAlias

from fastapi import Query
from pydantic import BeforeValidator

from api.errors import Problem, invalid
from api.responses import FieldError

DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 1_100

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso(value: object) -> object:
    """Only the form that the description promises: pydantic takes `0` for a day in 1970, too."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("give a day as YYYY-MM-DD")
    return value


Day: TypeAlias = Annotated[date, BeforeValidator(_iso)]
Start: TypeAlias = Annotated[Day | None, Query(description="First day, UTC; 30 days up to `end_date`.")]
End: TypeAlias = Annotated[Day | None, Query(description="Last day, UTC, inclusive; today.")]
Currency: TypeAlias = Annotated[
    str | None,
    Query(pattern="^[A-Z]{3}$", examples=["USD"], description="Currency of the report; others are converted."),
]
ConversionType: TypeAlias = Annotated[
    str | None, Query(min_length=1, max_length=128, description="Only conversions of this type; all types.")
]


def period(start: date | None, end: date | None, today: date, *, max_days: int = MAX_DAYS) -> tuple[date, date]:
    """The first and the last day.

    Raises:
        Problem: 422, they are the wrong way round or too far apart.
    """
    last = end or today
    try:
        first = start or last - timedelta(days=DEFAULT_DAYS - 1)
    except OverflowError:
        raise invalid("end_date", str(last), "is too early; give start_date as well") from None
    if first > last:
        reason = f"start_date {first} is after end_date {last}; give a start at or before the end"
        fields = (("start_date", str(first)), ("end_date", str(last)))
        raise Problem(422, reason, errors=[FieldError(field=f, value=v, reason=reason) for f, v in fields])
    if (last - first).days >= max_days:
        raise invalid("start_date", str(first), f"is more than {max_days} days before end_date; ask for less")
    return first, last
