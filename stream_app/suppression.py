"""Customers who asked to be forgotten, known by keyed digests only.

A digest cannot be turned back into the id without the secret. Next to the journeys of a partition each digest is a key
of its own, in the store and in the changelog, so it moves and is restored with them. The digests that the database
keeps (of former deployments, for replays) are given at the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

#: Begins keys that are no customer ids: those are texts without NUL at the start.
PREFIX: Final = b"\0erased\0"
DIGEST_BYTES: Final = 16


def digest(customer_id: str, secret: bytes) -> bytes:
    """The keyed digest of an id."""
    return hashlib.blake2b(customer_id.encode(), key=secret[:64], digest_size=DIGEST_BYTES).digest()


def salt(digest_: bytes, secret: bytes) -> str:
    """What makes the ids under which anonymized credits stay; cannot be told from the digest without the secret."""
    return hashlib.blake2b(digest_, key=secret[:64], digest_size=DIGEST_BYTES, person=b"anonymize").hexdigest()


def state_key(digest_: bytes) -> bytes:
    """The key under which a partition's state holds a digest."""
    return PREFIX + digest_


def pack(requested_at_us: int, policy: str) -> bytes:
    """What is kept of a request beside the digest."""
    return f"{requested_at_us} {policy}".encode()


def unpack(raw: bytes) -> tuple[int, str]:
    """When a customer asked, and the policy."""
    at_us, _, policy = raw.decode().partition(" ")
    return int(at_us), policy


class Suppression:
    """Answers whether an id is to be forgotten, with as little work as possible while nobody is."""

    def __init__(self, secret: bytes, known: Collection[bytes] = ()) -> None:
        self._secret = secret
        self._known = frozenset(known)

    def digest(self, customer_id: str) -> bytes:
        """The keyed digest of an id."""
        return digest(customer_id, self._secret)

    def is_erased(self, customer_id: str, here: Collection[bytes]) -> bool:
        """Whether the id is among the digests of its partition or those given at the start."""
        if not here and not self._known:
            return False
        found = self.digest(customer_id)
        return found in here or found in self._known
