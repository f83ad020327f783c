"""Parameters of a replay: those of a run, changed by a file and by options. Wrong ones raise ``ReplayConfigError``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from attribution.errors import InvalidParameterError
from attribution.times import to_us
from attribution.window import Window
from cli.run_settings import PARAMETERS
from stream_app.settings import WorkerSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_RESERVED: Final = frozenset({"live", "active"})


class ReplayConfigError(ValueError):
    """Something that was asked for cannot be used: what, its value, the way out."""


class OtherReplayError(ReplayConfigError):
    """The name stands for a replay with other parameters."""


def overrides(file: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name: those of the file, and over them the options that were given (not None)."""
    return _read(file) | {name: value for name, value in options.items() if value is not None}


def checked_name(name: str) -> str:
    """The name of a new run."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ReplayConfigError(
            f"--as {name!r}: give a name of up to 64 letters, digits, dots, dashes and underscores that begins with a "
            f"letter or digit and is none of {', '.join(sorted(_RESERVED))}, for instance half-life-14"
        )
    return name


def window(since: str, until: str) -> Window:
    """``[since, until)``; an empty text is no bound."""
    try:
        found = Window(to_us(since, "--from") if since else 0, to_us(until, "--to") if until else 0)
    except InvalidParameterError as error:
        raise ReplayConfigError(str(error)) from error
    if found.to_us and found.from_us >= found.to_us:
        raise ReplayConfigError(f"--to {until!r} is not after --from {since!r}: no conversion lies between them")
    return found


def with_parameters(base: WorkerSettings, parameters: Mapping[str, Any]) -> WorkerSettings:
    """``base`` with other parameters, checked like those of the environment."""
    aliases = {name: str(WorkerSettings.model_fields[name].alias) for name in WorkerSettings.model_fields}
    values = {aliases[name]: value for name, value in base.model_dump().items()}
    try:
        return WorkerSettings.model_validate(values | {aliases[n]: v for n, v in parameters.items()})
    except ValidationError as error:
        names = {alias: name for name, alias in aliases.items()}
        raise ReplayConfigError("\n".join(_explained(item, names) for item in error.errors())) from error


def _explained(item: Mapping[str, Any], names: Mapping[str, str]) -> str:
    name = names.get(str(item["loc"][0]), str(item["loc"][0])) if item["loc"] else "parameters"
    field = WorkerSettings.model_fields.get(name)
    example = f", for example {name}: {field.examples[0]}" if field and field.examples else ""
    return f"{name}={item['input']!r}: {str(item['msg']).removeprefix('Value error, ')}{example}"


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ReplayConfigError(f"--config {file}: cannot be read: {error}") from error
    if not isinstance(found, dict) or not found:
        raise ReplayConfigError(f"--config {file}: give names and values, for example `half_life_days: 14`")
    unknown = [str(name) for name in found if name not in PARAMETERS]
    if unknown:
        raise ReplayConfigError(
            f"--config {file}: {', '.join(unknown)} cannot be set here; there are: {', '.join(PARAMETERS)}"
        )
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    """Lists of a file hold texts, as lists by comma do."""
    return tuple(str(v) for v in value) if isinstance(value, list) else value
