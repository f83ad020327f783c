"""Parameters of reports: a ``TypedDict`` gives names and types, a function of one line makes them a query.

A name that is not among them is a ``TypeError``, since the service would overlook it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, ParamSpec, TypeAlias, TypedDict, TypeVar, Unpack, get_args, get_type_hints

from attribution_client.calls import Call, Query, get

T = TypeVar("T")
P = ParamSpec("P")
Day: TypeAlias = date | str
#: Of these, each value is a parameter of its own: values may hold a comma.
_REPEATED = frozenset({"step"})


class Period(TypedDict, total=False):
    """Days, both inclusive, a model and a currency; left out, the service's defaults."""

    start_date: Day | None
    end_date: Day | None
    attribution_model: str | None
    currency: str | None
    conversion_type: str | None


class Sums(Period, total=False):
    """Credits count by the day of the conversion or of the touch."""

    basis: Literal["conversion_day", "touch_day"] | None


class Series(Sums, total=False):
    """By interval, by channel or in total."""

    interval: Literal["day", "week", "month"] | None
    group_by: Literal["channel", "total"] | None


class Budget(Period, total=False):
    """What a point of a curve is, the share by which a channel may change, and the spend of an interval."""

    interval: Literal["day", "week"] | None
    most_change: float | None
    total: Decimal | str | None


class Lift(TypedDict, total=False):
    """The credit that lift tests calibrate: of these conversion days, of all currencies."""

    start_date: Day | None
    end_date: Day | None
    attribution_model: str | None
    conversion_type: str | None


class Conversions(TypedDict, total=False):
    """Conversions of these days."""

    start_date: Day | None
    end_date: Day | None
    currency: str | None
    conversion_type: str | None


class Paths(Conversions, total=False):
    """Paths by channel or campaign, equal neighbours as one or not, with a touch of ``channel``."""

    channel: str | None
    by: Literal["channel", "campaign"] | None
    collapse: Literal["consecutive", "none"] | None
    limit: int | None
    cursor: str | None


class Lengths(Conversions, total=False):
    """The last row holds paths of ``longest`` touches and more."""

    longest: int | None


class Reasons(Conversions, total=False):
    """By interval."""

    interval: Literal["day", "week", "month"] | None


class Funnel(TypedDict, total=False):
    """Steps in order: ``any``, ``touch:<channel>``, ``touch_type:<type>`` or ``conversion:<type>``."""

    start_date: Day | None
    end_date: Day | None
    step: Sequence[str] | None
    window_days: int | None


class Paged(Sums, total=False):
    """At most ``limit`` rows behind ``cursor``."""

    limit: int | None
    cursor: str | None


class Compared(TypedDict, total=False):
    """Several models."""

    start_date: Day | None
    end_date: Day | None
    models: Sequence[str] | None
    currency: str | None
    basis: Literal["conversion_day", "touch_day"] | None
    conversion_type: str | None


class Live(TypedDict, total=False):
    """Credits of this model; only conversions of this type; only what this channel has a credit of."""

    attribution_model: str | None
    conversion_type: str | None
    channel: str | None


def period(**asked: Unpack[Period]) -> Query:
    """See ``Period``."""
    return query(asked, Period)


def sums(**asked: Unpack[Sums]) -> Query:
    """See ``Sums``."""
    return query(asked, Sums)


def series(**asked: Unpack[Series]) -> Query:
    """See ``Series``."""
    return query(asked, Series)


def budget(**asked: Unpack[Budget]) -> Query:
    """See ``Budget``."""
    return query(asked, Budget)


def lift(**asked: Unpack[Lift]) -> Query:
    """See ``Lift``."""
    return query(asked, Lift)


def conversions(**asked: Unpack[Conversions]) -> Query:
    """See ``Conversions``."""
    return query(asked, Conversions)


def paths(**asked: Unpack[Paths]) -> Query:
    """See ``Paths``."""
    return query(asked, Paths)


def lengths(**asked: Unpack[Lengths]) -> Query:
    """See ``Lengths``."""
    return query(asked, Lengths)


def reasons(**asked: Unpack[Reasons]) -> Query:
    """See ``Reasons``."""
    return query(asked, Reasons)


def funnel(**asked: Unpack[Funnel]) -> Query:
    """See ``Funnel``."""
    return query(asked, Funnel)


def paged(**asked: Unpack[Paged]) -> Query:
    """See ``Paged``."""
    return query(asked, Paged)


def compared(**asked: Unpack[Compared]) -> Query:
    """See ``Compared``."""
    return query(asked, Compared)


def live(**asked: Unpack[Live]) -> Query:
    """See ``Live``."""
    return query(asked, Live)


def table(path: str, answer: type[T], params: Callable[P, Query]) -> Callable[P, Call[T]]:
    """The report at ``path``, with the parameters of one of the functions above."""

    def call(*args: P.args, **kwargs: P.kwargs) -> Call[T]:
        return get(path, answer, query=params(*args, **kwargs))

    call.__doc__ = answer.__doc__
    call.__signature__ = _signature(params)  # type: ignore[attr-defined]  # what help() and inspect show
    return call


def query(asked: Mapping[str, object], kind: type | None = None) -> Query:
    """Parameters of an address: None is left out, a sequence is comma-separated (a ``step`` each), a day is ISO-8601.

    A name that is a word of Python has an underscore behind it: ``with_``.

    Raises:
        TypeError: a name that ``kind`` does not have.
    """
    if kind is not None:
        for name in asked:
            if name not in kind.__annotations__:
                raise TypeError(f"there is no parameter {name!r}; choose from {', '.join(kind.__annotations__)}")
    return {name.rstrip("_"): _texts(name, value) for name, value in asked.items() if value is not None}


def _texts(name: str, value: object) -> str | tuple[str, ...]:
    if name in _REPEATED and isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(map(str, value))
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)


def _signature(params: Callable[..., Query]) -> inspect.Signature:
    """Every name of the ``TypedDict`` as a keyword."""
    (kind,) = get_args(get_type_hints(params)["asked"])
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)
            for name, hint in get_type_hints(kind).items()
        ]
    )
