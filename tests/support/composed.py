"""Compose files as Docker Compose reads them: variables filled in, several files merged, profiles chosen.

Of the Compose specification that part which our files use, and an error for what is not known here:

* ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}`` and ``$$``;
* merging: maps by key, ``ports``, ``secrets``, ``volumes`` and other lists by appending (volumes by their target),
  ``command``, ``entrypoint`` and ``healthcheck.test`` replaced;
* ``!reset`` takes a key away, ``!override`` puts a value in its place without merging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
BASE: Final = ROOT / "docker-compose.yml"
PROD: Final = ROOT / "docker-compose.prod.yml"
#: What a person has to say before docker-compose.prod.yml can be used.
PROD_VARIABLES: Final = {
    "KAFKA_CLUSTER_ID": "AAAAAAAAAAAAAAAAAAAAAA",
    "ATTRIBUTION_DOMAIN": "attribution.example.org",
    "ATTRIBUTION_TLS_DIR": "/etc/attribution/tls",
    "ATTRIBUTION_SECRETS_DIR": "/etc/attribution/secrets",
}

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<text>[^}]*))?\})")
_REPLACED: Final = frozenset({"command", "entrypoint", "test"})


@dataclass(frozen=True)
class _Tagged:
    tag: str
    value: Any


class _Loader(yaml.SafeLoader):
    pass


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> _Tagged:
    if tag not in {"reset", "override"}:
        raise ValueError(f"the tag !{tag} is not known to the Compose specification")
    if isinstance(node, yaml.MappingNode):
        return _Tagged(tag, loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return _Tagged(tag, loader.construct_sequence(node, deep=True))
    return _Tagged(tag, None)


_Loader.add_multi_constructor("!", _tagged)


def load(*files: Path, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The merged model of some files.

    Raises:
        KeyError: a variable that must be given is not.
    """
    merged: dict[str, Any] = {}
    for file in files:
        found = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a subclass of the safe loader
        merged = _merge(merged, _filled(found, variables or {}))
    return {key: value for key, value in _plain(merged).items() if not key.startswith("x-")}


def services(*files: Path, variables: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The services of the merged model, those of profiles too."""
    found: dict[str, dict[str, Any]] = load(*files, variables=variables)["services"]
    return found


def prod_services() -> dict[str, dict[str, Any]]:
    """The services of production."""
    return services(BASE, PROD, variables=PROD_VARIABLES)


def plain_text(file: Path) -> dict[str, Any]:
    """One file without merging: what a schema looks at; tags gone, what was reset is left out."""
    found: dict[str, Any] = _plain(yaml.load(file.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - see above
    return found


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, _Tagged):
        return _Tagged(value.tag, _filled(value.value, variables))
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return _VARIABLE.sub(lambda m: _value(m, variables), value) if isinstance(value, str) else value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    found = variables.get(match["name"], "")
    if not found and match["how"] == ":?":
        raise KeyError(f"{match['name']}: {match['text']}")
    return found or (match["text"] or "" if match["how"] == ":-" else "")


def _merge(below: Any, above: Any, key: str = "") -> Any:
    if isinstance(above, _Tagged):
        return above
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {name: _merge(below.get(name), item, name) for name, item in above.items()}
    if isinstance(below, list) and isinstance(above, list) and key not in _REPLACED:
        if key == "volumes":
            return list(({_target(v): v for v in below} | {_target(v): v for v in above}).values())
        return below + [item for item in above if item not in below]
    return above


def _target(volume: str) -> str:
    return volume.split(":")[1]


def _plain(value: Any) -> Any:
    """Without tags: a reset key is gone."""
    if isinstance(value, _Tagged):
        return _plain(value.value)
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not (isinstance(v, _Tagged) and v.tag == "reset")}
        return {k: _plain(v) for k, v in kept.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def started(found: Mapping[str, Mapping[str, Any]], profiles: Iterable[str] = ()) -> set[str]:
    """Names of the services that ``docker compose up`` starts under some profiles."""
    chosen = set(profiles)
    return {name for name, service in found.items() if not service.get("profiles") or chosen & set(service["profiles"])}
