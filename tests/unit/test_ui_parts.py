"""What pages are made of: numbers in words, colours, files, sentences about failures, queries to copy."""

from __future__ import annotations

import csv
import io
import json
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_client.problems import NotSignedIn, ServiceUnreachable, problem_of
from ui import colours, wording
from ui.filters import days_of, today
from ui.parts.computed import address
from ui.parts.failures import words
from ui.parts.tables import to_csv
from ui.parts.tiles import change


@given(st.integers(-(10**15), 10**15), st.sampled_from([0, 2, 6]))
def test_money_is_rounded_as_on_an_invoice(micros: int, places: int) -> None:
    exact = Decimal(micros).scaleb(-6).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    shown = wording.money(micros, places=places)
    assert Decimal(shown.replace(",", "")) == exact
    assert not shown.startswith("-0.00") or exact


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (9_999_990_000, "9,999.99 USD"),
        (12_345_678_901, "12.35 k USD"),
        (1_994_000_000_000, "1.99 M USD"),
        (-2_500_000_000_000_000, "-2.50 B USD"),
        (None, wording.NONE),
    ],
)
def test_tiles_are_short(micros: int | None, shown: str) -> None:
    assert wording.short_money(micros, "USD") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59.6, "1 min"), (3_725, "1 h 2 min"), (90_061, "1 d 1 h"), (None, wording.NONE)]
)
def test_durations_have_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert wording.duration(seconds) == shown


def test_changes_are_against_what_was() -> None:
    assert change(150, 100) == "+50.0%"
    assert change(50, -100) == "+150.0%"
    assert change(3_000, 100) == "30 times"
    assert change(1, 0) is None
    assert change(None, 1) is None


@given(st.lists(st.fixed_dictionaries({"name": st.text(), "n": st.integers()}), min_size=1))
def test_a_file_reads_back_and_runs_nothing(rows: list[dict[str, object]]) -> None:
    back = list(csv.DictReader(io.StringIO(to_csv(rows), newline="")))
    assert [int(row["n"]) for row in back] == [row["n"] for row in rows]
    for was, now in zip(rows, back, strict=True):
        assert now["name"] in {was["name"], f"'{was['name']}"}
        assert not now["name"].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_channel_keeps_its_colour_and_no_two_of_the_product_share_one() -> None:
    known = ["Paid Search", "Organic Search", "Email", "Direct", "Display", "Referral", "Paid Social", "SMS"]
    assert len({colours.channel_colour(name) for name in known}) == len(known)
    assert colours.channel_colour("Podcast") == colours.channel_colour("podcast")
    assert colours.channel_colour("unattributed") == colours.GREY


@pytest.mark.parametrize("back", ["#ffffff", "#12171e"])
def test_every_colour_is_seen_on_both_themes(back: str) -> None:
    for colour in (*colours.PALETTE, colours.GREY):
        assert contrast(colour, back) >= 2.2, colour


@pytest.mark.parametrize("eyes", ["deuteranope", "protanope"])
def test_colours_are_told_apart_by_colour_blind_eyes(eyes: str) -> None:
    for a, b in combinations(colours.PALETTE, 2):
        assert distance(a, b, SEEN[eyes]) > 35, (a, b)


#: What these eyes make of a colour: Machado et al. (2009), severity 1.
SEEN = {
    "deuteranope": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "protanope": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
}


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(colour: str) -> tuple[int, int, int]:
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def distance(a: str, b: str, matrix: tuple[tuple[float, ...], ...]) -> float:
    seen = [[sum(m * c for m, c in zip(row, rgb(colour), strict=True)) for row in matrix] for colour in (a, b)]
    return float(sum((x - y) ** 2 for x, y in zip(*seen, strict=True)) ** 0.5)


def test_named_periods_are_inclusive_days() -> None:
    now = today().replace(day=15)
    assert days_of("today", now) == (now, now)
    first, last = days_of("7d", now)
    assert (last - first).days == 6
    first, last = days_of("last-month", now)
    assert first.day == 1
    assert (now.replace(day=1) - last).days == 1


def test_the_call_can_be_copied() -> None:
    start, end = days_of("7d", today())
    shown = address("GET /api/v1/x", {"start_date": start, "end_date": end, "models": ("a", "b"), "currency": None})
    assert shown == f"GET /api/v1/x?start_date={start}&end_date={end}&models=a,b"


def test_failures_name_the_way_out() -> None:
    refused = problem_of(
        422, json.dumps({"errors": [{"field": "currency", "value": "x", "reason": "three letters"}]}).encode()
    )
    assert words(refused)[0] == "A filter cannot be used. currency = 'x': three letters"
    assert "attribution up" in words(ServiceUnreachable("no"))[1]
    assert isinstance(problem_of(401, b""), NotSignedIn)
    assert "sign in" in words(problem_of(401, b""))[1]
    assert "in 3 s" in words(problem_of(429, b"{}", 3.0))[1]
    assert "clickhouse" in words(problem_of(503, b'{"dependency": "clickhouse"}'))[0]
    assert words(problem_of(418, b'{"title": "Teapot", "instance": "urn:1"}')) == (
        "The API refused. Teapot",
        "Its log has the cause under urn:1.",
    )
