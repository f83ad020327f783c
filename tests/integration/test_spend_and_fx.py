"""Reports in one currency, by conversion day and by touch day, equal fractions computed here over the newest rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from reports import read_report

from attribution.config import DAY_US
from attribution.money import split_micros
from attribution.types import UNATTRIBUTED, Conversion, ConversionCredits
from clickhouse import migrate as migrations
from clickhouse import queries
from clickhouse.client import connect
from clickhouse.errors import BaseMismatch, LockHeld
from clickhouse.fx import LOCK, Rate, import_rates, list_rates, missing_rates, rate_rows
from clickhouse.locks import table_lock
from clickhouse.migrate import migrate
from clickhouse.rollups import Roller
from clickhouse.rows import attribution_rows, dirty_day_rows, spend_rows
from clickhouse.settings import ClickHouseSettings
from clickhouse.testing import MemorySink
from clickhouse.writer import Writer
from schemas.events import SpendEvent

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from api.store import Page

pytestmark = pytest.mark.clickhouse

DAY_0 = 20_000
DATE_0 = date(1970, 1, 1) + timedelta(days=DAY_0)
CURRENCIES = ("USD", "EUR", "JPY", "CHF")
CHANNELS = ("email", "search", "display")


@pytest.fixture
def client(clickhouse_url: str, clickhouse_database: str) -> Iterator[Client]:
    client = connect(ClickHouseSettings(url=clickhouse_url, database=clickhouse_database))
    yield client
    client.close()


def on(day: int) -> date:
    return DATE_0 + timedelta(days=day)


def credits_of(name: str, rng: random.Random, rev: int) -> ConversionCredits:
    """A conversion of any day, value and currency, its value split over touches of the days before, or over none."""
    at_us = (DAY_0 + rng.randrange(12)) * DAY_US + rng.randrange(DAY_US)
    touches = tuple(
        (at_us - rng.randrange(5 * DAY_US), f"{name}-{i}", rng.choice(CHANNELS), rng.choice(("", "x")))
        for i in range(rng.randrange(4))
    )
    n = len(touches) or 1
    value = rng.choice((0, 1, 5, rng.randrange(10**7), rng.randrange(10**13)))
    return ConversionCredits(
        Conversion(name, rng.choice(("purchase", "lead")), at_us, value, rng.choice(CURRENCIES)),
        rev,
        ("linear",),
        touches or ((at_us, "", UNATTRIBUTED, ""),),
        ((1 / n,) * n,),
        (split_micros(value, [1] * n, n),),
        ("",),
    )


def spend_of(rng: random.Random, offset: int) -> SpendEvent:
    """A statement for one of few keys, so that most of them restate, in any currency; a cost may be a refund."""
    return SpendEvent(
        f"s{offset}",
        DAY_0 + rng.randrange(12),
        rng.choice((*CHANNELS, "billboard")),
        rng.choice((0, 1, 3, -5, rng.randrange(10**9))),
        rng.choice(CURRENCIES),
        campaign=rng.choice((None, "x")),
        source=rng.choice((None, "ads")),
        received_at_us=offset // 7 * 1_000,
        offset=offset,
    )


@dataclass
class World:
    """The engine and a copy of its newest rows in memory."""

    client: Client
    memory: MemorySink = field(default_factory=MemorySink)
    former: dict[str, int] = field(default_factory=dict)

    def write(self, tables: dict[str, Any]) -> None:
        for sink in (Writer(self.client), self.memory):
            sink.write(tables)

    def put_credits(self, batch: list[ConversionCredits]) -> None:
        pairs = []
        for c in batch:
            conversion = replace(
                c.conversion, former_at_us=(self.former.get(c.conversion.conversion_id, c.conversion.at_us),)
            )
            pairs.append(("customer", replace(c, conversion=conversion)))
            self.former[c.conversion.conversion_id] = c.conversion.at_us
        rows = attribution_rows(pairs, run_id=1, config_hash="h", emitted_at_us=1)
        self.write({"attributions": rows, "dirty_days": dirty_day_rows(pairs, run_id=1)})

    def put_spend(self, events: list[SpendEvent]) -> None:
        self.write({"spend": spend_rows(events)})

    def put_rates(self, rates: list[Rate], base: str) -> None:
        import_rates(self.client, rates, base=base, source="test")
        version = len(self.memory.every("fx_rates"))
        self.memory.write({"fx_rates": rate_rows(rates, base=base, source="test", version=version)})

    def rates(self, base: str) -> dict[tuple[date, str], Fraction]:
        """By day and currency; the base is worth 1 wherever any rate is."""
        rows = self.memory.final("fx_rates")
        found = {(row["day"], row["currency"]): Fraction(row["rate"]) for row in rows}
        return found | {(row["day"], base): Fraction(1) for row in rows}

    def expected(self, base: str, asked: dict[str, Any]) -> tuple[dict[str, Any], set[str], set[str]]:
        """Channel -> [conversions, revenue, spend, touchpoints]; currencies converted; currencies left out."""
        groups: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0.0, 0, 0, 0])
        for row in self.memory.final("attributions"):
            if asked["conversion_type"] not in {"", row["conversion_type"]}:
                continue
            for touch_id, at, channel, campaign, (weight,), (micros,) in zip(
                *(row[f"t.{n}"] for n in ("id", "at", "channel", "campaign", "weights", "value_micros")), strict=True
            ):
                converted = row["converted_at"].date()
                day = at.date() if touch_id and asked["basis"] == "touch_day" else converted
                group = groups[day, converted, channel, campaign, row["currency"]]
                for i, part in enumerate((weight, micros, 0, bool(touch_id and weight))):
                    group[i] += part
        for row in self.memory.final("spend"):
            day = row["spend_date"]
            groups[day, day, row["channel"], row["campaign"], row["currency"]][2] += row["cost_micros"]
        rates = self.rates(base)
        sums: dict[str, Any] = {UNATTRIBUTED: [0.0, 0, 0, 0]}
        converted_currencies: set[str] = set()
        left_out: set[str] = set()
        for (day, rate_day, channel, _, own), group in groups.items():
            if not asked["start"] <= day <= asked["end"]:
                continue
            factor: Fraction | None = Fraction(1)
            if own != asked["currency"]:
                pair = [newest(rates, rate_day, c, asked["fx_max_age_days"]) for c in (asked["currency"], own)]
                factor = pair[0] / pair[1] if pair[0] and pair[1] else None
                (left_out if factor is None else converted_currencies).add(own)
            if factor is not None:
                total = sums.setdefault(channel, [0.0, 0, 0, 0])
                exact = (group[0], round(factor * group[1]), round(factor * group[2]), group[3])
                sums[channel] = [a + b for a, b in zip(total, exact, strict=True)]
        return sums, converted_currencies, left_out


def newest(rates: dict[tuple[date, str], Fraction], day: date, currency: str, max_age: int) -> Fraction | None:
    """The newest rate up to a day that is not too old."""
    usable = [(d, rate) for (d, name), rate in rates.items() if name == currency and 0 <= (day - d).days <= max_age]
    return max(usable)[1] if usable else None


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def random_rates(rng: random.Random, base: str) -> list[Rate]:
    """Rates with gaps like weekends; simple ones, so that exact halves occur, and long ones."""
    rates = {}
    for currency in set(CURRENCIES) - {base}:
        for day in range(-3, 13):
            if rng.random() < 0.4:
                text = rng.choice(("2", "0.5", "4", "0.000000000000000007", "161.25", f"1.{rng.randrange(10**18):018}"))
                rates[on(day), currency] = Rate(on(day), currency, Decimal(text))
    return list(rates.values())


def of_the_view(client: Client, asked: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Channel -> revenue, spend, touchpoints, of the view for readers who know SQL."""
    rows = client.query(
        """
        SELECT channel, sum(value_micros), sum(spend_micros), sum(touchpoints)
        FROM channel_performance_in(
            basis = {basis:String}, start = {start:Date}, end = {end:Date}, model = {model:String},
            conversion_type = {conversion_type:String}, currency = {currency:String},
            max_age_days = {fx_max_age_days:UInt16}
        )
        WHERE is_usable GROUP BY channel
        """,
        parameters=asked,
    ).result_rows
    return {channel: (revenue, spend, touchpoints) for channel, revenue, spend, touchpoints in rows}


