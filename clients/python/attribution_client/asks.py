"""Calls with parameters of their own; those of plain reports are in ``endpoints``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from attribution_client import lines
from attribution_client.calls import Call, delete, get, ndjson, post
from attribution_client.models import analytics, attribution, auth, data, explanation, fits
from attribution_client.models import runs as runs_
from attribution_client.parameters import query

_V1: Final = "/api/v1"
Event: TypeAlias = Mapping[str, Any]


def health() -> Call[data.Health]:
    """Whether the API is alive, and the state of each dependency; asked once."""
    return get("/health", data.Health, is_repeatable=False)


def ready() -> Call[data.Health]:
    """The same; ``ServiceUnavailable`` while a dependency that is required is down. Asked once."""
    return get("/ready", data.Health, is_repeatable=False)


def models() -> Call[attribution.ModelList]:
    """Every model: id, formula, parameters."""
    return get(f"{_V1}/attribution/models", attribution.ModelList)


def calculate(
    customer_id: str,
    touchpoints: Sequence[Event],
    conversion: Event,
    *,
    models: Sequence[str] | None = None,
    currency: str | None = None,
    milestones: Mapping[str, datetime | str] | None = None,
    lookback_days: float | None = None,
    half_life_days: float | None = None,
    custom_weights: Sequence[str] | None = None,
    direct_channels: Sequence[str] | None = None,
) -> Call[attribution.Calculation]:
    """Credits of a path under several models; nothing is stored. Amounts are Decimal, int or text, never float."""
    content = {
        "customer_id": customer_id,
        **_journey({"touchpoints": touchpoints, "conversion": conversion}),
        "models": models,
        "currency": currency,
        "milestones": None if milestones is None else lines.plain(milestones),
        "lookback_days": lookback_days,
        "half_life_days": half_life_days,
        "custom_weights": custom_weights,
        "direct_channels": direct_channels,
    }
    return post(f"{_V1}/attribution/calculate", attribution.Calculation, content, is_repeatable=True)


def calculate_batch(journeys: Iterable[Event]) -> Call[attribution.BatchCalculation]:
    """Up to 5,000 journeys, each with the fields of ``calculate``; what is wrong with one concerns that one alone."""
    body = b"\n".join(lines.line({**journey, **_journey(journey)}) for journey in journeys)
    return ndjson(f"{_V1}/attribution/calculate/batch", attribution.BatchCalculation, body)


def results(
    customer_id: str, *, attribution_model: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[attribution.ResultPage]:
    """Stored credits of a customer, newest conversion first."""
    asked = query({"attribution_model": attribution_model, "limit": limit, "cursor": cursor})
    path = f"{_V1}/attribution/results/{{customer_id}}"
    return get(path, attribution.ResultPage, query=asked, customer_id=customer_id)


def explain(conversion_id: str) -> Call[explanation.Explanation]:
    """How the credits of a conversion came about: every touch, every model, every rounding."""
    path = f"{_V1}/attribution/conversions/{{conversion_id}}/explain"
    return get(path, explanation.Explanation, conversion_id=conversion_id)


def customer_journey(
    customer_id: str,
    *,
    models: Sequence[str] | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[analytics.CustomerJourney]:
    """Events of a customer, oldest first; ``models`` adds what each touch earned."""
    asked = query({"models": models, "limit": limit, "cursor": cursor})
    path = f"{_V1}/analytics/customer-journey/{{customer_id}}"
    return get(path, analytics.CustomerJourney, query=asked, customer_id=customer_id)


def data_status() -> Call[data.DataStatus]:
    """Offset, lag and watermark by partition; dead letters by reason."""
    return get(f"{_V1}/data/status", data.DataStatus)


def send_touchpoints(events: Iterable[Event]) -> Call[data.Ingested]:
    """Up to 10,000 touchpoints, durable in Kafka when the answer comes (fields: docs/wire.md)."""
    return _send("touchpoints", events)


def send_conversions(events: Iterable[Event]) -> Call[data.Ingested]:
    """Up to 10,000 conversions and corrections."""
    return _send("conversions", events)


def send_spend(events: Iterable[Event]) -> Call[data.Ingested]:
    """Up to 10,000 rows of spend."""
    return _send("spend", events)


def send_identities(events: Iterable[Event]) -> Call[data.Ingested]:
    """Up to 10,000 links between ids of one person."""
    return _send("identities", events)


def send_lines(kind: str, body: bytes) -> Call[data.Ingested]:
    """Events that are NDJSON already."""
    return ndjson(f"{_V1}/data/{kind}", data.Ingested, body)


def run(run: str) -> Call[runs_.RunEntry]:
    """One run, by id or name."""
    return get(f"{_V1}/runs/{{run}}", runs_.RunEntry, run=run)


def data_driven(*, limit: int | None = None) -> Call[fits.FitReports]:
    """The newest fits of the data-driven model, with intervals and warnings."""
    return get(f"{_V1}/attribution/data-driven", fits.FitReports, query=query({"limit": limit}))


def lift_tests() -> Call[fits.LiftTests]:
    """Experiments on record."""
    return get(f"{_V1}/analytics/lift-tests", fits.LiftTests)


def record_lift_tests(tests: Iterable[Event]) -> Call[fits.LiftTestsKept]:
    """Keep experiments; the same ``test_id`` again replaces. Fields: ``LiftTest`` without ``recorded_at``."""
    plain = [{k: v.isoformat() if isinstance(v, date) else v for k, v in test.items()} for test in tests]
    return post(f"{_V1}/analytics/lift-tests", fits.LiftTestsKept, {"tests": plain}, is_repeatable=True)


def drop_lift_test(test_id: str) -> Call[None]:
    """Take an experiment back."""
    return delete(f"{_V1}/analytics/lift-tests/{{test_id}}", type(None), test_id=test_id)


def runs(*, with_dropped: bool | None = None) -> Call[runs_.RunReport]:
    """Sets of results, one of which is shown."""
    return get(f"{_V1}/runs", runs_.RunReport, query=query({"with_dropped": with_dropped}))


def compare_runs(run: str, with_: str, *, limit: int | None = None) -> Call[runs_.RunComparison]:
    """Two runs: checksums, rows, channels, the ``limit`` conversions that differ most."""
    return get(f"{_V1}/runs/compare", runs_.RunComparison, query=query({"run": run, "with_": with_, "limit": limit}))


def promote(run: str, *, expected_active: int | None = None, frozen: bool | None = None) -> Call[runs_.Promotion]:
    """Show another run; ``Conflict`` if it is not fit, or another than ``expected_active`` is shown."""
    content = {"expected_active": expected_active, "frozen": frozen}
    return post(f"{_V1}/runs/{{run}}/promote", runs_.Promotion, content, run=run)


def erase(
    customer_id: str, *, policy: Literal["delete", "anonymize"] = "delete", request_id: str | None = None
) -> Call[data.ErasureAccepted]:
    """Forget a customer. The same request again is the same request: its id follows from customer, policy and day."""
    content = {"customer_id": customer_id, "policy": policy, "request_id": request_id}
    return post(f"{_V1}/data/erasures", data.ErasureAccepted, content, is_repeatable=True)


def who() -> Call[auth.Who]:
    """Whom the credential stands for."""
    return get(f"{_V1}/auth/me", auth.Who)


def token() -> Call[auth.TokenOut]:
    """A token of 15 minutes with the rights of this credential."""
    return post(f"{_V1}/auth/token", auth.TokenOut)


def login(*, user: str | None = None, password: str | None = None, key: str | None = None) -> Call[auth.Who]:
    """Open a session, by user and password or by key; this client's next calls carry its cookie."""
    return post(f"{_V1}/auth/login", auth.Who, {"user": user, "password": password, "key": key})


