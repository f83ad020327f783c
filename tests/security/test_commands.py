"""``attribution key | user | audit``: on the accounts themselves, with ``--json`` and exit codes."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from accounts.accounts import Accounts
from accounts.audit import Entry
from accounts.settings import AccountsSettings
from cli.__main__ import build_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTRIBUTION_ACCOUNTS_DIR", str(tmp_path / "accounts"))
    monkeypatch.delenv("ATTRIBUTION_WORKSPACE", raising=False)
    monkeypatch.delenv("ATTRIBUTION_API_KEY", raising=False)
    return tmp_path / "accounts"


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(build_app(), words, input=typed)


def accounts_of(folder: Path) -> Accounts:
    return Accounts(AccountsSettings(dir=folder))


def test_a_key_is_made_listed_and_revoked(folder: Path) -> None:
    made = json.loads(run("key", "create", "--role", "ingestor", "--label", "shop", "--days", "1", "--json").stdout)
    accounts = accounts_of(folder)
    assert accounts.keys.verify(made["key"], now=datetime.now(UTC)) is not None
    listed = run("key", "list")
    assert made["id"] in listed.stdout
    assert made["key"].split(".")[1] not in listed.stdout + run("key", "list", "--json").stdout
    assert json.loads(run("key", "revoke", made["key"], "--json").stdout) == {"revoked": made["id"]}
    assert accounts.keys.verify(made["key"], now=datetime.now(UTC)) is None
    assert "revoked" in run("key", "list").stdout
    accounts.close()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("key", "create", "--role", "root"), 2, "viewer, analyst, ingestor, admin"),
        (("key", "create", "--scopes", "all"), 2, "reports"),
        (("key", "create", "--role", "viewer", "--scopes", "manage"), 2, "choose from"),
        (("key", "create", "--workspace", "acme"), 2, "attribution workspace create acme"),
        (("key", "revoke", "0000"), 1, "attribution key list"),
        (("key", "show-local"), 1, "attribution up"),
        (("user", "disable", "nobody"), 1, "attribution user list"),
        (("user", "set-password", "nobody"), 1, "nobody"),
        (("workspace", "create", "A-B"), 2, "small letter"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_word_ends_with_a_way_out(words: tuple[str, ...], code: int, says: str) -> None:
    done = run(*words, typed="a long enough password\n")
    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""


def test_a_user_is_made_and_disabled_and_the_password_is_not_shown(folder: Path) -> None:
    done = run("user", "create", "ada", "--role", "analyst", typed="a long enough password\n")
    assert done.exit_code == 0, done.stderr
    assert "long enough" not in done.output
    accounts = accounts_of(folder)
    assert accounts.users.verify("ada", "a long enough password") is not None
    accounts.sessions.open("user:ada", now=datetime.now(UTC))
    assert json.loads(run("user", "set-password", "ada", "--json", typed="another long password\n").stdout) == {
        "name": "ada",
        "sessions_ended": 1,
    }
    assert accounts.users.verify("ada", "a long enough password") is None
    assert run("user", "disable", "ada").exit_code == 0
    assert accounts.users.verify("ada", "another long password") is None
    assert run("user", "create", "bob", typed="short\n").exit_code == 2
    accounts.close()


def test_a_broken_or_shortened_chain_ends_with_1(folder: Path) -> None:
    accounts = accounts_of(folder)
    entry = Entry(datetime.now(UTC), "key:1", "default", "GET", "/x", "", 200, 1, "")
    accounts.audit.append([entry] * 3)
    whole = run("audit", "verify", "--json")
    assert whole.exit_code == 0
    assert json.loads(whole.stdout)["entries"] == 3
    assert run("audit", "verify", "--expect-entries", "4").exit_code == 1
    assert len(json.loads(run("audit", "tail", "--json").stdout)) == 3
    raw = sqlite3.connect(folder / "accounts.db")
    raw.execute("DROP TRIGGER audit_no_update")
    raw.execute("UPDATE audit SET route = '/y' WHERE seq = 2")
    raw.commit()
    raw.close()
    broken = run("audit", "verify", "--json")
    assert (broken.exit_code, json.loads(broken.stdout)["broken_at"]) == (1, 2)
    assert "entry 2" in broken.stderr
    accounts.close()


def test_the_local_key_is_made_once_and_found_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.local_key import open_with_local_key  # noqa: PLC0415 - only here

    open_with_local_key().close()
    shown = run("key", "show-local").stdout.strip()
    assert (folder / "local.key").stat().st_mode & 0o777 == 0o600
    accounts = open_with_local_key()
    found = accounts.keys.verify(shown, now=datetime.now(UTC))
    assert found is not None
    assert found.role == "admin"
    assert len(accounts.keys.all()) == 1
    accounts.close()
    monkeypatch.setenv("ATTRIBUTION_API_KEY", "a.b")
    assert run("key", "show-local").stdout == "a.b\n"


def test_signing_keys_rotate(folder: Path) -> None:
    first = json.loads(run("key", "rotate-signing", "--json").stdout)["kid"]
    second = json.loads(run("key", "rotate-signing", "--retire", "--json").stdout)
    assert [p.stem for p in (folder / "token-keys").iterdir()] in ([second["kid"]], [first])
    assert len(second["retired"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("ATTRIBUTION_ACCOUNTS_PEPPER", "short", 2), ("ATTRIBUTION_ACCOUNTS_URL", "nonsense://x", 1)],
)
@pytest.mark.usefixtures("folder")
def test_a_wrong_setting_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: int
) -> None:
    monkeypatch.setenv(name, value)
    done = run("key", "list")
    assert done.exit_code == code
    assert name in done.stderr
    assert value not in done.stderr