@pytest.mark.parametrize("seed", range(3))
def test_reports_in_one_currency_are_exact_sums(world: World, seed: int) -> None:
    rng = random.Random(seed)
    base = rng.choice(CURRENCIES)
    roller = Roller(world.client)
    former: dict[str, Page] = {}
    seen: set[int] = set()
    for step in range(3):
        batch = {f"o{rng.randrange(30)}": rng.random() for _ in range(20)}
        found = [credits_of(name, rng, step + 1) for name in batch]
        world.put_credits(
            [
                replace(c, conversion=replace(c.conversion, is_live=False), touches=(), weights=(), micros=())
                if batch[c.conversion.conversion_id] < 0.15
                else c
                for c in found
            ]
        )
        world.put_spend([spend_of(rng, step * 100 + i) for i in range(40)])
        world.put_rates(random_rates(rng, base), base)
        roller.drain()
        for _ in range(4):
            start = rng.randrange(-4, 10)
            asked: dict[str, Any] = {
                "basis": rng.choice(("conversion_day", "touch_day")),
                "start": on(start),
                "end": on(start + rng.randrange(10)),
                "model": "linear",
                "currency": rng.choice(CURRENCIES),
                "conversion_type": rng.choice(("", "", "lead")),
                "fx_max_age_days": rng.choice((0, 1, 3, 7, 31)),
            }
            sums, converted, left_out = world.expected(base, asked)
            assert of_the_view(world.client, asked) == {
                channel: (revenue, spend, touchpoints)
                for channel, (conversions, revenue, spend, touchpoints) in sums.items()
                if channel != UNATTRIBUTED or conversions
            }
            if rng.random() < 0.5:  # often the same question, so that it is renewed
                asked |= {"start": on(0), "end": on(11), "currency": "USD", "conversion_type": "", "fx_max_age_days": 3}
            sums, converted, left_out = world.expected(base, asked)
            page = former[str(asked)] = read_report(world.client, former.get(str(asked)), **asked)
            assert {r.channel: (r.revenue_micros, r.spend_micros, r.touchpoints) for r in page.rows} == {
                channel: (revenue, spend, touchpoints) for channel, (_, revenue, spend, touchpoints) in sums.items()
            }
            assert {r.channel: r.conversions for r in page.rows} == pytest.approx({c: s[0] for c, s in sums.items()})
            assert (set(page.converted_currencies), set(page.other_currencies)) == (converted, left_out)
            seen |= {1 * bool(converted), 2 * bool(left_out), 4 * bool(converted & left_out), 8 * (base in converted)}
    assert seen >= {1, 2, 4}  # the data had each case


