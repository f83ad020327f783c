"""The Python client against the real application, in process: every method of both clients, nothing lost on the way."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from keyword import iskeyword
from typing import Any, NamedTuple

import httpx
import pytest

from accounts.accounts import Accounts
from accounts.roles import Role
from accounts.settings import AccountsSettings
from api.app import create_app
from api.letter_store import LetterRow, Place, WholeLetter
from api.settings import ApiSettings
from api.testing import MemoryOffsets, MemoryProducer
from api.testing_letters import MemoryLetters
from api.testing_replays import MemoryReplays
from app_transport import AppTransport
from attribution_client import (
    AsyncClient,
    Cache,
    Client,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Retries,
    in_calls,
)
from attribution_client.calls import Call
from attribution_client.endpoint import Endpoint
from attribution_client.endpoints import Endpoints
from attribution_client.money import Money
from attribution_client.parameters import Period
from tests.contract.test_api_analytics import CONFIG, explained_facts
from tests.contract.test_api_store import CUSTOMERS, PERIOD, build_facts, load_memory, with_rates

URL = "http://test"
START, END = (day.isoformat() for day in PERIOD)
DAYS: Period = {"start_date": START, "end_date": END, "currency": "EUR"}
TOUCH = {"event_id": "t1", "customer_id": "c", "occurred_at": datetime(2026, 3, 1, tzinfo=UTC), "channel": "Email"}
ORDER = {"event_id": "o1", "customer_id": "c", "occurred_at": datetime(2026, 3, 2, tzinfo=UTC), "value": Decimal("9.9")}
SPEND = {"event_id": "s1", "spend_date": "2026-03-01", "channel": "Email", "cost": "1.5", "currency": "USD"}
LINK = {"event_id": "i1", "customer_id": "c", "previous_id": "d", "occurred_at": "2026-03-01T00:00:00Z"}
JOURNEY: dict[str, Any] = {
    "customer_id": "c",
    "touchpoints": [{"id": "t", "timestamp": datetime(2026, 3, 1, tzinfo=UTC), "channel": "Email", "cost": "0.1"}],
    "conversion": {"timestamp": "2026-03-02T00:00:00Z", "value": Decimal("100.000001")},
    "models": ["linear", "u_shaped"],
}
LIFT_TEST = {
    "test_id": "geo",
    "channel": "Email",
    "start_date": PERIOD[0],
    "end_date": END,
    "incremental_conversions": 3.5,
    "standard_error": 1.0,
}
A_LETTER = WholeLetter(
    LetterRow(
        *(Place(0, 17), "attribution.conversions", 1, 88, "bad_amount", "value", "'ten' is no amount", "decode"),
        *(datetime(2026, 3, 2, tzinfo=UTC), 1, "", False),
    ),
    b"c",
    b"\xff",
    [("dlq.reason", b"bad_amount")],
    0,
)
PERIOD_OF = {"start_date": START, "end_date": END}
#: Arguments of every method but those that change who is signed in.
ASKED: dict[str, dict[str, Any]] = {
    "health": {},
    "ready": {},
    "models": {},
    "calculate": JOURNEY,
    "calculate_batch": {"journeys": [JOURNEY, {**JOURNEY, "models": ["nothing"]}]},
    "run_entry": {"run": "live"},
    "runs": {"with_dropped": True},
    "compare_runs": {"run": "1", "with_": "1"},
    "run_difference": {"run": "live", "with_": "1", "attribution_model": "linear", **PERIOD_OF},
    "begin_run": {"name": "what-if", "half_life_days": 14, "exclude_channels": ["Direct"], "source": "facts"},
    "promote": {"run": "1"},
    "results": {"customer_id": "c-1"},
    "explain": {"conversion_id": "purchase:o/1"},
    "compare": {"start_date": START, "end_date": END, "models": ["linear", "first_touch"]},
    "channel_performance": {**DAYS, "basis": "touch_day"},
    "campaign_performance": {**DAYS},
    "roi": {**DAYS},
    "timeseries": {**DAYS, "interval": "week", "group_by": "total"},
    "top_paths": {"start_date": START, "end_date": END, "by": "campaign", "collapse": "none", "limit": 3},
    "path_length": {"start_date": START, "end_date": END, "longest": 3},
    "time_lag": {"start_date": START, "end_date": END},
    "assisted_conversions": {"start_date": START, "end_date": END, "currency": "USD"},
    "conversion_funnel": {"start_date": START, "end_date": END, "step": ["any", "conversion:purchase"]},
    "unattributed": {"start_date": START, "end_date": END, "interval": "week"},
    "budget": {**DAYS, "interval": "day", "most_change": 0.2, "total": "12.5"},
    "data_driven": {"limit": 3},
    "record_lift_tests": {"tests": [LIFT_TEST]},
    "lift_tests": {},
    "lift": {"start_date": START, "end_date": END, "attribution_model": "linear"},
    "customer_journey": {"customer_id": "c 2/ü", "models": ["linear"]},
    "data_status": {},
    "send_touchpoints": {"events": [TOUCH]},
    "send_conversions": {"events": [ORDER]},
    "send_spend": {"events": [SPEND]},
    "send_identities": {"events": [LINK]},
    "erase": {"customer_id": "gone"},
    "who": {},
    "token": {},
    "keys": {},
    "users": {},
    "dead_letters": {"reason": "bad_amount", "since": datetime(2026, 3, 1, tzinfo=UTC), "retried": False},
    "dead_letter": {"letter": "0@17"},
    "retry_dead_letters": {"letters": ["0@17", "0@18"], "again": True},
}
ALONE = {
    "login",
    "refresh",
    "logout",
    "create_key",
    "revoke_key",
    "create_user",
    "change_user",
    "drop_lift_test",
    "cancel_run",
    "drop_run",
}


class World(NamedTuple):
    """An application over a filled store, its accounts, and what is written."""

    app: Any
    accounts: Accounts
    producer: MemoryProducer
    transport: AppTransport
    clock: list[datetime]

    def key(self, role: Role = Role.ADMIN) -> str:
        return self.accounts.keys.create(role=role, workspace="default", now=datetime.now(UTC))[1]

    def client(self, key: str | None = None, **settings: Any) -> Client:
        return Client(URL, self.key() if key is None else key, transport=self.transport, **settings)

    def open(self, key: str | None = None, **settings: Any) -> AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return AsyncClient(URL, self.key() if key is None else key, transport=transport, **settings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    facts = with_rates(build_facts())
    explained = explained_facts()
    facts.touchpoints += explained.touchpoints
    facts.conversions += explained.conversions
    facts.credits += explained.credits
    store = load_memory(facts)
    store.config = CONFIG
    accounts, producer = Accounts(AccountsSettings(dir=tmp_path_factory.mktemp("world") / "accounts")), MemoryProducer()
    clock = [datetime.now(UTC)]
    app = create_app(
        ApiSettings(insecure_dev=False),
        store=store,
        offsets=MemoryOffsets(),
        producer=producer,
        now=lambda: clock[0],
        accounts=accounts,
        replays=lambda _: MemoryReplays(store.run_list),
        letters=lambda _: MemoryLetters({Place(0, 17): A_LETTER}),
    )
    transport = AppTransport(app)
    yield World(app, accounts, producer, transport, clock)
    transport.stop()
    app.state.security.trail.close()
    accounts.close()


class Noting(Client):
    """Keeps the JSON of the last answer."""

    last: Any = None

    def _do(self, call: Call[Any], step: Any) -> Any:
        outcome = super()._do(call, step)
        content = getattr(outcome, "content", b"")
        self.last = httpx.Response(200, content=content).json() if content else None
        return outcome


def assert_same(answer: Any, plain: Any, place: str = "") -> None:
    """The answer holds everything of the JSON; amounts are exact."""
    if dataclasses.is_dataclass(answer):
        for name, value in plain.items():
            found = getattr(answer, f"{name}_" if iskeyword(name) else name)
            if isinstance(getattr(type(answer), name, None), Money):
                assert found == (None if value is None else Decimal(repr(value))), f"{place}.{name}"
                assert isinstance(found, Decimal | None)
            else:
                assert_same(found, value, f"{place}.{name}")
    elif isinstance(answer, tuple):
        assert len(answer) == len(plain), place
        for i, (one, other) in enumerate(zip(answer, plain, strict=True)):
            assert_same(one, other, f"{place}.{i}")
    elif isinstance(answer, datetime):
        assert answer == datetime.fromisoformat(plain), place
    else:
        text = answer.isoformat() if hasattr(answer, "isoformat") else answer
        assert text == (Decimal(repr(plain)) if isinstance(answer, Decimal) else plain), place


def test_every_method_is_tried_here() -> None:
    methods = {name for name, part in vars(Endpoints).items() if isinstance(part, Endpoint)}
    assert methods == ASKED.keys() | ALONE


@pytest.mark.parametrize("name", ASKED)
async def test_every_method_of_both_clients_answers_alike_and_loses_nothing(world: World, name: str) -> None:
    key = world.key()
    with Noting(URL, key, transport=world.transport) as client:
        answer = getattr(client, name)(**ASKED[name])
        if name != "token":
            assert_same(answer, client.last)
    async with world.open(key) as other:
        again = await getattr(other, name)(**ASKED[name])
    if name != "token":
        assert again == answer
    assert key.split(".")[1] not in repr(client) + repr(other) + repr(client.connection) + repr(answer)


def test_a_lift_test_is_recorded_and_taken_back(world: World) -> None:
    with world.client() as client:
        client.record_lift_tests([{**LIFT_TEST, "test_id": "other"}])
        assert "other" in {t.test_id for t in client.lift_tests().tests}
        client.drop_lift_test("other")
        assert "other" not in {t.test_id for t in client.lift_tests().tests}


def test_a_what_if_is_begun_stopped_and_removed(world: World) -> None:
    with world.client() as client:
        for run in client.runs().runs:
            if run.status == "running":
                client.cancel_run(run.name)
        begun = client.begin_run("stopped", lookback_days=30, models=["linear"])
        assert client.run_entry("stopped") == begun
        assert client.cancel_run("stopped").status == "cancelled"
        client.drop_run("stopped")
        assert "stopped" not in {r.name for r in client.runs().runs}


async def test_pages_are_the_whole_in_order(world: World) -> None:
    with world.client() as client:
        for customer in CUSTOMERS:
            whole = client.results(customer, limit=500).results
            assert len(whole) > 20
            assert tuple(client.each_result(customer, limit=7)) == whole
            assert tuple(client.each_journey_event(customer, limit=5)) == client.customer_journey(customer).events
        campaigns = client.campaign_performance(**DAYS).campaigns
        assert tuple(client.each_campaign(**DAYS, limit=3)) == campaigns
        assert sum(c.revenue_micros for c in campaigns) == client.channel_performance(**DAYS).totals.revenue_micros
    async with world.open() as other:
        assert tuple([c async for c in other.each_campaign(**DAYS, limit=2)]) == campaigns


async def test_an_unchanged_report_is_not_sent_again_and_its_freshness_moves_on(world: World) -> None:
    statuses: list[int] = []

    def note(response: httpx.Response) -> None:
        statuses.append(response.status_code)

    with world.client(cache=Cache()) as client:
        client._http.event_hooks["response"] = [note]
        reports: list[Callable[[], Any]] = [
            lambda: client.roi(**DAYS),
            lambda: client.explain("purchase:o/1"),
            client.channel_performance,
        ]
        for report in reports:
            statuses.clear()
            first = report()
            world.clock[0] += timedelta(seconds=30)
            second = report()
            assert statuses == [200, 304]
            assert dataclasses.replace(second, meta=first.meta) == first
            assert first.meta.lag_seconds is not None
            assert second.meta.lag_seconds == pytest.approx(first.meta.lag_seconds + 30)
            assert dataclasses.replace(second.meta, lag_seconds=first.meta.lag_seconds) == first.meta


def test_problems_name_field_value_and_way_out(world: World) -> None:
    with world.client(retries=Retries(attempts=1)) as client:
        with pytest.raises(InvalidInput) as bad:
            client.roi(attribution_model="lst_touch")
        (error,) = bad.value.errors
        assert (error.field, error.value) == ("attribution_model", "lst_touch")
        assert "last_touch" in error.reason
        assert "lst_touch" in str(error)
        assert bad.value.instance.startswith("urn:uuid:")
        with pytest.raises(InvalidInput) as bad:
            client.calculate("c", [], {"timestamp": "2026-03-02T00:00:00Z", "value": "ten"})
        assert bad.value.errors[0].field == "conversion.value"
        with pytest.raises(NotFound, match="nothing"):
            client.explain("nothing")
    with world.client("") as stranger, pytest.raises(NotSignedIn):
        stranger.roi()
    with world.client(world.key(Role.VIEWER)) as viewer, pytest.raises(NotAllowed):
        viewer.send_touchpoints([TOUCH])


def test_a_session_begins_moves_on_and_ends(world: World) -> None:
    world.accounts.users.create(
        "ada@example.org", "correct horse battery", role=Role.ADMIN, workspace="default", now=datetime.now(UTC)
    )
    with world.client("") as client:
        assert client.login(user="ada@example.org", password="correct horse battery").actor == "user:ada@example.org"  # noqa: S106
        former = client.session
        assert client.refresh().role == "admin"
        assert client.session
        assert client.session != former
        made = client.create_key("ingestor", label="shop", expires_at=datetime.now(UTC) + timedelta(days=1))
        assert made.shown.id in {k.id for k in client.keys().keys}
        assert made.key not in repr(made)
        with Client(URL, session=client.session, transport=world.transport) as resumed:
            assert resumed.who().actor == "user:ada@example.org"
            resumed.revoke_key(made.shown.id)
        client.create_user("bob", "another long password", role="viewer")
        assert client.change_user("bob", role="analyst", disabled=True) in client.users().users
        ended = client.session
        client.logout()
    with Client(URL, session=ended, transport=world.transport) as late, pytest.raises(NotSignedIn):
        late.who()


def test_more_events_than_one_call_takes_are_refused_here_and_sent_in_parts(world: World) -> None:
    events = [{**TOUCH, "event_id": f"t{i}"} for i in range(10_001)]
    world.producer.records.clear()
    with world.client() as client:
        with pytest.raises(ValueError, match="in_calls"):
            client.send_touchpoints(events)
        assert [client.send_touchpoints(part).accepted for part in in_calls(events)] == [10_000, 1]
    assert len(world.producer.records) == 10_001


def test_queued_events_arrive_once_and_wrong_ones_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.producer.records.clear()
    key = world.key(Role.INGESTOR)
    with caplog.at_level(logging.DEBUG), world.client(key) as client:
        named = [client.track("c-9", "Email", cost="0.5", currency="USD") for _ in range(50)]
        client.conversion("c-9", "49.90", order_id="1", currency="USD")
        client.conversion("c-9", "49.90", currency="nothing")
        client.identify("c-9", "device-1")
        assert client.flush() == (52, 1)
    values = b"".join(r.value for r in world.producer.records)
    assert len(world.producer.records) == 52
    assert all(values.count(event_id.encode()) == 1 for event_id in named)
    assert "bad_currency" in caplog.text
    assert key.split(".")[1] not in caplog.text
    assert "c-9" not in caplog.text
