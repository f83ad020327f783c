"""The queries that pages of the UI give to copy run on the engine, and give what the API shows."""

from __future__ import annotations

from datetime import date

import pytest

from api.clickhouse_store import ClickHouseStore
from api.store import Basis
from clickhouse.client import connect
from clickhouse.settings import ClickHouseSettings
from tests.contract.test_api_store import MODELS, START, build_facts, load_clickhouse
from ui.parts.computed import sql

pytestmark = pytest.mark.clickhouse

END = date(2026, 3, 31)


@pytest.fixture
def engine(clickhouse_url: str, clickhouse_database: str) -> ClickHouseSettings:
    settings = ClickHouseSettings(url=clickhouse_url, database=clickhouse_database)
    load_clickhouse(build_facts(), settings)
    return settings


def test_they_give_what_the_store_gives(engine: ClickHouseSettings) -> None:
    client = connect(engine)
    store = ClickHouseStore(engine)
    bases: tuple[Basis, ...] = ("conversion_day", "touch_day")
    for basis in bases:
        asked = {
            "start": START,
            "end": END,
            "model": "linear",
            "currency": "USD",
            "conversion_type": "",
            "basis": basis,
        }
        rows = client.query(sql("channels"), parameters=asked | {"max_age_days": 7}).result_rows
        wanted = store.channel_performance(START, END, "linear", "USD", basis=basis).rows
        assert {r[0]: (round(r[2] * 1e6), round(r[3] * 1e6)) for r in rows} == {
            row.channel: (row.revenue_micros, row.spend_micros)
            for row in wanted
            if row.revenue_micros or row.spend_micros
        }
    asked = {"start": START, "end": END, "models": list(MODELS), "currency": "USD"}
    shares: dict[str, float] = {}
    for _, model, _, share in client.query(sql("models"), parameters=asked).result_rows:
        shares[model] = shares.get(model, 0) + share
    assert shares == dict.fromkeys(MODELS, pytest.approx(1))
    credits_ = store.results("c-1", "linear", None, 100)
    rows = client.query(sql("journey"), parameters={"customer_id": "c-1", "model": "linear"}).result_rows
    assert sum(round(r[-1] * 1e6) for r in rows) == sum(c.value_micros for r in credits_ for c in r.credits)
    wanted_id = credits_[0].conversion_id
    rows = client.query(sql("explain"), parameters={"conversion_id": wanted_id}).result_rows
    assert {r[0] for r in rows} == set(MODELS)
    assert sum(round(r[-1] * 1e6) for r in rows) == credits_[0].value_micros * len(MODELS)
