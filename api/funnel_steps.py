"""The steps of a funnel as a caller writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from api.errors import invalid
from api.funnel_store import MAX_STEPS, Step, StepKind

MIN_STEPS: Final = 2
_MAX_NAME: Final = 256
_NAMED: Final[dict[str, StepKind]] = {"touch": "touch", "touch_type": "touch_type", "conversion": "conversion"}
_NAME: Final = re.compile(r"\S[^\n\r\u2028\u2029]*\Z")
#: The same as a description has it.
STEP_PATTERN: Final = rf"^(any|(touch|touch_type|conversion):\S.{{0,{_MAX_NAME - 1}}})$"
_FORMS: Final = "write any, touch:<channel>, touch_type:<type> or conversion:<type>"

#: Milestones of a sale in their order; the last one is a step of the default funnel in any case.
_MILESTONES: Final = ("lead_created", "opportunity_created", "purchase")


def read_steps(texts: Sequence[str]) -> tuple[Step, ...]:
    """The steps, in order.

    Args:
        texts: ``any`` (any touch), ``touch:<channel>``, ``touch_type:<type>`` or ``conversion:<type>``; names are
            compared as they are.

    Raises:
        Problem: 422 with the step and the way out.
    """
    if not MIN_STEPS <= len(texts) <= MAX_STEPS:
        reason = f"is given {len(texts)} times; repeat it {MIN_STEPS} to {MAX_STEPS} times, or leave it out"
        raise invalid("step", list(texts), reason)
    return tuple(_read(text, n) for n, text in enumerate(texts, start=1))


def default_steps(types: Sequence[str]) -> tuple[Step, ...]:
    """Any touch, then those milestones whose type there is, then the purchase."""
    named = [kind for kind in _MILESTONES if kind in types or kind == _MILESTONES[-1]]
    return (Step("any"), *(Step("conversion", kind) for kind in named))


def step_text(step: Step) -> str:
    """The step as a caller writes it."""
    return f"{step.kind}:{step.name}" if step.name else step.kind


def _read(text: str, n: int) -> Step:
    if text == "any":
        return Step("any")
    kind, _, name = text.partition(":")
    if kind not in _NAMED:
        raise invalid("step", text, f"(number {n}) is no step; {_FORMS}")
    if not name.strip():
        raise invalid("step", text, f"(number {n}) names nothing; {_FORMS}")
    if not _NAME.match(name):
        raise invalid("step", text, f"(number {n}) has a name that begins with a space or holds a line feed; {_FORMS}")
    if len(name) > _MAX_NAME:
        raise invalid("step", text, f"(number {n}) has a name of {len(name)} characters; at most {_MAX_NAME}")
    return Step(_NAMED[kind], name)
