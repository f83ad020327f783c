"""The description that is kept as a file, for clients that are generated from it, is the one that the API serves."""

from __future__ import annotations

import json
from pathlib import Path

from cli.openapi import description

FILE = Path(__file__).parents[2] / "clients" / "openapi.json"


def test_the_file_is_the_description() -> None:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(description())), "run `make openapi`"
