"""Which marketing channel a touch belongs to: ordered rules over source, medium and campaign; the first match wins.

The rules are data (see ``schemas/channels/ga4.yaml``), compiled once. All comparisons are made on folded text: case and
surrounding whitespace do not count, inner whitespace counts as one space. Gaps are filled in this order: the
``utm_*`` parameters of the page, a hint for a click id (``gclid`` means a paid Google click), the referrer.

``ChannelRules.from_mapping`` raises ``ChannelRulesError``, which names the rule, the field and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from attribution.channel_hosts import host_names, is_under, registrable_host
from attribution.types import UNATTRIBUTED

#: Distinct inputs remembered by a set of rules; streams repeat themselves.
CACHE_SIZE: Final = 65_536

_FIELDS: Final = ("source", "medium", "campaign")
_MATCHERS: Final = ("is", "in_list", "contains", "ends_with", "matches")
_TOP_LEVEL: Final = (
    "version",
    "lists",
    "click_ids",
    "gateways",
    "own_domains",
    "campaign_aliases",
    "rules",
    "otherwise",
)
_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_MAX_QUERY_FIELDS: Final = 200

_Predicate = Callable[["_Visit"], bool]


class ChannelRulesError(ValueError):
    """Rules that cannot be used; the message names where, and the way out."""


class Landing(NamedTuple):
    """What the address of the page says about the touch; ``None`` where it says nothing."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    content: str | None = None
    term: str | None = None
    click_ids: Mapping[str, str] | None = None
    host: str | None = None


class _Visit(NamedTuple):
    source: str
    medium: str
    campaign: str
    source_names: frozenset[str]


