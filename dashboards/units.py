"""Numbers as Grafana writes them, for the units that the dashboards use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

NOTHING: Final = "-"
_SHORT: Final = ("", " K", " Mil", " Bil", " Tri")
_BYTES: Final = (" B", " KiB", " MiB", " GiB", " TiB")
_SPANS: Final = ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))


def text(value: object, unit: str, decimals: int | None = None) -> str:
    """A cell, an axis label or a big number.

    Args:
        value: what the query gave; None is a dash.
        unit: Grafana's id, or ``suffix:…``; an unknown one leaves the number as it is.
        decimals: behind the point; None for as many as say something.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if unit.startswith("suffix:"):
        return _fixed(number, decimals, grouped=True) + unit.removeprefix("suffix:")
    write = _UNITS.get(unit)
    return write(number, decimals) if write else _fixed(number, decimals, grouped=False)


def _fixed(number: float, decimals: int | None, *, grouped: bool) -> str:
    places = _places(number) if decimals is None else decimals
    written = f"{number:{',' if grouped else ''}.{places}f}"
    return written.rstrip("0").rstrip(".") if decimals is None and "." in written else written


def _places(number: float) -> int:
    """About three digits that count."""
    return max(0, 2 - math.floor(math.log10(abs(number)))) if number else 0


def _scaled(number: float, base: int, names: tuple[str, ...], decimals: int | None) -> str:
    step = 0
    while abs(number) >= base and step < len(names) - 1:
        number /= base
        step += 1
    return _fixed(number, decimals, grouped=False) + names[step]


def _span(seconds: float, decimals: int | None) -> str:
    size, name = next(((s, n) for s, n in _SPANS if abs(seconds) >= s), (1.0, "s"))
    number = seconds / size
    written = _fixed(number, 0 if size == 0.001 and number >= 1 else decimals, grouped=False)
    return f"{written} {name}{'s' if name in {'day', 'hour', 'min'} and written != '1' else ''}"


_UNITS: Final[Mapping[str, Callable[[float, int | None], str]]] = {
    "percentunit": lambda number, decimals: _fixed(number * 100, decimals, grouped=True) + "%",
    "short": lambda number, decimals: _scaled(number, 1000, _SHORT, decimals),
    "bytes": lambda number, decimals: _scaled(number, 1024, _BYTES, decimals),
    "locale": lambda number, decimals: _fixed(number, decimals, grouped=True),
    "s": _span,
}


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]
