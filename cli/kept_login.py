"""What ``attribution login`` keeps: the address and one secret, in a file of mode 0600 below the user's configuration.

The secret belongs to the address that it was given for, and is sent to no other.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


class LoginFileError(Exception):
    """The file cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """An address and an API key, or the text of a session."""

    url: str
    key: str = field(default="", repr=False)
    session: str = field(default="", repr=False)


def place() -> Path:
    """``$XDG_CONFIG_HOME/attribution/login.json``, by default below ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "attribution" / "login.json"


def read() -> Login | None:
    """What is kept; None: nothing.

    Raises:
        LoginFileError: others may read it, or it holds something else.
    """
    path = place()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LoginFileError(f"{path} cannot be read ({error.strerror}); run: attribution login") from None
    if mode & 0o077:
        raise LoginFileError(f"others may read {path}, which holds a secret; run: chmod 600 {path}")
    try:
        found = json.loads(text)
        return Login(str(found["url"]), str(found.get("key", "")), str(found.get("session", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LoginFileError(f"{path} holds no login; run: attribution login") from None


def write(login: Login) -> Path:
    """Keep it, whole or not at all.

    Raises:
        LoginFileError: it cannot be written.
    """
    path = place()
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"url": login.url, "key": login.key, "session": login.session}, file)
        new.replace(path)
    except OSError as error:
        raise LoginFileError(f"{path} cannot be written ({error.strerror}); set XDG_CONFIG_HOME") from None
    return path


def forget() -> bool:
    """Remove it; whether there was one."""
    try:
        place().unlink()
    except FileNotFoundError:
        return False
    return True
