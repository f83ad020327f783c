"""Every registered model keeps the laws of ``attribution.checks``, and the laws can be broken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from attribution import checks
from attribution.checks import LAWS, LAWS_OF_RULES, Case, check_model
from attribution.config import DAY_US, AttributionConfig
from attribution.errors import LawBrokenError, UnknownModelError
from attribution.models import registry, rules
from attribution.models.base import Model, Path
from attribution.testing import START_US, cases
from attribution.types import Conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.mark.parametrize("model_id", registry.model_ids())
@given(case=cases())
@settings(max_examples=120, deadline=None)
def test_every_model_keeps_every_law(model_id: str, case: Case) -> None:
    """All laws, common and particular, on random journeys."""
    check_model(model_id, case)


_PLAIN = Case(
    tuple((START_US - d * DAY_US, f"t{d}", c, "") for d, c in ((5, "email"), (3, "direct"), (2, "email"), (1, "paid"))),
    Conversion("c", "purchase", START_US, 1_000_001, "USD"),
)


def _by_value(path: Path, _config: AttributionConfig) -> Sequence[int]:
    return [1 + abs(path.conversion.value_micros) % 7, *[1] * (len(path) - 1)]


def _by_calendar(path: Path, _config: AttributionConfig) -> Sequence[int]:
    return [t[0] % 11 + 1 for t in path.touches]


def _negative(path: Path, _config: AttributionConfig) -> Sequence[int]:
    return [-1, *[3] * (len(path) - 1)] if len(path) > 1 else [1]


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (_by_value, checks.mirrors_negative_values),
        (_by_calendar, checks.is_shift_invariant),
        (_negative, checks.gives_each_eligible_touch_one_fair_share),
    ],
)
def test_a_wrong_rule_breaks_its_law(
    rule: Callable[[Path, AttributionConfig], Sequence[int]],
    law: checks.Law,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: a law that nothing can break proves nothing."""
    model = Model("wrong", "", "", rule, reads_times=True)
    monkeypatch.setitem(registry._BY_NAME, "wrong", model)

    with pytest.raises(LawBrokenError, match="wrong breaks the law"):
        law("wrong", _PLAIN)


@pytest.mark.parametrize(
    ("model_id", "law"),
    [
        ("first_touch", checks.two_touches_share_equally),
        ("linear", checks.three_touches_are_40_20_40),
        ("u_shaped", checks.older_never_outweighs_newer),
        ("last_touch", checks.an_endless_half_life_is_linear),
    ],
)
def test_a_law_of_one_rule_is_broken_by_another(model_id: str, law: checks.Law) -> None:
    """Negative control for the laws of single rules."""
    with pytest.raises(LawBrokenError):
        law(model_id, _PLAIN)


def test_a_later_conversion_would_change_a_decay_counted_from_the_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: steps of whole days before the conversion are not shift invariant."""

    def steps(path: Path, _config: AttributionConfig) -> Sequence[int]:
        return [1 + (path.conversion.at_us - t[0]) // (2 * DAY_US) for t in path.touches]

    monkeypatch.setitem(registry._BY_NAME, "steps", Model("steps", "", "", steps, reads_times=True))

    with pytest.raises(LawBrokenError):
        checks.a_later_conversion_changes_no_weight("steps", _PLAIN)


@pytest.mark.parametrize("law", [law for laws in (LAWS, *LAWS_OF_RULES.values()) for law in laws])
def test_laws_hold_on_a_plain_journey(law: checks.Law) -> None:
    """Each law by name, on a rule that must keep it."""
    rule = next((r for r, laws in LAWS_OF_RULES.items() if law in laws), rules.first_touch)
    model_id = next(m.model_id for m in registry.MODELS if m.numerators is rule)

    law(model_id, _PLAIN)


def test_a_journey_without_touches_keeps_the_laws() -> None:
    """The unattributed credit obeys conservation as well."""
    for model_id in registry.model_ids():
        check_model(model_id, replace(_PLAIN, touches=()))


def test_checking_an_unknown_model_names_the_valid_ones() -> None:
    """The registry answers."""
    with pytest.raises(UnknownModelError, match="u_shaped"):
        check_model("shao", _PLAIN)
