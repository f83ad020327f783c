"""``NAME_FILE`` in the place of ``NAME``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.secret_files import SECRETS, SecretFileError, take_secrets


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_text_of_the_file_is_the_setting(name: str, end: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" kept: ü ${end}".encode())
    environment = {f"{name}_FILE": str(file), "OTHER_FILE": "stays"}
    take_secrets(environment)
    assert environment == {name: " kept: ü $", "OTHER_FILE": "stays"}


def test_without_a_file_nothing_changes() -> None:
    environment = {"CLICKHOUSE_PASSWORD": "x", "ATTRIBUTION_ERASURE_SECRET_FILE": ""}
    take_secrets(environment)
    assert environment == {"CLICKHOUSE_PASSWORD": "x", "ATTRIBUTION_ERASURE_SECRET_FILE": ""}


def test_two_sources_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-the-file")
    with pytest.raises(
        SecretFileError, match="CLICKHOUSE_PASSWORD and CLICKHOUSE_PASSWORD_FILE are both set"
    ) as raised:
        take_secrets({"CLICKHOUSE_PASSWORD": "in-the-text", "CLICKHOUSE_PASSWORD_FILE": str(file)})
    assert "from-the-file" not in str(raised.value)
    assert "in-the-text" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "UTF-8")]
)
def test_a_file_that_cannot_be_used_ends_the_command(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    environment = os.environ | {"CLICKHOUSE_PASSWORD_FILE": str(file)}
    command = [sys.executable, "-P", "-m", "cli", "migrate", "status"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "CLICKHOUSE_PASSWORD_FILE" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
