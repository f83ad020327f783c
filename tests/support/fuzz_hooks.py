"""Loaded by schemathesis (``SCHEMATHESIS_HOOKS``): what it must know of this API, and a count of what is sent.

``FUZZ_KEY_ID`` is the key that the run sends; ``FUZZ_COUNTS`` names the file that gets ``{"requests": n, "5xx": n}``.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

#: Fields with a rule that JSON Schema cannot say, and which one: 422 that names such a field alone is no failure.
BEYOND_SCHEMA = {
    r"cursor": "opaque: only what a page gave is one",
    r"start_date|end_date": "the order of the two, and the days between them",
    r"events\.\d+.*|body": "rows are checked by the rules of the stream (docs/wire.md), which know many spellings",
    r"(journeys\.\d+\.)?((touchpoints\.\d+|conversion)\.timestamp|milestones\..+)": "after 1970",
    r"(journeys\.\d+\.)?(touchpoints\.\d+\.cost|conversion\.value)": "a text, too, is within int64 micros",
    r"models": "a list of model ids with commas between them",
    r"(journeys\.\d+\.)?custom_weights(\.\d)?": "nine decimals, and not all of them 0",
    r"scopes": "those of the role that is asked for",
    r"expires_at": "must be to come",
    r"value(\..+)?": "of a letter: checked by the rules of the stream, like a row",
    r"body|from|to": "from is before to",
    r"tests(\.\d+)?": "each test_id once, and the order of its days",
}

#: To JSON Schema such a body is any text: only its lines say what is wrong.
LINES = {"application/x-ndjson", "text/csv"}

_counts: Counter[str] = Counter()
_anything = random.SystemRandom()  # the other one is seeded again for each operation


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """A run that revokes its own key would prove nothing from there on."""
    return os.environ["FUZZ_KEY_ID"] not in str((case.path_parameters or {}).get("key_id", ""))


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Valid by the schema and refused all the same: right where every field named has a rule beyond it."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 422:
        return True
    if case.media_type in LINES:
        return False
    named = [str(error["field"]) for error in response.json().get("errors", ())]
    return not named or not all(re.fullmatch("|".join(BEYOND_SCHEMA), field) for field in named)


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: Any, value: Any) -> Any:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Another address for each call, as a proxy tells it: else guesses of keys are answered with 429 alone."""
    case.headers["X-Forwarded-For"] = ".".join(["10", *(str(_anything.randrange(256)) for _ in range(3))])


@schemathesis.hook
def after_call(_context: Any, _case: Any, response: Any) -> None:
    """Counts answers. What the checks ask besides is not counted."""
    _counts["requests"] += 1
    _counts["5xx"] += response.status_code >= 500


@atexit.register
def _write() -> None:
    Path(os.environ["FUZZ_COUNTS"]).write_text(json.dumps(_counts), encoding="utf-8")
