"""The administrator's key of this machine: made at the first start of the API, kept in a file of mode 0600."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.accounts import Accounts


def open_with_local_key() -> Accounts:
    """The accounts of the environment. When there is no key at all, one is made; its text is shown to a terminal only.

    Raises:
        AccountError: they cannot be used.
    """
    from datetime import UTC, datetime

    from accounts.accounts import Accounts
    from accounts.settings import AccountsSettings
    from telemetry.logs import announce, is_json

    accounts = Accounts(AccountsSettings())
    path, is_new = accounts.ensure_local_key(now=datetime.now(UTC))
    if is_new:
        is_shown = sys.stderr.isatty() and not is_json()
        shown = f", shown once: {path.read_text(encoding='utf-8')}" if is_shown else ""
        announce(f"made a key for this machine's administrator in {path}{shown}")
    return accounts


def local_key(folder: Path) -> str:
    """The key in a folder of accounts; empty when there is none."""
    path = folder / "local.key"
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def key_header(environment: Mapping[str, str]) -> dict[str, str]:
    """The header for calls to the API of a stack whose settings these are."""
    key = os.environ.get("ATTRIBUTION_API_KEY") or local_key(Path(environment.get("ATTRIBUTION_ACCOUNTS_DIR", "")))
    return {"X-API-Key": key} if key else {}


def of_data_dir(data_dir: Path) -> str:
    """The option that names this folder, where it is not the usual one."""
    return "" if data_dir == Path("data") else f" --data-dir {shlex.quote(str(data_dir))}"