@pytest.mark.parametrize("seed", range(2))
def test_spend_is_what_was_stated_last_whatever_is_repeated(world: World, seed: int) -> None:
    """Any order of inserts, duplicates, replays; a statement in another currency replaces as well."""
    rng = random.Random(seed)
    events = [spend_of(rng, offset) for offset in range(150)]
    latest: dict[tuple[int, str, str, str], SpendEvent] = {}
    for event in events:
        latest[event.spend_day, event.channel, event.campaign or "", event.source or ""] = event
    assert len({e.currency for e in latest.values()}) > 1
    assert len(latest) < len(events)
    arrivals = events + rng.sample(events, 60)
    rng.shuffle(arrivals)
    for i in range(0, len(arrivals), 35):
        Writer(world.client).write({"spend": spend_rows(arrivals[i : i + 35])})
    Writer(world.client).write({"spend": spend_rows(events)})

    rows = world.client.query(
        "SELECT spend_date, channel, campaign, source, cost_micros, currency FROM spend FINAL"
    ).result_rows

    assert {tuple(row) for row in rows} == {
        (date(1970, 1, 1) + timedelta(days=day), channel, campaign, source, e.cost_micros, e.currency)
        for (day, channel, campaign, source), e in latest.items()
    }
    assert len(rows) == len(latest)


def report(client: Client, currency: str, **other: Any) -> dict[str, tuple[int, int]]:
    asked = {
        "basis": "conversion_day",
        "start": on(0),
        "end": on(20),
        "model": "linear",
        "currency": currency,
        "conversion_type": "",
        "fx_max_age_days": 7,
        **other,
    }
    rows = read_report(client, **asked).rows
    return {r.channel: (r.revenue_micros, r.spend_micros) for r in rows if r.channel != UNATTRIBUTED}


def test_a_rate_may_be_n_days_old_and_not_a_day_older(world: World) -> None:
    """Beyond, the amount is in no sum: neither 0 beside others, nor at a later day's rate."""
    import_rates(world.client, [Rate(on(d), "USD", Decimal(2)) for d in (0, 15)], base="EUR", source="")
    world.put_spend([SpendEvent("s", DAY_0 + d, f"day {d}", 10, "EUR") for d in (0, 7, 8, 14, 15)])

    assert report(world.client, "USD") == {f"day {d}": (0, 20) for d in (0, 7, 15)}
    assert report(world.client, "USD", fx_max_age_days=0) == {f"day {d}": (0, 20) for d in (0, 15)}
    assert report(world.client, "EUR") == {f"day {d}": (0, 10) for d in (0, 7, 8, 14, 15)}


