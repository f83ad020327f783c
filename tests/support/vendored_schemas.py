"""JSON schemas that check-jsonschema brings along: Compose, GitHub's workflows. Read as files, nothing is fetched."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema.validators import validator_for


def errors(schema_name: str, found: Any) -> list[str]:
    """What a document violates of a schema, ``compose-spec`` for instance: place and reason of each."""
    spec = find_spec("check_jsonschema")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package check-jsonschema is missing; run: make setup")
    folder = Path(spec.submodule_search_locations[0]) / "builtin_schemas" / "vendor"
    schema = json.loads((folder / f"{schema_name}.json").read_text(encoding="utf-8"))
    validator = validator_for(schema)(schema)
    return [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(found)]
