from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.testing import MemoryStore
from ui_world import Visit, memory_world, texts, visiting


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    return memory_world()


@pytest.fixture(scope="module")
def visit(store: MemoryStore) -> Iterator[Visit]:
    with visiting(store) as found:
        yield found


def test_it_runs(visit: Visit, store: MemoryStore) -> None:
    page = visit.open("Overview", model="Last touch", period="Last 7 days")
    print([(s.key, s.value) for s in page.selectbox], page.query_params)
    for name in "Channels", "Models", "Journeys", "Explain":
        page = visit.open(name)
        print("=====", name, texts(page))
    customer = max(store.stored, key=lambda c: len(store.events[c]))
    page = visit.open("Journeys", customer_id=customer)
    print("=====", texts(page))
    page = visit.open("Explain", conversion_id=store.stored[customer][0].conversion_id)
    print("=====", texts(page))
    assert 0
