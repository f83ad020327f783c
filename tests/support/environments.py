"""Which setting each environment variable of a program reaches, in Compose, Kubernetes and ECS alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch

from pydantic import AliasChoices
from pydantic_settings import BaseSettings
from typer.main import get_command

from accounts.settings import AccountsSettings
from api.settings import ApiSettings
from cli.__main__ import build_app
from cli.secret_files import SECRETS, take_secrets
from clickhouse.settings import ClickHouseSettings
from stream_app.settings import WorkerSettings
from telemetry.settings import TelemetrySettings

Kind: TypeAlias = type[BaseSettings] | type[TelemetrySettings]

#: The settings that each command of ``attribution`` reads, by its first word.
READS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "worker": (WorkerSettings, ClickHouseSettings, TelemetrySettings),
    "rollups": (ClickHouseSettings, TelemetrySettings),
    "canary": (WorkerSettings, ClickHouseSettings, TelemetrySettings),
    "migrate": (ClickHouseSettings,),
    "topics": (WorkerSettings,),
    "simulate": (WorkerSettings, TelemetrySettings),
    "api": (ApiSettings, ClickHouseSettings, AccountsSettings, TelemetrySettings),
    "key": (AccountsSettings,),
}
#: What files of secrets hold in tests: good for a password, a pepper and the rest alike.
SECRET: Final = "a-secret-from-a-file-of-more-than-32-characters"  # noqa: S105 - of tests
_ADDRESSES: Final = {
    "ATTRIBUTION_ACCOUNTS_URL": "postgresql+psycopg://attribution:word@postgresql/accounts",
    "ATTRIBUTION_API_RATE_STORAGE": "rediss://:word@redis:6379/0",
}


def variables_of(kind: Kind) -> dict[str, str]:
    """Environment variable to field of a class of settings."""
    if not issubclass(kind, BaseSettings):
        return {f"ATTRIBUTION_{field.name.upper()}": field.name for field in fields(kind)}
    found: dict[str, str] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            found |= {str(choice): name for choice in alias.choices}
        elif isinstance(alias, str):
            found[alias] = name
        else:
            found[f"{kind.model_config.get('env_prefix', '')}{name}".upper()] = name
    return found


def with_secrets(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a program after it has taken its secrets from files: addresses, else the text ``SECRET``."""
    mine = dict(environment)
    for name in SECRETS:
        if f"{name}_FILE" in mine:
            file = folder / name
            file.write_text(f"{_ADDRESSES.get(name, SECRET)}\n", encoding="utf-8")
            mine[f"{name}_FILE"] = str(file)
    take_secrets(mine)
    return mine


def reached(command: str, environment: Mapping[str, str]) -> dict[str, list[tuple[str, Any]]]:
    """Of each variable: the fields that read it, as ``Class.field``, with their values in this whole environment."""
    found: dict[str, list[tuple[str, Any]]] = {name: [] for name in environment}
    for kind in READS[command]:
        names = variables_of(kind)
        with patch.dict(os.environ, environment, clear=True):
            settings = kind() if issubclass(kind, BaseSettings) else kind.of_environment(os.environ)
        for variable in environment:
            if variable in names:
                place = f"{kind.__name__}.{names[variable]}"
                found[variable].append((place, getattr(settings, names[variable])))
    for variable, option in _options(command).items():
        if variable in environment and not found[variable]:
            found[variable].append((f"attribution {command} {option}", environment[variable]))
    return found


@cache
def _options(command: str) -> dict[str, str]:
    """Variables that an option of a command reads by itself."""
    words: Any = get_command(build_app())
    parameters = getattr(words.commands[command], "params", ())
    named = [(p.envvar, p.opts[0]) for p in parameters if isinstance(p.envvar, str)]
    return dict(named)


def as_text(value: Any) -> str:
    """A setting as its variable says it, as far as these are one to one."""
    if hasattr(value, "get_secret_value"):
        return str(value.get_secret_value())
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
