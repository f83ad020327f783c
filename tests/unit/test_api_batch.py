"""``calculate/batch`` answers what ``calculate`` answers for each journey, whatever the others are."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import batch
from api.batch import MAX_JOURNEYS
from api.settings import ApiSettings
from attribution.models.registry import model_ids
from tests.unit.test_api_calculate import URL, bodies, body, new_client

BATCH = f"{URL}/batch"
NDJSON = {"Content-Type": "application/x-ndjson"}
#: Bodies that `calculate` refuses, what cannot be an object included.
WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [
        body(models=["lst_touch"]),
        body(customer_id=""),
        body(conversion={"timestamp": "x", "value": "y"}),
        body(milestones={"lead_created": "2027-01-01"}),
        body(models=["custom"], custom_weights=[0, 0, 0]),
        {},
        [],
        7,
        None,
        "text",
    ]
)


async def send(content: bytes, **headers: str) -> httpx.Response:
    async with new_client() as client:
        return await client.post(BATCH, content=content, headers={"Content-Type": "application/json", **headers})


@settings(max_examples=40)
@given(journeys=st.lists(st.one_of(bodies(), WRONG), min_size=1, max_size=6), form=st.sampled_from(["json", "lines"]))
async def test_every_item_is_answered_as_calculate_answers_it(journeys: list[Any], form: str) -> None:
    lines = [json.dumps(j).encode() for j in journeys]
    async with new_client() as client:
        if form == "json":
            got = await client.post(BATCH, json=journeys)
        else:
            got = await client.post(BATCH, content=b"\n\n".join(lines), headers=NDJSON)
        kind = {"Content-Type": "application/json"}
        single = [await client.post(URL, content=line, headers=kind) for line in lines]
    right = [i for i, s in enumerate(single) if s.status_code == 200]
    answer = got.json()
    if not right:
        assert got.status_code == 422
        assert {e["field"].split(".")[1] for e in answer["errors"]} == {str(i) for i in range(len(journeys))}
        return
    assert got.status_code == (200 if len(right) == len(journeys) else 207)
    assert answer["sent"] == len(journeys)
    assert answer["calculated"] == len(right)
    assert answer["failed"] == len(journeys) - len(right)
    assert answer["calculations"] == [{"index": i, **single[i].json()} for i in right]
    step = 1 if form == "json" else 2
    for i, alone in enumerate(single):
        errors = [e for e in answer["errors"] if e["index"] == i]
        assert {e["line"] for e in errors} <= {i * step + 1}
        if i in right:
            assert errors == []
        elif isinstance(journeys[i], dict):
            expected = [(e["field"], e["reason"]) for e in alone.json()["errors"]]
            assert [(e["field"], e["reason"]) for e in errors] == expected
        else:
            assert len(errors) == 1


async def test_every_model_in_one_call() -> None:
    answer = (await send(json.dumps({"journeys": [body(models=model_ids())]}).encode())).json()
    assert [r["model"] for r in answer["calculations"][0]["results"]] == list(model_ids())


async def test_gzip_is_unpacked_to_a_limit() -> None:
    packed = gzip.compress(json.dumps([body()]).encode())
    assert (await send(packed, **{"Content-Encoding": "gzip"})).status_code == 200
    bomb = gzip.compress(b" " * (ApiSettings().max_unpacked_bytes + 1))
    assert (await send(bomb, **{"Content-Encoding": "gzip"})).status_code == 413


async def test_a_line_that_is_no_json_concerns_itself_alone() -> None:
    content = b"\xff{\n" + json.dumps(body()).encode() + b"\n{" + b"[" * 100_000
    answer = await send(content, **NDJSON)
    assert answer.status_code == 207
    assert [(e["index"], e["line"]) for e in answer.json()["errors"]] == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"[", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"journeys": 3}', "application/json", 422),
        (b"7", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"[1\xff]", "application/json", 400),
        (b"", "application/x-ndjson", 422),
        (b"a,b\n", "text/csv", 415),
        (b"[]", "", 415),
    ],
)
async def test_a_body_that_holds_no_journeys_is_a_problem(content: bytes, kind: str, status: int) -> None:
    answer = await send(content, **{"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_journeys_and_touchpoints_of_a_call_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps(body()).encode()
    assert (await send(b"\n".join([line] * (MAX_JOURNEYS + 1)), **NDJSON)).status_code == 413
    monkeypatch.setattr(batch, "MAX_TOUCHPOINTS", 6)  # three in each
    assert (await send(b"\n".join([line] * 2), **NDJSON)).status_code == 200
    refused = await send(b"\n".join([line] * 3), **NDJSON)
    assert refused.status_code == 413
    assert "several requests" in refused.json()["detail"]
