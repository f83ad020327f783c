"""What every ``Store`` promises, for the double and for ClickHouse; and that the two answer alike."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import pytest

from api.clickhouse_store import ClickHouseStore
from api.store import Basis, DeadLetters, EventKey, Meta, Progress, ResultKey, Store, Unavailable
from api.testing import MemoryStore, at
from attribution.attribute import Attributor, FixedJourney
from attribution.config import DAY_US, AttributionConfig
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits, Touch
from clickhouse import queries, rows
from clickhouse.client import connect
from clickhouse.fx import Rate, rate_rows
from clickhouse.lifts import RecordedTest
from clickhouse.rollups import Roller
from clickhouse.settings import ClickHouseSettings
from clickhouse.writer import Writer
from schemas.events import ConversionWireEvent, SpendEvent, TouchpointEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = date(2026, 3, 1)
START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
MODELS = ("first_touch", "linear", "time_decay", "u_shaped")
HASH = "0123456789ab"
CHANNELS = ("Paid Search", "Email", "Direct", "Приём", "=SUM(1)", 'quo"te')


@dataclass
class Facts:
    """One small world: three customers, two currencies, milestones, spend, progress and dead letters."""

    touchpoints: list[TouchpointEvent] = field(default_factory=list)
    conversions: list[ConversionWireEvent] = field(default_factory=list)
    spend: list[SpendEvent] = field(default_factory=list)
    credits: list[tuple[str, ConversionCredits]] = field(default_factory=list)
    progress: list[rows.Progress] = field(default_factory=list)
    dead_letters: list[rows.DeadLetter] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)


Load: TypeAlias = "Callable[[Facts], Store]"


def build_facts(seed: int = 7) -> Facts:
    random_ = random.Random(seed)
    attributor = Attributor(AttributionConfig(models=MODELS))
    facts = Facts()
    for customer in ("c-1", "c 2/ü", "c-3"):
        touches: list[Touch] = []
        for i in range(12):
            at_us = START_US + random_.randrange(10 * DAY_US)
            touch = (at_us, f"{customer}-t{i:02}", random_.choice(CHANNELS), random_.choice(("", "spring")))
            touches.append(touch)
            facts.touchpoints.append(
                TouchpointEvent(
                    event_id=touch[1],
                    customer_id=customer,
                    occurred_at_us=at_us,
                    channel=touch[2],
                    campaign=touch[3] or None,
                    touch_type="click",
                    cost_micros=random_.randrange(1_000_000),
                    currency="USD",
                    received_at_us=at_us + 1,
                )
            )
        for i in range(6):
            at_us = START_US + random_.randrange(12 * DAY_US)
            kind = "lead_created" if i == 5 else "purchase"
            order = f"o{customer}{i}" if i % 2 else None
            value = 0 if kind == "lead_created" else random_.randrange(1, 500_000_000)
            currency = "EUR" if i == 4 else "USD"
            event = ConversionWireEvent(
                event_id=f"{customer}-v{i}",
                customer_id=customer,
                occurred_at_us=at_us,
                conversion_type=kind,
                order_id=order,
                value_micros=value,
                currency=currency,
                received_at_us=at_us + 1,
            )
            facts.conversions.append(event)
            conversion = Conversion(f"{kind}:{order}" if order else event.event_id, kind, at_us, value, currency)
            facts.credits.append((customer, attributor.attribute(FixedJourney(touches, rev=i + 1), conversion)))
    lonely = Conversion("lonely", "purchase", START_US - 5 * DAY_US, 1_000_001, "USD")
    facts.credits.append(("c-1", attributor.attribute(FixedJourney([]), lonely)))
    first_day = START_US // DAY_US
    for day in range(3):
        for channel in ("Paid Search", "Billboard"):
            facts.spend.append(
                SpendEvent(
                    event_id=f"s{day}{channel}",
                    spend_day=first_day + day,
                    channel=channel,
                    cost_micros=random_.randrange(1, 90_000_000),
                    currency="USD",
                    received_at_us=START_US + day,
                )
            )
    facts.spend.append(replace_spend(facts.spend[0], 12_345_678))
    facts.progress = [
        rows.Progress("attribution.touchpoints", 1, 40, START_US + 5),
        rows.Progress("attribution.touchpoints", 0, 50, START_US + 3_000_001),
        rows.Progress("attribution.conversions", 0, 7, 0),
    ]
    recently_us = int(datetime.now(UTC).timestamp()) * 1_000_000  # the table forgets old ones by the server's clock
    facts.dead_letters = [
        rows.DeadLetter("attribution.touchpoints", 0, n, reason, "f", "d", "decode", START_US, recently_us, 1)
        for n, reason in enumerate(["undecodable", "invalid_value", "undecodable", "missing_identity"])
    ]
    return facts


def replace_spend(event: SpendEvent, cost_micros: int) -> SpendEvent:
    """A restatement of the same day and channel that arrives later."""
    return SpendEvent(
        event_id=f"{event.event_id}-again",
        spend_day=event.spend_day,
        channel=event.channel,
        cost_micros=cost_micros,
        currency=event.currency,
        received_at_us=event.received_at_us + DAY_US,
    )


def with_rates(facts: Facts, seed: int = 3) -> Facts:
    """The same with spend in other currencies and rates against EUR: none of CHF, few of JPY, gaps in USD."""
    random_ = random.Random(seed)
    days = range(-8, 14)
    spend = [
        SpendEvent(
            event_id=f"f{day}{currency}",
            spend_day=START_US // DAY_US + day,
            channel=random_.choice(("Email", "Billboard")),
            campaign=random_.choice((None, "spring")),
            source=currency,
            cost_micros=random_.randrange(1, 90_000_000),
            currency=currency,
        )
        for day in days
        for currency in ("JPY", "CHF", "EUR")
    ]
    chances = {"USD": 0.7, "JPY": 0.2}
    rates = [
        Rate(START + timedelta(days=day), currency, Decimal(random_.randrange(1, 10**9)).scaleb(-6))
        for day in days
        for currency, chance in chances.items()
        if random_.random() < chance
    ]
    return replace(facts, spend=[*facts.spend, *spend], rates=rates)


def load_memory(facts: Facts) -> MemoryStore:
    store = MemoryStore()
    store.add_rates(facts.rates, base="EUR")
    store.add_touchpoints(facts.touchpoints)
    store.add_conversions(facts.conversions)
    store.add_spend(facts.spend)
    for customer, found in facts.credits:
        store.add_credits(customer, found)
    store.read = [
        Progress(p.topic, p.partition, p.offset, at(p.watermark_us) if p.watermark_us else None, at(START_US))
        for p in facts.progress
    ]
    store.refused = Counter(x.reason for x in facts.dead_letters)
    watermark = min((p.watermark_us for p in facts.progress if p.watermark_us), default=None)
    store.facts = Meta(1, at(START_US), None if watermark is None else at(watermark), HASH)
    return store


def all_results(store: Store, customer: str, model: str | None = None, size: int = 1_000) -> list[tuple[object, ...]]:
    """Every result through pages of ``size``."""
    found, after = [], None
    while page := store.results(customer, model, after, size):
        found += page
        after = page[-1].key
    return [(r.key, r.conversion_type, r.value_micros, r.currency, r.rev, r.credits) for r in found]


def all_events(store: Store, customer: str, size: int = 1_000) -> list[object]:
    found, after = [], None
    while page := store.journey(customer, after, size):
        found += page
        after = page[-1].key
    return list(found)


BASES: tuple[Basis, Basis] = ("conversion_day", "touch_day")
CUSTOMERS = ("c-1", "c 2/ü", "c-3")
PERIOD = (START - timedelta(days=10), START + timedelta(days=20))


class StoreContract:
    """The suite. A subclass gives ``load``: facts to a store that holds them, and ``empty``."""

    def test_lift_tests_are_kept_replaced_and_taken_back(self, empty: Store) -> None:
        first = RecordedTest("g/1", "Приём", START, START + timedelta(days=3), -2.5, 0.25, "a 'note'")
        second = RecordedTest("g2", "Email", START, START + timedelta(days=9), 10.0, 3.0)
        empty.record_lift_tests([first, second])
        empty.record_lift_tests([first._replace(incremental=7.0)])

        kept = empty.lift_tests()
        assert all(test.recorded_at is not None for test in kept)
        assert [test[:7] for test in kept] == [second[:7], first._replace(incremental=7.0)[:7]]

        assert (empty.drop_lift_test("g/1"), empty.drop_lift_test("g/1")) == (True, False)
        assert [test.test_id for test in empty.lift_tests()] == ["g2"]

    @pytest.mark.parametrize("kind", ["", "purchase"])
    def test_lift_credit_is_a_model_s_conversions_of_all_currencies(self, load: Load, kind: str) -> None:
        facts, expected = build_facts(), defaultdict[str, float](float)
        for _, found in facts.credits:
            if kind in {"", found.conversion.conversion_type}:
                for touch, weight in zip(found.touches, found.weights[MODELS.index("linear")], strict=True):
                    expected[touch[2]] += weight
        assert load(facts).lift_credit(*PERIOD, "linear", kind) == pytest.approx(expected)

    def test_an_empty_store_has_no_numbers_and_the_unattributed_row(self, empty: Store) -> None:
        meta = empty.standing().meta
        assert (meta.run_id, meta.as_of, meta.watermark, meta.model_version) == (1, None, None, None)
        page = empty.channel_performance(*PERIOD, "linear", "USD")
        (row,) = page.rows
        assert (row.channel, row.conversions, row.revenue_micros, row.spend_micros) == (UNATTRIBUTED, 0, 0, 0)
        assert page.other_currencies == []
        assert empty.results("nobody", None, None, 10) == []
        assert empty.journey("nobody", None, 10) == []
        assert empty.progress() == []
        assert empty.dead_letters() == []

    def test_meta_tells_the_slowest_partition_and_the_parameters(self, load: Load) -> None:
        meta = load(build_facts()).standing().meta
        assert (meta.run_id, meta.watermark, meta.model_version) == (1, at(START_US + 5), HASH)
        assert meta.as_of is not None
        assert meta.as_of.tzinfo is not None

    @pytest.mark.parametrize("model", MODELS)
    def test_channels_sum_to_the_conversions_to_the_micro(self, load: Load, model: str) -> None:
        facts = build_facts()
        page = load(facts).channel_performance(*PERIOD, model, "USD")
        meant = [c.conversion for _, c in facts.credits if c.conversion.currency == "USD"]
        assert sum(r.revenue_micros for r in page.rows) == sum(c.value_micros for c in meant)
        assert sum(r.conversions for r in page.rows) == pytest.approx(len(meant), abs=1e-9)
        assert page.other_currencies == ["EUR"]
        assert [r.channel for r in page.rows].count(UNATTRIBUTED) == 1

    def test_spend_is_the_latest_statement_and_needs_no_credit(self, load: Load) -> None:
        facts = build_facts()
        spent = {r.channel: r.spend_micros for r in load(facts).channel_performance(*PERIOD, "linear", "USD").rows}
        latest = {(s.spend_day, s.channel): s.cost_micros for s in facts.spend}
        assert spent["Billboard"] == sum(cost for (_, channel), cost in latest.items() if channel == "Billboard")
        assert spent["Paid Search"] == sum(cost for (_, channel), cost in latest.items() if channel == "Paid Search")

    def test_both_ends_of_the_period_are_inclusive(self, load: Load) -> None:
        store = load(build_facts())
        days = [PERIOD[0] + timedelta(days=i) for i in range((PERIOD[1] - PERIOD[0]).days + 1)]
        single = sum(
            r.revenue_micros + r.spend_micros
            for day in days
            for r in store.channel_performance(day, day, "linear", "USD").rows
        )
        whole = store.channel_performance(*PERIOD, "linear", "USD").rows
        assert single == sum(r.revenue_micros + r.spend_micros for r in whole) > 0

    def test_a_conversion_type_leaves_the_others_out(self, load: Load) -> None:
        store = load(build_facts())
        counts = {
            kind: sum(r.conversions for r in store.channel_performance(*PERIOD, "linear", "USD", kind).rows)
            for kind in ("", "purchase", "lead_created", "unknown")
        }
        assert counts["lead_created"] == pytest.approx(3)
        assert counts["purchase"] + counts["lead_created"] == pytest.approx(counts[""])
        assert counts["unknown"] == 0

    def test_other_currencies_are_converted_where_there_is_a_rate(self, load: Load) -> None:
        """In EUR, the base: 100 USD at 1.25 are 80; CHF has no rate and is in no sum."""
        facts = Facts(
            spend=[
                SpendEvent(f"s{c}", START_US // DAY_US + 1, "Email", 100_000_000, c, source=c)
                for c in ("USD", "CHF", "EUR")
            ],
            rates=[Rate(START, "USD", Decimal("1.25"))],
        )
        store = load(facts)
        for currency, expected, converted, others in (
            ("EUR", 180_000_000, ["USD"], ["CHF"]),
            ("USD", 225_000_000, ["EUR"], ["CHF"]),
            ("CHF", 100_000_000, [], ["EUR", "USD"]),
        ):
            page = store.channel_performance(*PERIOD, "linear", currency)
            assert {r.channel: r.spend_micros for r in page.rows} == {"Email": expected, UNATTRIBUTED: 0}
            assert (page.converted_currencies, page.other_currencies) == (converted, others)
        stale = store.channel_performance(*PERIOD, "linear", "EUR", fx_max_age_days=0)
        assert (stale.converted_currencies, stale.other_currencies) == ([], ["CHF", "USD"])

    def test_cohorts_hold_the_same_credits_on_the_days_of_their_touches(self, load: Load) -> None:
        facts = build_facts()
        store = load(facts)
        wide = (START - timedelta(days=100), START + timedelta(days=100))
        by_conversion, by_touch = (
            {
                r.channel: (round(r.conversions, 9), *astuple(r)[2:])
                for r in store.channel_performance(*wide, "linear", "USD", basis=basis).rows
            }
            for basis in BASES
        )
        assert by_touch == by_conversion
        expected: dict[date, int] = defaultdict(int)
        for _, c in facts.credits:
            for touch, micros in zip(c.touches, c.micros[c.models.index("linear")], strict=True):
                expected[at(touch[0]).date()] += micros * (c.conversion.currency == "USD")
        for day in (START + timedelta(days=n) for n in range(-6, 13)):
            rows_ = store.channel_performance(day, day, "linear", "USD", basis="touch_day").rows
            assert sum(r.revenue_micros for r in rows_) == expected[day]

    def test_spend_through_is_the_newest_day_with_spend_up_to_the_end(self, load: Load) -> None:
        store = load(build_facts())
        for end, expected in ((20, 2), (1, 1), (0, 0)):
            page = store.channel_performance(START, START + timedelta(days=end), "linear", "USD")
            through = {r.channel: r.spend_through for r in page.rows}
            assert through["Billboard"] == through["Paid Search"] == START + timedelta(days=expected)
            assert through[UNATTRIBUTED] is None

    @pytest.mark.parametrize("size", [1, 3, 1_000])
    def test_pages_of_results_are_the_whole_in_order(self, load: Load, size: int) -> None:
        store = load(build_facts())
        whole = store.results("c 2/ü", None, None, 1_000)
        assert len(whole) == 6 * len(MODELS)
        assert [r.key for r in whole] == sorted((r.key for r in whole), reverse=True)
        assert [r[0] for r in all_results(store, "c 2/ü", size=size)] == [r.key for r in whole]

    def test_results_carry_the_core_s_credits_exactly(self, load: Load) -> None:
        facts = build_facts()
        store = load(facts)
        for customer, found in facts.credits:
            for m, model in enumerate(found.models):
                key = ResultKey(at(found.conversion.at_us), found.conversion.conversion_id, model)
                (row,) = (r for r in store.results(customer, model, None, 1_000) if r.key == key)
                assert [(c.touchpoint_id, c.channel, c.campaign) for c in row.credits] == [t[1:] for t in found.touches]
                assert [c.touched_at for c in row.credits] == [at(t[0]) for t in found.touches]
                assert tuple(c.weight for c in row.credits) == found.weights[m]
                assert tuple(c.value_micros for c in row.credits) == found.micros[m]
                assert [c.position for c in row.credits] == list(range(1, len(found.touches) + 1))
                assert (row.value_micros, row.rev) == (found.conversion.value_micros, found.rev)

    @pytest.mark.parametrize("size", [1, 4, 1_000])
    def test_pages_of_a_journey_are_the_whole_in_order(self, load: Load, size: int) -> None:
        store = load(build_facts())
        whole = store.journey("c-1", None, 1_000)
        assert len(whole) == 18
        assert [r.occurred_at for r in whole] == sorted(r.occurred_at for r in whole)
        assert all_events(store, "c-1", size) == list(whole)

    def test_at_one_instant_touchpoints_come_before_conversions(self, load: Load) -> None:
        facts = build_facts()
        touch, conversion = facts.touchpoints[0], facts.conversions[0]
        conversion.occurred_at_us, conversion.event_id = touch.occurred_at_us, "0-sorts-first-by-id"
        store = load(Facts(touchpoints=[touch], conversions=[conversion], progress=facts.progress))
        assert [r.kind for r in store.journey(touch.customer_id, None, 10)] == ["touchpoint", "conversion"]
        after = EventKey(at(touch.occurred_at_us), "touchpoint", touch.event_id)
        assert [r.kind for r in store.journey(touch.customer_id, after, 10)] == ["conversion"]

    def test_earned_credits_are_those_of_the_span_and_models(self, load: Load) -> None:
        facts = build_facts()
        store = load(facts)
        first, last = at(START_US + 2 * DAY_US), at(START_US + 6 * DAY_US)
        found = store.earned("c-1", ("linear", "u_shaped"), first, last, 1_000)
        expected = [
            (model, c.conversion.conversion_id, touch[1], c.micros[m][i])
            for customer, c in facts.credits
            if customer == "c-1"
            for m, model in enumerate(c.models)
            if model in ("linear", "u_shaped")
            for i, touch in enumerate(c.touches)
            if first <= at(touch[0]) <= last
        ]
        assert sorted((e.model, e.conversion_id, e.touchpoint_id, e.value_micros) for e in found) == sorted(expected)
        assert len(store.earned("c-1", ("linear",), first, last, 3)) == 3

    def test_progress_is_one_row_per_partition(self, load: Load) -> None:
        found = load(build_facts()).progress()
        assert [(p.topic, p.partition, p.offset, p.watermark) for p in found] == [
            ("attribution.conversions", 0, 7, None),
            ("attribution.touchpoints", 0, 50, at(START_US + 3_000_001)),
            ("attribution.touchpoints", 1, 40, at(START_US + 5)),
        ]

    def test_dead_letters_are_counted_by_reason(self, load: Load) -> None:
        assert load(build_facts()).dead_letters() == [
            DeadLetters("undecodable", 2),
            DeadLetters("invalid_value", 1),
            DeadLetters("missing_identity", 1),
        ]

    def test_hostile_text_is_only_text(self, load: Load) -> None:
        store = load(build_facts())
        for text in ("' OR 1=1 --", "{limit:UInt32}", "\\", "\t\n", "c-1' UNION ALL SELECT 1", "%(x)s", "\x00"):
            assert store.results(text, None, None, 10) == []
            assert store.journey(text, None, 10) == []
            assert store.earned(text, (text,), at(START_US), at(START_US), 10) == []
            assert sum(r.revenue_micros for r in store.channel_performance(*PERIOD, text, text).rows) == 0


class TestMemoryStore(StoreContract):
    """The double."""

    @pytest.fixture
    def load(self) -> Load:
        return load_memory

    @pytest.fixture
    def empty(self) -> Store:
        return MemoryStore()


@pytest.fixture
def engine(clickhouse_url: str, clickhouse_database: str) -> ClickHouseSettings:
    return ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)


@pytest.fixture
def clickhouse_store(engine: ClickHouseSettings) -> Iterator[ClickHouseStore]:
    store = ClickHouseStore(engine)
    yield store
    store.close()


def load_clickhouse(facts: Facts, engine: ClickHouseSettings) -> None:
    """Write the facts as a worker does, then build the rollups."""
    client = connect(engine)
    try:
        Writer(client).write(
            {
                "touchpoints": rows.touchpoint_rows(facts.touchpoints),
                "conversions": rows.conversion_rows(facts.conversions),
                "spend": rows.spend_rows(facts.spend),
                "attributions": rows.attribution_rows(
                    facts.credits, run_id=1, config_hash=HASH, emitted_at_us=START_US
                ),
                "runs": rows.run_rows(1, label="live", models=MODELS, config_hash=HASH, config_json="{}"),
                "fx_rates": rate_rows(facts.rates, base="EUR", source="", version=1),
                "dirty_days": rows.dirty_day_rows(facts.credits, run_id=1),
                "dead_letters": rows.dead_letter_rows(facts.dead_letters),
                "worker_progress": rows.progress_rows("attribution", facts.progress, run_id=1),
            }
        )
        Roller(client).drain()
    finally:
        client.close()


@pytest.mark.clickhouse
class TestClickHouseStore(StoreContract):
    """The real one."""

    @pytest.fixture
    def empty(self, clickhouse_store: ClickHouseStore) -> Store:
        return clickhouse_store

    @pytest.fixture
    def load(self, engine: ClickHouseSettings, clickhouse_store: ClickHouseStore) -> Load:
        def written(facts: Facts) -> Store:
            load_clickhouse(facts, engine)
            return clickhouse_store

        return written

    def test_it_answers_like_the_double(self, load: Load) -> None:
        """Row for row and micro for micro, over every read."""
        facts = with_rates(build_facts(seed=11))
        real, double = load(facts), load_memory(facts)
        for customer in CUSTOMERS:
            assert all_results(real, customer) == all_results(double, customer)
            assert all_events(real, customer) == all_events(double, customer)
        for model, basis, currency in zip(MODELS, BASES * 2, ("USD", "EUR", "JPY", "JPY"), strict=True):
            found, wanted = (s.channel_performance(*PERIOD, model, currency, basis=basis) for s in (real, double))
            assert found.other_currencies == wanted.other_currencies
            assert found.converted_currencies == wanted.converted_currencies != []
            assert [replace(r, conversions=0.0) for r in found.rows] == [
                replace(r, conversions=0.0) for r in wanted.rows
            ]
            assert [r.conversions for r in found.rows] == pytest.approx([r.conversions for r in wanted.rows])

    def test_a_correction_replaces_the_credits(self, load: Load) -> None:
        facts = build_facts()
        customer, found = facts.credits[0]
        store = load(facts)
        half = replace(found.conversion, value_micros=found.conversion.value_micros // 2)
        touches = FixedJourney(found.touches, rev=99)
        load(Facts(credits=[(customer, Attributor(AttributionConfig(models=MODELS)).attribute(touches, half))]))
        for row in store.results(customer, None, None, 1_000):
            if row.conversion_id == half.conversion_id:
                assert (row.rev, sum(c.value_micros for c in row.credits)) == (99, half.value_micros)

    def test_the_state_moves_with_all_that_a_report_reads(self, load: Load, engine: ClickHouseSettings) -> None:
        """And with nothing else: not with time, with a second reading, or with a conversion that is not rolled up."""
        facts = with_rates(build_facts())
        store, client = load(facts), connect(engine)
        for table in ("active_run", "rollup_state", "spend", "fx_rates"):
            client.command(f"OPTIMIZE TABLE {table} FINAL")  # so that no merge comes between
        seen = [store.standing().state]
        assert store.standing().state == seen[0]
        customer, found = facts.credits[0]
        again = replace(found, rev=98)
        written = rows.attribution_rows([(customer, again)], run_id=1, config_hash=HASH, emitted_at_us=START_US)
        Writer(client).write({"attributions": written})
        assert store.standing().state == seen[0]
        for change in (
            Facts(credits=[(customer, again)]),
            Facts(spend=[replace_spend(facts.spend[0], 1)]),
            Facts(rates=[Rate(START, "USD", Decimal("1.25"))]),
        ):
            load(change)
            seen.append(store.standing().state)
        queries.execute(client, "runs_promote", run_id=2)
        seen.append(store.standing().state)
        assert None not in seen
        assert all(seen[i] != seen[j] for i in range(5) for j in range(i))
        client.close()


@pytest.mark.clickhouse
def test_a_missing_database_is_unavailable_with_the_command(clickhouse_url: str) -> None:
    store = ClickHouseStore(ClickHouseSettings(url=clickhouse_url, database="never_migrated"))
    with pytest.raises(Unavailable, match=r"attribution migrate|cannot be reached|refuses"):
        store.ping()
    store.close()


@pytest.mark.clickhouse
def test_an_engine_that_does_not_answer_is_unavailable_without_its_address() -> None:
    store = ClickHouseStore(ClickHouseSettings(url="http://127.0.0.1:9", connect_timeout_s=1))
    with pytest.raises(Unavailable) as caught:
        store.standing()
    assert caught.value.dependency == "clickhouse"
    assert "127.0.0.1" not in caught.value.reason
    store.close()