def refresh() -> Call[auth.Who]:
    """Exchange the session for a fresh one."""
    return post(f"{_V1}/auth/refresh", auth.Who)


def logout() -> Call[None]:
    """End the session."""
    return post(f"{_V1}/auth/logout", type(None))


def keys() -> Call[auth.KeyList]:
    """Keys of the workspace."""
    return get(f"{_V1}/auth/keys", auth.KeyList)


def create_key(
    role: str, *, label: str = "", scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> Call[auth.NewKey]:
    """Make a key; its text is in this answer and never again."""
    end = None if expires_at is None else expires_at.isoformat()
    content = {"role": role, "label": label, "scopes": scopes, "expires_at": end}
    return post(f"{_V1}/auth/keys", auth.NewKey, content)


def revoke_key(key_id: str) -> Call[None]:
    """End a key for good."""
    return delete(f"{_V1}/auth/keys/{{key_id}}", type(None), key_id=key_id)


def _send(kind: str, events: Iterable[Event]) -> Call[data.Ingested]:
    return send_lines(kind, lines.joined([lines.line(event) for event in events]))


def _journey(fields: Event) -> Event:
    """Amounts and times of the nested parts, for JSON."""
    found: dict[str, Any] = {"touchpoints": [lines.plain(t) for t in fields["touchpoints"]]}
    found["conversion"] = lines.plain(fields["conversion"])
    if fields.get("milestones"):
        found["milestones"] = lines.plain(fields["milestones"])
    return found
