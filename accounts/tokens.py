"""JSON Web Tokens: our own, signed with Ed25519, and those of one foreign issuer whose public keys are in a file.

The key that a token names (``kid``) must be one of ours or of the file, and that key fixes the algorithm and the
issuer; nothing that the token says of itself decides how it is checked. ``exp``, ``iat``, ``sub``, ``aud``, ``iss``,
``role`` and ``workspace`` are required; a token that lives longer than a day is refused.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from accounts import secret_files
from accounts.errors import AccountsUnavailable
from accounts.principal import Principal
from accounts.roles import SCOPES, Role, Scope
from accounts.settings import AccountsSettings

ISSUER: Final = "realtime-attribution"
LIFE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(days=1)
MAX_LENGTH: Final = 8_000
_RSA_BITS: Final = 2_048
_REQUIRED: Final = ("exp", "iat", "sub", "aud", "iss")


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: Ed25519PublicKey | RSAPublicKey
    algorithm: str
    issuer: str


class Tokens:
    """Issues and checks tokens. Key files are read again when they change, so a rotation needs no restart."""

    def __init__(self, settings: AccountsSettings) -> None:
        self._settings = settings
        self._folder = settings.dir / "token-keys"
        self._seen: object = None
        self._known: dict[str, _PublicKey] = {}

    def issue(self, principal: Principal, *, now: datetime) -> tuple[str, datetime]:
        """A token of 15 minutes for somebody who has signed in, and its end; never longer than their credential."""
        kid, key = self._signing_key()
        end = min(now + LIFE, principal.expires_at or now + LIFE)
        claims = {
            "iss": ISSUER,
            "aud": self._settings.token_audience,
            "sub": principal.actor,
            "iat": int(now.timestamp()),
            "exp": int(end.timestamp()),
            "role": principal.role.value,
            "scopes": sorted(principal.scopes),
            "workspace": principal.workspace,
        }
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid}), end

    def verify(self, token: str) -> Principal | None:
        """Who a token stands for; None when it is not to be believed."""
        if len(token) > MAX_LENGTH:
            return None
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            known = self._keys().get(kid) if isinstance(kid, str) else None
            if known is None:
                return None
            claims = jwt.decode(
                token,
                known.key,
                algorithms=[known.algorithm],
                audience=self._settings.token_audience,
                issuer=known.issuer,
                options={"require": list(_REQUIRED)},
            )
            return _principal(claims, is_ours=known.issuer == ISSUER)
        except AccountsUnavailable:
            raise  # our files are at fault, not the token
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError):
            return None

    def rotate(self, *, now: datetime) -> str:
        """A new signing key; returns its ``kid``. Tokens of older keys stay good until their files are removed."""
        kid = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        secret_files.write(self._folder / f"{kid}.pem", pem.decode())
        return kid

    def retire(self, *, now: datetime) -> list[str]:
        """Remove all signing keys but the newest; returns their ``kid``. Their tokens are refused from then on."""
        if not self._files():
            self.rotate(now=now)
        old = self._files()[:-1]
        for path in old:
            path.unlink()
        return [path.stem for path in old]

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.pem"))

    def _signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        if not self._files():
            self.rotate(now=datetime.now(UTC))
        path = self._files()[-1]
        return path.stem, _private(path)

    def _keys(self) -> dict[str, _PublicKey]:
        jwks = self._settings.jwks_file
        paths = [*self._files(), *([jwks] if jwks is not None else [])]
        state = [(path, path.stat().st_mtime_ns if path.exists() else 0) for path in paths]
        if state != self._seen:
            known = {} if jwks is None else _foreign(jwks, self._settings.token_issuer)
            known |= {p.stem: _PublicKey(_private(p).public_key(), "EdDSA", ISSUER) for p in self._files()}
            self._known, self._seen = known, state
        return self._known


def _private(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(secret_files.read(path).encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise AccountsUnavailable(f"{path} is no Ed25519 key; remove it")
    return key


def _foreign(path: Path, issuer: str) -> dict[str, _PublicKey]:
    if not issuer or issuer == ISSUER:
        raise AccountsUnavailable(f"ATTRIBUTION_ACCOUNTS_TOKEN_ISSUER={issuer!r}: name the issuer of {path}")
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return {str(item["kid"]): _foreign_key(item, issuer) for item in listed}
    except (OSError, KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
        raise AccountsUnavailable(
            f"ATTRIBUTION_ACCOUNTS_JWKS_FILE={path}: is no JWK set of Ed25519 or RSA keys with a kid ({error})"
        ) from None


def _foreign_key(item: dict[str, Any], issuer: str) -> _PublicKey:
    algorithm = "EdDSA" if item.get("kty") == "OKP" else "RS256"
    key = jwt.PyJWK(item, algorithm=algorithm).key
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, RSAPublicKey) and key.key_size >= _RSA_BITS):
        return _PublicKey(key, algorithm, issuer)
    raise ValueError(f"key {item.get('kid')} is private, too short or of another kind")


def _principal(claims: dict[str, Any], *, is_ours: bool) -> Principal | None:
    if claims["exp"] - claims["iat"] > LONGEST.total_seconds() or not claims["sub"]:
        return None
    role = Role(claims["role"])
    scopes = SCOPES[role]
    if "scopes" in claims:
        scopes &= frozenset(Scope(name) for name in claims["scopes"])
    actor = claims["sub"] if is_ours else f"token:{claims['sub'][:100]}"
    workspace = claims["workspace"]
    if not isinstance(workspace, str):
        return None
    return Principal(actor, role, scopes, workspace, datetime.fromtimestamp(claims["exp"], UTC))
