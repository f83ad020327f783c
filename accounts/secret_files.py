"""Files that only their owner reads (0600), and the keyed digests under which secrets are kept.

A secret of 256 random bits needs no slow hash: HMAC-SHA256 under the pepper. Each purpose has digests of its own, so a
digest of one table says nothing in another.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Literal, TypeAlias

from accounts.errors import AccountsUnavailable
from accounts.settings import AccountsSettings

Purpose: TypeAlias = Literal["key", "session", "audit", "parameters"]


class Digests:
    """HMAC-SHA256 under one pepper."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def of(self, purpose: Purpose, text: str | bytes) -> bytes:
        """32 bytes."""
        plain = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return hmac.digest(self._pepper, purpose.encode() + b"\0" + plain, "sha256")


def new_secret() -> str:
    """256 random bits, as URL-safe text."""
    return secrets.token_urlsafe(32)


def load_digests(settings: AccountsSettings) -> Digests:
    """With the pepper of the settings, or of the file that the first start makes."""
    given = settings.pepper.get_secret_value()
    return Digests(given.encode() if given else once(settings.dir / "pepper", new_secret()).encode())


def once(path: Path, text: str) -> str:
    """Make the file unless it is there; returns what it holds. Of several at once, one wins and all read the same.

    Raises:
        AccountsUnavailable: the folder cannot be written, or others may read the file.
    """
    try:
        _folder(path.parent)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            write(draft, text)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return read(path)
    except OSError as error:
        raise AccountsUnavailable(
            f"{path} cannot be made or read ({error.strerror}); set ATTRIBUTION_ACCOUNTS_DIR"
        ) from error


def write(path: Path, text: str) -> None:
    """A new file of mode 0600; an old one is replaced."""
    _folder(path.parent)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def read(path: Path) -> str:
    """What a private file holds.

    Raises:
        AccountsUnavailable: others may read it.
    """
    if path.stat().st_mode & 0o077:
        raise AccountsUnavailable(f"{path} can be read by others; run: chmod 600 {path}")
    return path.read_text(encoding="utf-8").strip()


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
