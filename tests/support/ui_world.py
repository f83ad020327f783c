"""Pages of the UI without a browser: Streamlit's own test runner over an API in this process.

``memory_world()`` is a store with a seeded population and the credits of the batch reference; ``Visit`` runs the UI's
script as a visitor of it. The client is the real one, only its transport leads into the application.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from api.app import create_app
from api.front import Api
from api.settings import ApiSettings
from api.store import Meta
from api.testing import MemoryOffsets, MemoryStore
from api.testing_runs import LIVE
from app_transport import AppTransport
from attribution.batch import attribute_all
from attribution.config import DAY_US, AttributionConfig
from attribution.conversions import own_key
from attribution_client import Cache, Client, Retries
from loadgen.config import PopulationConfig
from loadgen.population import Population
from loadgen.spend import SpendLedger
from schemas.events import ConversionWireEvent, TouchpointEvent
from stream_app.grouping import to_conversion_event, to_touch
from ui import session
from ui.pages import PAGES

MAIN = Path(session.__file__).with_name("entry") / "main.py"
MODELS = ("first_touch", "last_touch", "linear", "time_decay", "u_shaped")
DAYS = 20
_SETTINGS = ApiSettings(insecure_dev=True, allowed_hosts=("test",))


def now() -> datetime:
    """This second: the pages ask for periods that end today."""
    return datetime.now(UTC).replace(microsecond=0)


def memory_world(events: int = 1_500, seed: int = 11) -> MemoryStore:
    """The last ``DAYS`` days of a few hundred customers, with spend; every credit is the batch reference's."""
    began = now() - timedelta(days=DAYS)
    shares = PopulationConfig(
        customers=300, events_per_day=events / DAYS, malformed=0, duplicates=0, currencies=(("USD", 1.0),)
    )
    population = Population(shares, seed=seed, start_at_us=int(began.timestamp()) * 1_000_000)
    found = [record.event for record in population.records(events)]
    config = AttributionConfig(models=MODELS)
    store = MemoryStore(
        facts=Meta(1, now() - timedelta(seconds=3), now() - timedelta(seconds=8), "test"), config=config
    )
    touches = [e for e in found if isinstance(e, TouchpointEvent)]
    sold = [e for e in found if isinstance(e, ConversionWireEvent)]
    store.add_touchpoints(touches)
    store.add_conversions(sold)
    ledger = SpendLedger("t")
    for e in touches:
        if e.cost_micros and e.channel:
            ledger.add(e.occurred_at_us // DAY_US, e.channel, e.campaign or "", e.cost_micros)
    store.add_spend(ledger.report())
    store.run_list.entries = [replace(LIVE, models=MODELS)]
    owners = {own_key(to_conversion_event(e)): e.customer_id for e in sold if not e.adjusts}
    credited = attribute_all(
        [(e.customer_id, to_touch(e)) for e in touches],
        [(e.customer_id, to_conversion_event(e)) for e in sold],
        config,
    )
    for conversion_id, of in credited.items():
        store.add_credits(owners[conversion_id], of)
    return store


class Visit:
    """A visitor of the UI.

    Args:
        transport: into the API.
        key: an API key; empty where the API asks nobody.
    """

    def __init__(self, transport: AppTransport, key: str = "") -> None:
        self._transport = transport
        self._credential = session.Credential(key=key)

    def client(self, url: str, found: session.Credential, visitor: str = "") -> Client:
        """In place of ``ui.session.new_client``."""
        assert url
        return Client(
            "http://test",
            found.key,
            session=found.session,
            transport=self._transport,
            retries=Retries(1),
            cache=Cache(),
            visitor=visitor,
        )

    def as_key(self, key: str) -> Visit:
        """Another visitor of the same server, with this key."""
        return Visit(self._transport, key)

    def open(self, path: str, **query: str | list[str]) -> AppTest:
        """A page by its path, with parameters of the address; what went wrong inside it fails the test."""
        assert path in {page.path for page in PAGES}, f"no page {path}"
        visit = AppTest.from_file(MAIN, default_timeout=30)
        visit.session_state["credential"] = self._credential
        visit._page_hash = "" if path == PAGES[0].path else calc_hash(path)
        for name, value in query.items():
            visit.query_params[name] = value
        return ran(visit)


def ran(visit: AppTest) -> AppTest:
    """One more run."""
    visit.run()
    assert not visit.exception, [e.value for e in visit.exception]
    return visit


@contextmanager
def visiting(store: MemoryStore, *, key: str = "", **more: Any) -> Iterator[Visit]:
    """A visitor of an API over this store, with a key if it asks for one; ``more``: arguments of ``create_app``."""
    app = create_app(**{"settings": _SETTINGS, "store": store, "offsets": MemoryOffsets(), "now": now, **more})
    with visiting_app(app, key=key) as visit:
        yield visit


@contextmanager
def visiting_app(app: Api, *, key: str = "") -> Iterator[Visit]:
    """A visitor of this API, with a key if it asks for one."""
    transport = AppTransport(app)
    visit = Visit(transport, key)
    former, session.new_client = session.new_client, visit.client
    st.cache_data.clear()
    st.cache_resource.clear()
    try:
        yield visit
    finally:
        session.new_client = former
        st.cache_resource.clear()
        transport.stop()


def texts(visit: AppTest) -> str:
    """All that a visitor reads on the page, without charts and tables."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "metric",
        "error",
        "warning",
        "info",
        "success",
        "code",
        "badge",
    )
    parts = []
    for kind in kinds:
        for element in visit.get(kind):
            parts += [str(getattr(element, name, "") or "") for name in ("label", "value", "delta")]
    return "\n".join(parts)
