"""Task definitions of ECS, and the workflows of GitHub."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from composed import ROOT, services
from environments import SECRET, as_text, reached
from vendored_schemas import errors

TASKS: Final = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / "deploy" / "aws").glob("*.json")
}
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: Pairs of CPU units and MiB that Fargate offers, as far as they are used.
SIZES: Final = {
    "512": {1024, 2048, 3072, 4096},
    "1024": set(range(2048, 8193, 1024)),
    "2048": set(range(4096, 16385, 1024)),
}
#: What RegisterTaskDefinition knows of a container, as far as it is used.
FIELDS: Final = frozenset(
    {
        *("name", "image", "essential", "command", "user", "readonlyRootFilesystem", "linuxParameters", "environment"),
        *("secrets", "mountPoints", "logConfiguration", "stopTimeout", "healthCheck", "portMappings"),
    }
)
COMPOSE = services(ROOT / "docker-compose.yml")


def containers() -> list[Any]:
    return [
        pytest.param(task, c, id=f"{name}-{c['name']}")
        for name, task in TASKS.items()
        for c in task["containerDefinitions"]
    ]


def test_there_is_one_task_for_each_program() -> None:
    assert TASKS.keys() == {"worker", "rollups", "api", "migrate"}
    for name, task in TASKS.items():
        assert task["family"] == f"attribution-{name}"
        assert task["requiresCompatibilities"] == ["FARGATE"]
        assert task["networkMode"] == "awsvpc"
        assert int(task["memory"]) in SIZES[task["cpu"]]
    assert [c["command"][0] for c in TASKS["migrate"]["containerDefinitions"]] == ["migrate", "topics"]


@pytest.mark.parametrize(("task", "container"), containers())
def test_containers_are_confined(task: dict[str, Any], container: dict[str, Any]) -> None:
    assert container.keys() <= FIELDS
    assert container["user"] == "10001:10001"
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    volumes = {volume["name"] for volume in task["volumes"]}
    assert {mount["sourceVolume"] for mount in container["mountPoints"]} <= volumes
    assert re.search(r"/realtime-attribution:\d+\.\d+\.\d+$", container["image"])


@pytest.mark.parametrize(("task", "container"), containers())
def test_every_variable_reaches_its_setting(task: dict[str, Any], container: dict[str, Any]) -> None:
    secrets = {s["name"]: _secret(s["name"]) for s in container.get("secrets", ())}
    plain = {v["name"]: v["value"] for v in container["environment"]}
    assert not [name for name in plain if name.endswith(("PASSWORD", "PEPPER", "SECRET"))]
    assert not plain.keys() & secrets.keys()
    assert task["executionRoleArn"] != task["taskRoleArn"], "who fetches secrets is not who runs"
    for variable, places in reached(container["command"][0], plain | secrets).items():
        assert places, f"{variable} reaches no setting"
        for place, value in places:
            assert as_text(value) == (plain | secrets)[variable], f"{variable} as {place}"


def _secret(name: str) -> str:
    return {"ATTRIBUTION_API_RATE_STORAGE": "rediss://:word@redis:6379/0"}.get(name, SECRET)


@pytest.mark.parametrize("name", ["worker", "rollups", "api"])
def test_health_is_asked_as_in_compose(name: str) -> None:
    (container,) = TASKS[name]["containerDefinitions"]
    assert container["command"] == COMPOSE[name]["command"]
    there = [word.replace("$$", "$") for word in COMPOSE[name]["healthcheck"]["test"]]
    assert container["healthCheck"]["command"] == there
    assert container["healthCheck"]["startPeriod"] <= 300, "the most that ECS allows"
    assert container["stopTimeout"] <= 120, "the most that Fargate allows"
    assert container["stopTimeout"] == int(COMPOSE[name]["stop_grace_period"].removesuffix("s"))


class _Yaml12(yaml.SafeLoader):
    """Reads ``on`` as a word: the workflows are YAML 1.2."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def workflow(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), _Yaml12)  # noqa: S506 - a safe loader
    return found


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda f: f.name)
def test_workflows_are_valid_pinned_and_may_do_little(file: Path) -> None:
    found = workflow(file)
    assert not errors("github-workflows", found)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert job["permissions"].items() <= {"contents": "read", "id-token": "write"}.items()
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
    assert "secrets." not in file.read_text(encoding="utf-8")


def test_zizmor_has_nothing_to_say() -> None:
    found = zizmor(ROOT / ".github" / "workflows")
    assert found.returncode == 0, found.stdout


def test_zizmor_finds_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    (folder / "ci.yml").write_text(re.sub(r"checkout@[0-9a-f]{40}", "checkout@v4", text), encoding="utf-8")
    assert "unpinned-uses" in zizmor(folder).stdout


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "zizmor"
    command = [str(program), "--offline", "--no-progress", "--no-config", "--persona", "pedantic", str(folder)]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NO_COLOR": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_continuous_integration_runs_what_the_readme_says() -> None:
    jobs = workflow(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    run = [step["run"] for step in jobs["test"]["steps"] if "run" in step]
    assert run == ["sudo make system", "make setup", "make check", "make test"]
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{command.split()[-1]}:", targets, re.MULTILINE) for command in run)


def test_volumes_of_a_task_are_those_of_its_image() -> None:
    """Fargate takes owner and mode of a volume from the image, where that names the folder."""
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    (named,) = re.findall(r"^VOLUME (\[.*\])$", dockerfile, re.MULTILINE)
    used = {m["containerPath"] for t in TASKS.values() for c in t["containerDefinitions"] for m in c["mountPoints"]}
    assert used == set(json.loads(named))
    assert "--target ecs" in (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")


def test_the_deployment_moves_every_task_after_the_migrations() -> None:
    steps = workflow(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]["deploy"]["steps"]
    text = [json.dumps(step) for step in steps]
    (migrations,) = (i for i, t in enumerate(text) if "run-task" in t)
    moved = [step["with"]["service"] for step in steps[migrations:] if "service" in step.get("with", {})]
    assert moved == ["attribution-worker", "attribution-rollups", "attribution-api"]
    (rendered,) = (step["run"] for step in steps if "jq" in step.get("run", ""))
    assert set(re.search(r"for task in ([\w ]+);", rendered)[1].split()) == TASKS.keys()  # type: ignore[index]