@pytest.mark.parametrize(
    ("cost", "rate", "expected"),
    [(1, "2", 0), (3, "2", 2), (5, "2", 2), (-1, "2", 0), (-3, "2", -2), (7, "3", 2), (8, "3", 3), (-8, "3", -3)],
)
def test_a_half_is_rounded_to_even_once_per_group(world: World, cost: int, rate: str, expected: int) -> None:
    import_rates(world.client, [Rate(on(0), "USD", Decimal(rate))], base="EUR", source="")
    parts = [cost - 1, 1]  # two sources of one campaign are one group
    world.put_spend(
        [SpendEvent("s", DAY_0, "email", part, "USD", source=f"{i}") for i, part in enumerate(parts)],
    )

    assert report(world.client, "EUR") == {"email": (0, expected)}


def test_sums_beyond_64_bits_are_right(world: World) -> None:
    import_rates(world.client, [Rate(on(0), "IDR", Decimal("999999999999.999999999999999999"))], base="EUR", source="")
    world.put_spend([SpendEvent("s", DAY_0, "email", 2**63 - 1, "EUR"), SpendEvent("s", DAY_0, "tv", -(2**63), "EUR")])
    exact = Fraction("999999999999.999999999999999999")

    assert report(world.client, "IDR") == {"email": (0, round(exact * (2**63 - 1))), "tv": (0, round(-exact * 2**63))}


def test_a_corrected_rate_replaces_and_the_report_follows(world: World) -> None:
    world.put_spend([SpendEvent("s", DAY_0, "email", 100, "EUR")])
    for rate in ("1.5", "1.1", "1.3"):
        import_rates(world.client, [Rate(on(0), "USD", Decimal(rate))], base="EUR", source=f"file {rate}")
        assert report(world.client, "USD") == {"email": (0, int(100 * Decimal(rate)))}

    assert [(r.rate, r.source, r.base) for r in list_rates(world.client)] == [(Decimal("1.3"), "file 1.3", "EUR")]


def test_another_base_is_refused_and_nothing_is_stored(world: World) -> None:
    import_rates(world.client, [Rate(on(0), "USD", Decimal("1.5"))], base="EUR", source="")

    with pytest.raises(BaseMismatch, match="base USD: this database holds rates against EUR"):
        import_rates(world.client, [Rate(on(0), "EUR", Decimal("0.9"))], base="USD", source="")

    assert [(r.currency, r.base) for r in list_rates(world.client)] == [("USD", "EUR")]


def test_two_imports_at_once_are_one_after_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clickhouse.fx._LOCK_WAIT_S", 0.0)
    with table_lock(world.client, LOCK, stale_after_s=60, wait_s=0.0), pytest.raises(LockHeld):
        import_rates(world.client, [Rate(on(0), "USD", Decimal("1.5"))], base="EUR", source="")
    assert list_rates(world.client) == []


def test_missing_rates_are_the_days_that_reports_leave_out(world: World) -> None:
    rng = random.Random(5)
    world.put_credits([credits_of(f"o{i}", rng, 1) for i in range(25)])
    world.put_spend([spend_of(rng, i) for i in range(60)])
    import_rates(world.client, random_rates(rng, "EUR"), base="EUR", source="")
    Roller(world.client).drain()

    missing = missing_rates(world.client, currency="USD", max_age_days=1)

    assert missing
    assert [(m.currency, m.day) for m in missing] == sorted((m.currency, m.day) for m in missing)
    left_out = set()
    for day in range(12):
        one_day = {"start": on(day), "end": on(day)}
        asked: dict[str, Any] = {"basis": "conversion_day", **one_day, "model": "linear", "currency": "USD"}
        page = read_report(world.client, conversion_type="", fx_max_age_days=1, **asked)
        left_out |= {(currency, on(day)) for currency in page.other_currencies}
    assert {(m.currency, m.day) for m in missing} == left_out
    stored = {(r.currency, r.day) for r in list_rates(world.client)}
    for m in missing:
        assert m.has_credits or m.has_spend
        for currency in m.lacking:
            assert not {(currency, m.day), (currency, m.day - timedelta(days=1))} & stored


