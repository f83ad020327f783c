"""Tokens: pinned algorithms, audience, issuer, keys; everything else is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.accounts import Accounts
from accounts.errors import AccountsUnavailable
from accounts.roles import Role, Scope
from accounts.settings import AccountsSettings
from accounts.tokens import ISSUER

ELSEWHERE = "https://login.example.org"
ED, RSA = Ed25519PrivateKey.generate(), generate_private_key(65537, 2048)
PEM = {
    key: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in (ED, RSA)
}


def jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = jwt.algorithms.OKPAlgorithm if key is ED else jwt.algorithms.RSAAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    plain = {"iss": ELSEWHERE, "aud": "realtime-attribution", "sub": "ada", "iat": now, "exp": now + 600,
             "role": "viewer", "workspace": "default"}  # fmt: skip
    return {name: value for name, value in (plain | changes).items() if value is not None}


@pytest.fixture
def foreign(world: Any) -> Accounts:
    path = world.settings.dir / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(ED, "ed-1"), jwk(RSA, "rsa-1")]}))
    return Accounts(world.settings.model_copy(update={"jwks_file": path, "token_issuer": ELSEWHERE}))


def held(accounts: Accounts, token: str) -> Any:
    return accounts.of_bearer(token, now=datetime.now(UTC))


def unsigned(header: dict[str, Any], body: dict[str, Any], secret: bytes = b"") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, body)]
    text = b".".join(parts)
    mark = hmac.digest(secret, text, hashlib.sha256) if secret else b""
    return (text + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(ED, "EdDSA", "ed-1"), (RSA, "RS256", "rsa-1")])
def test_a_token_of_the_foreign_issuer_opens(foreign: Accounts, key: Any, algorithm: str, kid: str) -> None:
    found = held(foreign, jwt.encode(claims(), key, algorithm, headers={"kid": kid}))
    assert (found.actor, found.role, found.workspace) == ("token:ada", Role.VIEWER, "default")
    narrowed = held(foreign, jwt.encode(claims(scopes=["reports", "manage"]), key, algorithm, headers={"kid": kid}))
    assert narrowed.scopes == {Scope.REPORTS}
    disguised = held(foreign, jwt.encode(claims(sub="user:root"), key, algorithm, headers={"kid": kid}))
    assert disguised.actor == "token:user:root"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -1},
        {"iat": 600},
        {"nbf": 600},
        {"exp": 90_000},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example.org"},
        {"iss": ISSUER},
        {"sub": ""},
        {"role": "root"},
        {"workspace": "nowhere"},
        {"workspace": ["default"]},
        *({name: None} for name in ("exp", "iat", "sub", "aud", "iss", "role", "workspace")),
    ],
    ids="-".join,
)
def test_wrong_claims_are_refused(foreign: Accounts, changes: dict[str, Any]) -> None:
    """Numbers are seconds from now: parameters are made long before the test."""
    changes = {name: int(time.time()) + x if isinstance(x, int) else x for name, x in changes.items()}
    assert held(foreign, jwt.encode(claims(**changes), ED, "EdDSA", headers={"kid": "ed-1"})) is None


def test_wrong_signatures_are_refused(foreign: Accounts) -> None:
    good = jwt.encode(claims(), ED, "EdDSA", headers={"kid": "ed-1"})
    head, body, mark = good.split(".")
    other = jwt.encode(claims(role="admin"), Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": "ed-1"})
    refused = {
        "none": unsigned({"alg": "none", "kid": "ed-1"}, claims()),
        "None": unsigned({"alg": "None", "kid": "ed-1"}, claims()),
        "hs256 with the public key": unsigned({"alg": "HS256", "kid": "rsa-1"}, claims(), PEM[RSA].encode()),
        "hs256 with the ed public key": unsigned({"alg": "HS256", "kid": "ed-1"}, claims(), PEM[ED].encode()),
        "another algorithm of the same key": jwt.encode(claims(), RSA, "RS512", headers={"kid": "rsa-1"}),
        "tampered body": f"{head}.{other.split('.')[1]}.{mark}",
        "tampered signature": f"{head}.{body}.{mark[:-4]}AAAA",
        "cut off": f"{head}.{body}.",
        "another key": other,
        "unknown kid": jwt.encode(claims(), ED, "EdDSA", headers={"kid": "ed-2"}),
        "kid of another key": jwt.encode(claims(), ED, "EdDSA", headers={"kid": "rsa-1"}),
        "no kid": jwt.encode(claims(), ED, "EdDSA"),
        "kid is a path": jwt.encode(claims(), ED, "EdDSA", headers={"kid": "../pepper"}),
        "kid is no text": unsigned({"alg": "EdDSA", "kid": 1}, claims()),
        "no token": "a.b.c",
        "too long": "a." * 2 + "c" * 10_000,
    }
    assert held(foreign, good) is not None
    assert {name for name, token in refused.items() if held(foreign, token) is not None} == set()


async def test_our_own_token_opens_and_ends_with_its_key(
    world: Any, open_client: Callable[..., httpx.AsyncClient]
) -> None:
    key = world.key(Role.ANALYST, "acme")
    app = world.app()
    async with open_client(app, key) as client:
        token = (await client.post("/api/v1/auth/token")).json()["access_token"]
    async with open_client(app, token) as client:
        me = (await client.get("/api/v1/auth/me")).json()
        assert (me["actor"], me["role"], me["workspace"]) == (f"key:{key.split('.')[0]}", "analyst", "acme")
        world.accounts.keys.revoke(key.split(".")[0], now=world.now())
        app.state.security.recognised.forget()
        assert (await client.get("/api/v1/auth/me")).status_code == 401


async def test_refused_tokens_are_401_on_every_kind_of_route(
    world: Any, open_client: Callable[..., httpx.AsyncClient]
) -> None:
    """Expired, none, tampered, of another audience, issuer or kid, of a revoked key: through the gate, not past it."""
    key, now = world.key(Role.ADMIN), datetime.now(UTC)
    tokens = world.accounts.tokens
    good, _ = tokens.issue(world.accounts.of_bearer(key, now=now), now=now)
    head, body, mark = good.split(".")
    plain = jwt.decode(good, options={"verify_signature": False})
    revoked = world.key(Role.ADMIN)
    of_revoked, _ = tokens.issue(world.accounts.of_bearer(revoked, now=now), now=now)
    world.accounts.keys.revoke(revoked.partition(".")[0], now=now)
    refused = {
        "expired": tokens.issue(world.accounts.of_bearer(key, now=now), now=now - timedelta(days=1))[0],
        "none": unsigned({"alg": "none", "kid": jwt.get_unverified_header(good)["kid"]}, plain),
        "tampered": f"{head}.{body}.{mark[:-4]}AAAA",
        "audience": jwt.encode(plain | {"aud": "else"}, ED, "EdDSA", headers={"kid": "ed-1"}),
        "kid": jwt.encode(plain, ED, "EdDSA", headers={"kid": "nobody"}),
        "revoked": of_revoked,
    }
    app = world.app()
    async with open_client(app) as client:
        for path in ("/api/v1/attribution/models", "/api/v1/auth/keys"):
            assert (await client.get(path, headers={"Authorization": f"Bearer {good}"})).status_code == 200
            for name, token in refused.items():
                answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 401, (name, path)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_keys_rotate_without_a_restart_and_retired_ones_are_refused(world: Any) -> None:
    accounts, now = world.accounts, datetime.now(UTC)
    caller = accounts.of_bearer(world.key(), now=now)
    first, _ = accounts.tokens.issue(caller, now=now)
    elsewhere = Accounts(world.settings)
    assert held(elsewhere, first) is not None
    accounts.tokens.rotate(now=datetime(2100, 1, 1, tzinfo=UTC))
    second, _ = accounts.tokens.issue(caller, now=now)
    assert jwt.get_unverified_header(first)["kid"] != jwt.get_unverified_header(second)["kid"]
    assert (held(elsewhere, first), held(elsewhere, second)) == (held(accounts, first), held(accounts, second))
    assert held(elsewhere, first) is not None
    assert len(accounts.tokens.retire(now=now)) == 1
    assert held(elsewhere, first) is None
    assert held(elsewhere, second) is not None
    elsewhere.close()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}', '{"keys": [{"kty": "OKP"}]}'],
)
def test_a_key_file_that_cannot_be_used_is_no_open_door(world: Any, content: str) -> None:
    path = world.settings.dir / "jwks.json"
    path.write_text(content)
    accounts = Accounts(world.settings.model_copy(update={"jwks_file": path, "token_issuer": ELSEWHERE}))
    with pytest.raises(AccountsUnavailable, match="JWKS_FILE"):
        held(accounts, jwt.encode(claims(), ED, "EdDSA", headers={"kid": "ed-1"}))


def test_a_short_or_private_key_is_not_taken(world: Any) -> None:
    path = world.settings.dir / "jwks.json"
    weak = generate_private_key(65537, 1024)  # noqa: S505 - the point: it must be refused
    listed = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key())), "kid": "weak"}
    private = {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(ED)), "kid": "private"}
    for item in (listed, private):
        path.write_text(json.dumps({"keys": [item]}))
        accounts = Accounts(AccountsSettings(dir=world.settings.dir, jwks_file=path, token_issuer=ELSEWHERE))
        with pytest.raises(AccountsUnavailable, match="JWKS_FILE"):
            held(accounts, jwt.encode(claims(), ED, "EdDSA", headers={"kid": "private"}))
