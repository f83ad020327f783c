"""What kustomize makes of ``deploy/k8s``, as far as our files use it; anything else is an error.

* ``resources``: files and folders with a kustomization; ``namespace`` for what lies in one; ``images``: name and tag;
* ``patches`` by ``path``: strategic merge. Maps merge, ``null`` takes a key away, ``$patch: delete`` a resource or an
  entry; lists merge by the key that Kubernetes' types name for them (``KEYS``), all other lists are replaced.

A test compares this with kustomize itself where ``kubectl`` is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from composed import ROOT

FOLDER: Final = ROOT / "deploy" / "k8s"
OVERLAYS: Final = ("dev", "staging", "prod")
Resource: TypeAlias = dict[str, Any]

#: Lists that merge, by the name of their field: the key that tells entries apart.
KEYS: Final = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
_KNOWN: Final = frozenset({"apiVersion", "kind", "resources", "namespace", "patches", "images"})
_WITHOUT_NAMESPACE: Final = frozenset({"Namespace"})


class NotPlainError(ValueError):
    """A kustomization uses what this reader does not know."""


def rendered(folder: Path) -> list[Resource]:
    """The resources of a folder with a kustomization, in its order."""
    (found,) = _documents(folder / "kustomization.yaml")
    if unknown := found.keys() - _KNOWN:
        raise NotPlainError(f"{folder}: {', '.join(sorted(unknown))}")
    resources: list[Resource] = []
    for name in found.get("resources", ()):
        place = folder / name
        resources += rendered(place) if place.is_dir() else _documents(place)
    for patch in found.get("patches", ()):
        if patch.keys() != {"path"}:
            raise NotPlainError(f"{folder}: a patch is more than a path: {patch}")
        for change in _documents(folder / patch["path"]):
            resources = _patched(resources, change)
    for resource in resources:
        if found.get("namespace") and resource["kind"] not in _WITHOUT_NAMESPACE:
            resource["metadata"]["namespace"] = found["namespace"]
        _with_images(resource, {image["name"]: image for image in found.get("images", ())})
    return resources


def identity(resource: Resource) -> tuple[str, str, str]:
    """What tells a resource from all others of a folder."""
    return resource["apiVersion"], resource["kind"], resource["metadata"]["name"]


def containers(resource: Resource) -> list[dict[str, Any]]:
    """The containers of a workload; none of anything else."""
    found: list[dict[str, Any]] = pod_of(resource).get("containers", [])
    return found


def pod_of(resource: Resource) -> dict[str, Any]:
    """The pod of a workload; empty for anything else."""
    found: dict[str, Any] = resource.get("spec", {}).get("template", {}).get("spec", {})
    return found


def environment_of(container: dict[str, Any], resources: list[Resource]) -> dict[str, str]:
    """A container's variables: of ConfigMaps, then its own; ``$(NAME)`` filled in, the pod's address invented."""
    maps = {r["metadata"]["name"]: r["data"] for r in resources if r["kind"] == "ConfigMap"}
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    own: dict[str, str] = {}
    for entry in container.get("env", ()):
        value = entry.get("value", "10.1.2.3")
        for name, known in own.items():
            value = value.replace(f"$({name})", known)
        own[entry["name"]] = value
    return found | own


def _documents(file: Path) -> list[Resource]:
    return [d for d in yaml.safe_load_all(file.read_text(encoding="utf-8")) if d is not None]


def _patched(resources: list[Resource], change: Resource) -> list[Resource]:
    of = [r for r in resources if identity(r) == identity(change)]
    if len(of) != 1:
        raise NotPlainError(f"a patch of {identity(change)}, of which there are {len(of)}")
    if change.get("$patch") == "delete":
        return [r for r in resources if r is not of[0]]
    return [_merged(r, change) if r is of[0] else r for r in resources]


def _merged(below: Any, above: Any, name: str = "") -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        kept = {k: v for k, v in below.items() if k not in above or above[k] is not None}
        return kept | {k: _merged(below.get(k), v, k) for k, v in above.items() if v is not None}
    if isinstance(below, list) and isinstance(above, list) and name in KEYS:
        return _merged_by(below, above, KEYS[name])
    return above


def _merged_by(below: list[Any], above: list[Any], key: str) -> list[Any]:
    before = {entry[key]: entry for entry in below}
    gone = {entry[key] for entry in above if entry.get("$patch") == "delete"}
    # as kustomize does: what a patch names comes first, which counts where a variable refers to another
    named = [_merged(before.get(entry[key], {}), entry) for entry in above if entry[key] not in gone]
    return named + [entry for entry in below if entry[key] not in gone | {e[key] for e in above}]


def _with_images(resource: Resource, images: dict[str, dict[str, str]]) -> None:
    for container in containers(resource):
        if image := images.get(container["image"]):
            container["image"] = f"{image['newName']}:{image['newTag']}"