def test_cohorts_take_the_rate_of_the_conversion_and_the_spend_of_the_touch_day(world: World) -> None:
    """A touch on day 1 for 30 EUR, converted on day 9 at 1.5; on day 1 the rate was 1.1."""
    touch = ((DAY_0 + 1) * DAY_US, "t", "email", "")
    sold = Conversion("o", "purchase", (DAY_0 + 9) * DAY_US, 30, "EUR")
    alone = Conversion("p", "purchase", (DAY_0 + 9) * DAY_US, 8, "EUR")
    nobody = (((DAY_0 + 9) * DAY_US, "", UNATTRIBUTED, ""),)
    world.put_credits(
        [
            ConversionCredits(sold, 1, ("linear",), (touch,), ((1.0,),), ((30,),), ("",)),
            ConversionCredits(alone, 1, ("linear",), nobody, ((1.0,),), ((8,),), ("",)),
        ]
    )
    rates = [Rate(on(1), "USD", Decimal("1.1")), Rate(on(9), "USD", Decimal("1.5"))]
    import_rates(world.client, rates, base="EUR", source="")
    world.put_spend([SpendEvent("s", DAY_0 + d, "email", 10 + d, "EUR") for d in (0, 1, 9)])
    Roller(world.client).drain()

    def by_day(basis: str, day: int) -> dict[str, tuple[int, int]]:
        one_day = {"start": on(day), "end": on(day)}
        asked: dict[str, Any] = {"basis": basis, **one_day, "model": "linear", "currency": "USD"}
        rows = read_report(world.client, conversion_type="", fx_max_age_days=7, **asked).rows
        return {r.channel: (r.revenue_micros, r.spend_micros) for r in rows}

    assert by_day("touch_day", 1) == {"email": (45, 12), UNATTRIBUTED: (0, 0)}
    assert by_day("touch_day", 9) == {UNATTRIBUTED: (12, 0), "email": (0, 28)}
    assert by_day("conversion_day", 1) == {UNATTRIBUTED: (0, 0), "email": (0, 12)}
    assert by_day("conversion_day", 9) == {"email": (45, 28), UNATTRIBUTED: (12, 0)}
    view = "SELECT day, channel, value_micros, spend_micros FROM channel_performance_by_touch_day ORDER BY day, channel"
    assert world.client.query(view).result_rows == [
        (on(0), "email", 0, 10),
        (on(1), "email", 30, 11),
        (on(9), "email", 0, 19),
        (on(9), UNATTRIBUTED, 8, 0),
    ]


@pytest.mark.parametrize("basis", ["conversion_day", "touch_day"])
def test_a_report_reads_one_rollup_and_no_credits(world: World, basis: str) -> None:
    """The plan: sums are read, not the credits behind them; the rollup of the other basis is not opened."""
    world.put_credits([credits_of(f"o{i}", random.Random(i), 1) for i in range(5)])
    Roller(world.client).drain()
    money = {"model": "linear", "currency": "USD", "conversion_type": "", "fx_max_age_days": 7}
    bound: dict[str, Any] = {**money, "run_id": 1, "days": [on(day) for day in range(13)]}
    if basis == "touch_day":
        bound |= {"start": on(0), "end": on(12)}

    query = queries.load("report_credits" if basis == "conversion_day" else "report_credits_touch")
    plan = world.client.query(f"EXPLAIN indexes = 1 {query}", parameters=bound)
    steps = "\n".join(row[0] for row in plan.result_rows).split("ReadFromMergeTree")
    read = {step.split(")")[0].split(".")[-1] for step in steps if "Parts:" in step}

    assert read == {"rollup_day" if basis == "conversion_day" else "rollup_touch_day"}


def test_days_that_were_built_before_cohorts_existed_are_built_again(clickhouse_url: str) -> None:
    settings = ClickHouseSettings(url=clickhouse_url, database="test_before_cohorts")
    migrate(settings, migrations=migrations.load()[:5])
    client = connect(settings)
    try:
        columns = ["run_id", "model", "conversion_id", "converted_at", "rev", "t.id", "t.weight", "t.value_micros"]
        written = [1, "linear", "o", 20_000 * DAY_US, 1, [""], [1.0], [7]]
        client.insert("attributions", [written], column_names=columns)
        client.command("INSERT INTO rollup_day (run_id, day) SELECT 1, toDate(converted_at) FROM attributions")

        migrate(settings)
        Roller(client).drain()

        by_day = client.query("SELECT sum(value_micros) FROM rollup_day").result_rows
        by_touch_day = client.query("SELECT sum(value_micros) FROM rollup_touch_day").result_rows
        assert by_day == by_touch_day == [(7,)]
    finally:
        client.command("DROP DATABASE test_before_cohorts SYNC")
        client.close()
