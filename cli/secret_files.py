"""Secrets from files: ``NAME_FILE`` names a file whose text becomes the setting ``NAME``.

Compose and Kubernetes hand secrets over as files, which no ``docker inspect`` and no child process shows. Only the
settings listed here are looked for, so that another variable that happens to end in ``_FILE`` keeps its own meaning.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

#: Settings that are secrets, or addresses that hold one.
SECRETS: Final = (
    "CLICKHOUSE_PASSWORD",
    "ATTRIBUTION_ACCOUNTS_PEPPER",
    "ATTRIBUTION_ACCOUNTS_URL",
    "ATTRIBUTION_API_KEY",
    "ATTRIBUTION_API_RATE_STORAGE",
    "ATTRIBUTION_ERASURE_SECRET",
)


class SecretFileError(ValueError):
    """A secret cannot be taken from its file; the message names the variable and the way out, never the secret."""


def take_secrets(environment: MutableMapping[str, str]) -> None:
    """Replace each ``NAME_FILE`` of ``SECRETS`` in an environment by ``NAME`` with the file's text, line end removed.

    Raises:
        SecretFileError: a file cannot be read or is empty, or both variables are set.
    """
    for name in SECRETS:
        variable = f"{name}_FILE"
        path = environment.get(variable, "")
        if not path:
            continue
        if environment.get(name):
            raise SecretFileError(f"{name} and {variable} are both set; leave one of them out")
        environment[name] = _text_of(variable, path)
        del environment[variable]


def _text_of(variable: str, path: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretFileError(f"{variable}={path!r}: {error.strerror}; name a file that this user can read") from error
    except UnicodeDecodeError as error:
        raise SecretFileError(f"{variable}={path!r}: is no text in UTF-8") from error
    if not text:
        raise SecretFileError(f"{variable}={path!r}: the file is empty; write the secret into it, or leave it out")
    return text
