"""Numbers and names for people. Amounts are integers of micros up to the last digit that is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Final

MICROS: Final = 1_000_000
UNATTRIBUTED: Final = "unattributed"
_NAMES: Final = {
    "u_shaped": "U-shaped",
    "w_shaped": "W-shaped",
    "j_shaped": "J-shaped",
    "inverse_j": "Inverse J",
    "last_non_direct": "Last non-direct",
    "data_driven": "Data-driven",
}
NONE: Final = "\N{EN DASH}"


def model_name(model: str) -> str:
    """``first_touch`` is First touch."""
    return _NAMES.get(model) or model.replace("_", " ").capitalize()


def money(micros: int | None, currency: str | None = "", places: int = 2) -> str:
    """``1234560000`` micros are 1,234.56: rounded half away from zero, as on an invoice."""
    if micros is None:
        return NONE
    unit = 10 ** (6 - places)
    steps = (abs(micros) + unit // 2) // unit
    whole, rest = divmod(steps, 10**places)
    text = f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"
    sign = "-" if micros < 0 and steps else ""
    return f"{sign}{text} {currency}".rstrip() if currency else f"{sign}{text}"


def units(micros: int) -> float:
    """For the grid of a table and for a chart, which take no decimal; what is exact stands in its file."""
    return micros / MICROS


def short_money(micros: int | None, currency: str | None = "") -> str:
    """The same in few characters, for tiles: 12.3 M USD."""
    if micros is None:
        return NONE
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**4, "k")):
        if abs(micros) >= size * MICROS:
            unit = 1_000 if letter == "k" else size
            return f"{money(micros // unit, places=2)} {letter} {currency or ''}".rstrip()
    return money(micros, currency)


def count(number: float | None) -> str:
    """Conversions are sums of weights, so they may have a fraction."""
    if number is None:
        return NONE
    return f"{number:,.0f}" if abs(number - round(number)) < 0.005 or abs(number) >= 1_000 else f"{number:,.2f}"


def ratio(number: float | None, digits: int = 2) -> str:
    """A ratio of sums; a dash where the divisor was zero."""
    return NONE if number is None else f"{number:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.25 is 25.0 %."""
    return NONE if share is None else f"{share * 100:,.{digits}f} %"


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    """The largest two units: 3 d 4 h."""
    if seconds is None:
        return NONE
    left = round(abs(seconds))
    parts: list[str] = []
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if left >= size or (letter == "s" and not parts):
            parts.append(f"{left // size} {letter}")
            left %= size
    return " ".join(parts[:2])
