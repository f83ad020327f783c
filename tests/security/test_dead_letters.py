"""Dead letters hold personal data: who may see what of them, and who may send them again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from accounts.roles import Role, Scope
from api.app import create_app
from api.letter_store import LetterRow, Place, WholeLetter
from api.settings import ApiSettings
from api.testing import MemoryOffsets
from api.testing_letters import MemoryLetters

LETTERS = "/api/v1/data/dead-letters"
RETRIES = "/api/v1/data/dead-letter-retries"
AT = datetime(2026, 11, 20, tzinfo=UTC)


def letters_of(workspace: str) -> MemoryLetters:
    row = LetterRow(
        *(Place(0, 1), f"{workspace}.conversions", 0, 3, "bad_amount", "value", "'secret' is no amount", "decode"),
        *(AT, 1, "", False),
    )
    return MemoryLetters({Place(0, 1): WholeLetter(row, b"c-secret", b"secret", (), 0)})


async def test_values_are_for_those_who_may_see_customers(
    world: Any, open_client: Callable[..., httpx.AsyncClient]
) -> None:
    app = create_app(
        ApiSettings(),
        store=world.stores["default"],
        offsets=MemoryOffsets(),
        now=world.now,
        accounts=world.accounts,
        others=lambda name: (world.stores[name], MemoryOffsets()),
        letters=letters_of,
    )
    world.apps.append(app)
    sums = world.key(Role.VIEWER, scopes=frozenset({Scope.REPORTS}))
    for key, detail, status, text in (
        (sums, None, 403, "customers"),
        (world.key(Role.VIEWER), "'secret' is no amount", 200, "c-secret"),
    ):
        async with open_client(app, key) as client:
            (found,) = (await client.get(LETTERS)).json()["letters"]
            one = await client.get(f"{LETTERS}/0@1")
            assert (found["detail"], one.status_code) == (detail, status)
            assert text in one.text
            assert (await client.post(RETRIES, json={"letters": ["0@1"]})).status_code == 403
    async with open_client(app, world.key(Role.ADMIN, "acme")) as other:
        (theirs,) = (await other.get(LETTERS)).json()["letters"]
        assert theirs["topic"] == "acme.conversions"
        assert (await other.post(RETRIES, json={"letters": ["0@1"]})).json()["total"] == 1