class ChannelRules:
    """Compiled rules. Immutable and free of IO; safe to share between threads."""

    __slots__ = ("_aliases", "_click_hints", "_excluded", "_group", "_own", "_rules", "_wanted", "otherwise")

    def __init__(
        self,
        *,
        rules: Sequence[tuple[str, Sequence[Sequence[_Predicate]]]],
        otherwise: str,
        click_hints: Mapping[str, tuple[str, str]],
        gateways: frozenset[str],
        own_domains: frozenset[str],
        campaign_aliases: Mapping[str, str],
    ) -> None:
        self._rules = rules
        self._click_hints = click_hints
        self._wanted = frozenset(click_hints) | frozenset(_UTM)
        self._excluded = gateways
        self._own = own_domains
        self._aliases = campaign_aliases
        self.otherwise = otherwise
        self._group = lru_cache(maxsize=CACHE_SIZE)(self._classify)

    @classmethod
    def from_mapping(cls, data: object, *, where: str = "channel rules") -> ChannelRules:
        """Compile rules from plain data.

        Args:
            data: a mapping with ``rules`` and, as needed, ``lists``, ``click_ids``, ``gateways``, ``own_domains``,
                ``campaign_aliases``, ``otherwise``.
            where: name of the file for messages.

        Raises:
            ChannelRulesError: unknown key, wrong type, unknown list, invalid regular expression.
        """
        return _Compiler(where).compile(data)

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel the rules can name, in rule order, without repeats."""
        return tuple(dict.fromkeys([channel for channel, _ in self._rules] + [self.otherwise]))

    @property
    def click_id_names(self) -> frozenset[str]:
        """Query parameters that are click ids."""
        return frozenset(self._click_hints)

    def classify(
        self,
        source: str | None = None,
        medium: str | None = None,
        campaign: str | None = None,
        referrer: str | None = None,
        page_url: str | None = None,
        click_ids: Mapping[str, str] | None = None,
    ) -> str | None:
        """The channel, or ``None`` for a return from a payment gateway or an own domain, which is no touch."""
        return self.classify_landing(source, medium, campaign, referrer, self.landing(page_url), click_ids)

    def classify_landing(
        self,
        source: str | None,
        medium: str | None,
        campaign: str | None,
        referrer: str | None,
        landing: Landing,
        click_ids: Mapping[str, str] | None = None,
    ) -> str | None:
        """Same as ``classify``, for a page address that was taken apart by ``landing``."""
        clicks = {*(click_ids or ()), *(landing.click_ids or ())}
        hint = next((name for name in self._click_hints if name in clicks), "") if clicks else ""
        return self._group(
            _fold(source) or _fold(landing.source),
            _fold(medium) or _fold(landing.medium),
            _fold(campaign) or _fold(landing.campaign),
            _host(referrer),
            landing.host or "",
            hint,
        )

    def landing(self, page_url: str | None) -> Landing:
        """Campaign parameters, click ids and host of a page address; empty for an address that is none."""
        if not page_url:
            return Landing()
        try:
            parts = urlsplit(page_url.strip())
            host = (parts.hostname or "").rstrip(".")
        except ValueError:
            return Landing()
        found: dict[str, str] = {}
        for pair in parts.query.split("&", _MAX_QUERY_FIELDS):
            name, _, raw = pair.partition("=")
            name = name.lower()
            if raw and name in self._wanted and name not in found:
                value = unquote_plus(raw).strip()
                if value:
                    found[name] = value
        clicks = {name: found[name] for name in self._click_hints if name in found}
        source, medium, campaign, content, term = (found.get(name) for name in _UTM)
        return Landing(source, medium, campaign, content, term, clicks or None, host or None)

    def campaign(self, name: str) -> str:
        """The one spelling of a campaign: its alias if there is one, else the name without surrounding whitespace."""
        return self._aliases.get(_fold(name)) or name.strip()

    def _classify(
        self, source: str, medium: str, campaign: str, referrer_host: str, page_host: str, hint: str
    ) -> str | None:
        if hint:
            hinted_source, hinted_medium = self._click_hints[hint]
            source, medium = source or hinted_source, medium or hinted_medium
        if not source and not medium and not campaign and referrer_host:
            if self._is_return(referrer_host, page_host):
                return None
            source, medium = referrer_host, "referral"
        elif not source and not medium and not campaign:
            source, medium = "(direct)", "(none)"
        visit = _Visit(source or "(not set)", medium or "(not set)", campaign, host_names(source))
        for channel, alternatives in self._rules:
            if any(all(test(visit) for test in tests) for tests in alternatives):
                return channel
        return self.otherwise

    def _is_return(self, referrer_host: str, page_host: str) -> bool:
        if is_under(referrer_host, self._excluded) or is_under(referrer_host, self._own):
            return True
        return bool(page_host) and registrable_host(referrer_host) == registrable_host(page_host)


class _Compiler:
    """Turns plain data into ``ChannelRules``; every message starts with the place of the mistake."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lists: dict[str, frozenset[str]] = {}

    def compile(self, data: object) -> ChannelRules:
        top = self._mapping("top level", data)
        self._known("top level", top, _TOP_LEVEL)
        self._lists = {
            _text(name): frozenset(self._texts(f"lists.{name}", entries))
            for name, entries in self._mapping("lists", top.get("lists", {})).items()
        }
        raw_rules = top.get("rules")
        if not isinstance(raw_rules, list) or not raw_rules:
            raise self._error("rules", "must be a list with at least one rule")
        return ChannelRules(
            rules=tuple(self._rule(number, raw) for number, raw in enumerate(raw_rules, start=1)),
            otherwise=self._channel("otherwise", top.get("otherwise", "Unassigned")),
            click_hints=self._click_hints(top.get("click_ids", {})),
            gateways=frozenset(self._texts("gateways", top.get("gateways", []))),
            own_domains=frozenset(self._texts("own_domains", top.get("own_domains", []))),
            campaign_aliases={
                _fold(_text(alias)): self._name(f"campaign_aliases.{alias}", name)
                for alias, name in self._mapping("campaign_aliases", top.get("campaign_aliases", {})).items()
            },
        )

    def _click_hints(self, raw: object) -> dict[str, tuple[str, str]]:
        hints = {}
        for name, hint in self._mapping("click_ids", raw).items():
            place = f"click_ids.{name}"
            fields = self._mapping(place, hint)
            self._known(place, fields, ("source", "medium"))
            source, medium = fields.get("source"), fields.get("medium")
            hints[_text(name).lower()] = (
                _fold(self._name(f"{place}.source", source)),
                _fold(self._name(f"{place}.medium", medium)),
            )
        return hints

    def _channel(self, place: str, value: object) -> str:
        name = self._name(place, value)
        if name.strip().casefold() == UNATTRIBUTED:
            raise self._error(place, f"{name!r} names conversions without a touch; give another name")
        return name

    def _rule(self, number: int, raw: object) -> tuple[str, tuple[tuple[_Predicate, ...], ...]]:
        rule = self._mapping(f"rule {number}", raw)
        channel = self._channel(f"rule {number}, field channel", rule.get("channel"))
        place = f"rule {number} ({channel})"
        self._known(place, rule, ("channel", "any"))
        alternatives = rule.get("any")
        if not isinstance(alternatives, list) or not alternatives:
            raise self._error(
                f"{place}, field any", "must be a list of conditions; the rule matches if one of them does"
            )
        return channel, tuple(self._alternative(place, alternative) for alternative in alternatives)

    def _alternative(self, place: str, raw: object) -> tuple[_Predicate, ...]:
        conditions = self._mapping(f"{place}, field any", raw)
        self._known(place, conditions, _FIELDS)
        if not conditions:
            raise self._error(f"{place}, field any", "an empty condition would match every touch; use otherwise")
        return tuple(
            self._predicate(f"{place}, field {field}", _FIELDS.index(_text(field)), matcher, wanted)
            for field, matchers in conditions.items()
            for matcher, wanted in self._matchers(f"{place}, field {field}", matchers)
        )

    def _matchers(self, place: str, raw: object) -> list[tuple[str, object]]:
        matchers = self._mapping(place, raw)
        self._known(place, matchers, _MATCHERS)
        if not matchers:
            raise self._error(place, f"needs one of {', '.join(_MATCHERS)}")
        return [(_text(name), wanted) for name, wanted in matchers.items()]

    def _predicate(self, place: str, index: int, matcher: str, wanted: object) -> _Predicate:
        if matcher == "matches":
            return self._regex(place, index, wanted)
        if matcher == "in_list":
            return self._list_member(place, index, wanted)
        texts = self._texts(f"{place}, {matcher}", wanted)
        if matcher == "is":
            chosen = frozenset(texts)
            return lambda visit: visit[index] in chosen
        if matcher == "ends_with":
            return lambda visit: str(visit[index]).endswith(texts)
        return lambda visit: any(part in str(visit[index]) for part in texts)

    def _regex(self, place: str, index: int, wanted: object) -> _Predicate:
        try:
            pattern = re.compile(self._name(f"{place}, matches", wanted))
        except re.error as error:
            raise self._error(f"{place}, matches", f"{wanted!r} is no regular expression: {error}") from None
        return lambda visit: pattern.fullmatch(str(visit[index])) is not None

    def _list_member(self, place: str, index: int, wanted: object) -> _Predicate:
        names = self._texts(f"{place}, in_list", wanted)
        for name in names:
            if name not in self._lists:
                raise self._error(f"{place}, in_list", f"no list {name!r}; lists are {', '.join(sorted(self._lists))}")
        members = frozenset[str]().union(*(self._lists[name] for name in names))
        if _FIELDS[index] == "source":
            return lambda visit: not members.isdisjoint(visit.source_names)
        return lambda visit: visit[index] in members

    def _known(self, place: str, given: Mapping[object, object], allowed: Sequence[str]) -> None:
        for key in given:
            if key not in allowed:
                raise self._error(f"{place}, field {key}", f"is unknown; use one of {', '.join(allowed)}")

    def _mapping(self, place: str, raw: object) -> Mapping[object, object]:
        if not isinstance(raw, Mapping):
            raise self._error(place, f"must be a mapping, is {type(raw).__name__}")
        return raw

    def _name(self, place: str, raw: object) -> str:
        if not isinstance(raw, str) or not raw.strip():
            raise self._error(place, f"must be a text, is {raw!r}")
        return raw.strip()

    def _texts(self, place: str, raw: object) -> tuple[str, ...]:
        entries = [raw] if isinstance(raw, str) else raw
        if not isinstance(entries, list):
            raise self._error(place, f"must be a text or a list of texts, is {type(raw).__name__}")
        return tuple(_fold(self._name(place, entry)) for entry in entries)

    def _error(self, place: str, problem: str) -> ChannelRulesError:
        return ChannelRulesError(f"{self._where}: {place}: {problem}")


def _fold(text: str | None) -> str:
    return " ".join(text.casefold().split()) if text else ""


def _text(key: object) -> str:
    return str(key)


@lru_cache(maxsize=4_096)
def _host(address: str | None) -> str:
    if not address:
        return ""
    try:
        parts = urlsplit(address.strip() if "://" in address else f"//{address.strip()}")
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""
