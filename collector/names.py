"""Which event names are conversions, which are contacts: Segment's e-commerce spec, GA4's events, and own names.

The types are those under which the same message would count on the Kafka topics (``schemas.aliases``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from schemas.aliases import EVENT_NAMES

Effect = Literal["completed", "restated", "refunded", "cancelled", "lost"]


class Rule(NamedTuple):
    """``restated``: a new total of an order; ``lost``: counted without a value."""

    conversion_type: str
    effect: Effect


class ConversionNamesError(ValueError):
    """A list of conversion events that cannot be used; the message names the entry and the way out."""


def fold(name: str) -> str:
    """Names are compared without case and extra whitespace."""
    return " ".join(name.lower().split())


def _known() -> dict[str, Rule]:
    effects: dict[str | None, Effect] = {None: "completed", "refunded": "refunded", "cancelled": "cancelled"}
    found = {name: Rule(kind, effects[status]) for name, (kind, status) in EVENT_NAMES.items()}
    leads: dict[str, Effect] = {
        "qualify_lead": "completed",
        "working_lead": "completed",
        "disqualify_lead": "lost",
        "close_unconvert_lead": "lost",
    }
    found |= {name: Rule(name, effect) for name, effect in leads.items()}
    found["order updated"] = Rule("purchase", "restated")
    return found


KNOWN: Final[Mapping[str, Rule]] = _known()
#: GA4 events that are a visit whatever they carry.
GA4_VISITS: Final = frozenset({"page_view", "screen_view", "campaign_details"})
#: Track events of Segment's e-mail spec -> how the customer was touched.
EMAIL_TOUCHES: Final = {"email opened": "email_open", "email link clicked": "email_click"}
ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Names:
    """What names mean. ``touches`` None: every event that says how the customer came is a contact."""

    conversions: Mapping[str, Rule]
    touches: frozenset[str] | None = None

    @classmethod
    def of(cls, conversions: Iterable[str] = (), touches: Iterable[str] = (ANY,)) -> Names:
        """The known names and own ones.

        Args:
            conversions: ``Name`` or ``Name=conversion_type``; they come before the known ones.
            touches: names of events that are contacts; ``*`` for all that say how the customer came.

        Raises:
            ConversionNamesError: an entry without a name or type.
        """
        wanted = [fold(name) for name in touches]
        own = dict(_entry(text) for text in conversions)
        return cls({**KNOWN, **own}, None if ANY in wanted else frozenset(wanted))

    def conversion(self, name: str) -> Rule | None:
        """What an event name stands for; None: no conversion."""
        return self.conversions.get(fold(name))

    def is_touch(self, name: str, *, says_how: bool) -> bool:
        """Whether an event that is no conversion is a contact."""
        return says_how if self.touches is None else fold(name) in self.touches


def _entry(text: str) -> tuple[str, Rule]:
    name, has_type, conversion_type = (part.strip() for part in text.partition("="))
    if not name or (has_type and not conversion_type):
        raise ConversionNamesError(f"{text!r} is no conversion event; write Name or Name=conversion_type")
    return fold(name), Rule(conversion_type or fold(name).replace(" ", "_"), "completed")
