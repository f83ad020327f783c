"""The manifests of Kubernetes: valid by its own schemas, confined, and of one mind with the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from cli.__main__ import build_app
from composed import ROOT
from environments import as_text, reached, with_secrets
from kustomized import FOLDER, OVERLAYS, Resource, containers, environment_of, identity, pod_of, rendered
from telemetry.worker_metrics import WORKER

VERSION: Final = "1.37"
ALL: Final = {"base": rendered(FOLDER / "base")} | {name: rendered(FOLDER / "overlays" / name) for name in OVERLAYS}
#: Kinds of other operators: no schema at hand, their shape is checked below.
CUSTOM: Final = {"ScaledObject", "ServiceMonitor"}
WORKLOADS: Final = {"StatefulSet", "Deployment", "Job"}
COMMANDS: Final = {"worker", "rollups", "api", "canary", "migrate", "topics"}
#: Paths beside ``/metrics`` of telemetry.server; the programs' own test asks them.
METRICS_PATHS: Final = {"/live", "/ready"}

every = pytest.mark.parametrize("stage", ALL)


def of_kind(stage: str, kind: str) -> list[Resource]:
    return [r for r in ALL[stage] if r["kind"] == kind]


def one(stage: str, kind: str, name: str) -> Resource:
    (found,) = (r for r in of_kind(stage, kind) if r["metadata"]["name"] == name)
    return found


def workloads(stage: str) -> list[Resource]:
    return [r for r in ALL[stage] if r["kind"] in WORKLOADS]


@every
def test_every_manifest_is_valid(stage: str) -> None:
    checked = 0
    for resource in ALL[stage]:
        if resource["kind"] not in CUSTOM:
            kubernetes_validate.validate(resource, VERSION, strict=True)
            checked += 1
    assert checked >= 24


def test_the_schemas_find_what_is_wrong() -> None:
    wrong = json.loads(json.dumps(one("base", "StatefulSet", "attribution-worker")))
    wrong["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{name}" for name in OVERLAYS)])
def test_kustomize_reads_them_as_these_tests_do(folder: str) -> None:
    """With ``kubectl`` by kustomize itself; without, that the reader at least finds each resource once."""
    ours = rendered(FOLDER / folder)
    assert len({identity(r) for r in ours}) == len(ours)
    if kubectl := shutil.which("kubectl"):
        done = subprocess.run([kubectl, "kustomize", str(FOLDER / folder)], capture_output=True, text=True, check=True)
        theirs = [d for d in yaml.safe_load_all(done.stdout) if d]
        assert sorted(ours, key=identity) == sorted(theirs, key=identity)


@every
def test_every_pod_is_confined(stage: str) -> None:
    """The profile `restricted` of Kubernetes' Pod Security Standards, and a read-only root besides."""
    for resource in workloads(stage):
        pod = pod_of(resource)
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert all(v.keys() & {"emptyDir", "secret", "persistentVolumeClaim"} for v in pod.get("volumes", ()))
        for container in containers(resource):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            for size in ("requests", "limits"):
                assert container["resources"][size].keys() >= {"cpu", "memory"}
    for namespace in of_kind(stage, "Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@every
def test_every_variable_reaches_its_setting(stage: str, tmp_path: Path) -> None:
    seen = set()
    for resource in workloads(stage):
        for container in containers(resource):
            command = container["args"][0]
            seen.add(command)
            said = environment_of(container, ALL[stage])
            said.pop("POD_IP", None)
            environment = with_secrets(said, tmp_path)
            for variable, places in reached(command, environment).items():
                assert places, f"{command}: {variable} reaches no setting"
                for place, value in places:
                    assert as_text(value) == environment[variable], f"{command}: {variable} as {place}"
    assert seen == COMMANDS


@every
def test_no_address_has_an_open_reference(stage: str) -> None:
    for resource in workloads(stage):
        for container in containers(resource):
            for name, value in environment_of(container, ALL[stage]).items():
                assert "$(" not in value, f"{name} refers to a variable that is not there before it"
    api = containers(one(stage, "Deployment", "attribution-api"))[0]
    hosts = environment_of(api, ALL[stage])["ATTRIBUTION_API_ALLOWED_HOSTS"].split(",")
    assert {"10.1.2.3", "localhost", "127.0.0.1"} <= set(hosts)


@every
def test_secrets_are_files_that_are_mounted(stage: str) -> None:
    for resource in workloads(stage):
        pod = pod_of(resource)
        volumes = {v["name"]: v for v in pod.get("volumes", ())}
        for container in containers(resource):
            mounts = {m["mountPath"]: m for m in container.get("volumeMounts", ())}
            files: dict[str, str] = {}
            for path, mount in mounts.items():
                if "secret" in volumes.get(mount["name"], {}):
                    secret = volumes[mount["name"]]["secret"]
                    assert mount["readOnly"] is True
                    assert secret["defaultMode"] == 0o440, "read by the group of fsGroup, which is the program's"
                    assert pod["securityContext"]["fsGroup"] == 10001
                    files |= {f"{path}/{item['path']}": item["key"] for item in secret["items"]}
            said = environment_of(container, ALL[stage])
            named = {value for name, value in said.items() if name.endswith("_FILE")}
            assert named == files.keys(), container["name"]
            assert not {n for n in said if n.endswith(("PASSWORD", "PEPPER", "SECRET", "ACCOUNTS_URL"))}


@every
def test_commands_and_options_exist(stage: str) -> None:
    app: Any = get_command(build_app())
    for resource in workloads(stage):
        for container in containers(resource):
            command, words = app, list(container["args"])
            while words and hasattr(command, "commands") and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            options = {option for parameter in command.params for option in parameter.opts}
            assert command is not app
            assert {word for word in words if word.startswith("--")} <= options, container["args"]


@every
def test_probes_ask_what_the_code_answers(stage: str) -> None:
    routes = json.loads((ROOT / "clients" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    api = containers(one(stage, "Deployment", "attribution-api"))[0]
    hosts = environment_of(api, ALL[stage])["ATTRIBUTION_API_ALLOWED_HOSTS"].split(",")
    (port,) = (p for p in api["ports"] if p["name"] == "http")
    assert environment_of(api, ALL[stage])["ATTRIBUTION_API_PORT"] == str(port["containerPort"])
    paths = {}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = api[probe]["httpGet"]
        assert asked["path"] in routes
        assert asked["port"] == "http"
        assert asked["httpHeaders"][0]["value"] in hosts
        paths[probe] = asked["path"]
    assert paths == {"startupProbe": "/health", "readinessProbe": "/ready", "livenessProbe": "/health"}
    worker = containers(one(stage, "StatefulSet", "attribution-worker"))[0]
    folder = environment_of(worker, ALL[stage])["ATTRIBUTION_DATA_DIR"]
    assert {"name": "state", "mountPath": folder} in worker["volumeMounts"]
    assert worker["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}
    for kind, name in (("StatefulSet", "worker"), ("Deployment", "rollups"), ("Deployment", "canary")):
        container = containers(one(stage, kind, f"attribution-{name}"))[0]
        said = environment_of(container, ALL[stage])
        assert container["ports"] == [{"name": "metrics", "containerPort": int(said["ATTRIBUTION_METRICS_PORT"])}]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if asked := container.get(probe, {}).get("httpGet"):
                assert asked["path"] in METRICS_PATHS
                assert asked["port"] == "metrics"
    rollups = containers(one(stage, "Deployment", "attribution-rollups"))[0]
    alive = rollups["args"][rollups["args"].index("--alive") + 1]
    assert alive in rollups["livenessProbe"]["exec"]["command"][-1]


@every
def test_a_worker_keeps_its_journeys_and_has_time_to_stop(stage: str) -> None:
    worker = one(stage, "StatefulSet", "attribution-worker")
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "state"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    stop = float(environment_of(containers(worker)[0], ALL[stage])["ATTRIBUTION_STOP_TIMEOUT_S"])
    assert pod_of(worker)["terminationGracePeriodSeconds"] > stop
    headless = one(stage, "Service", worker["spec"]["serviceName"])
    assert headless["spec"]["clusterIP"] == "None"


@every
def test_selectors_select(stage: str) -> None:
    labels = [r["spec"]["template"]["metadata"]["labels"] for r in workloads(stage)]
    for resource in ALL[stage]:
        spec = resource.get("spec", {})
        wanted = spec.get("selector") or spec.get("podSelector") or {}
        for key, values in _asked(wanted):
            assert any(found.get(key) in values for found in labels), f"{identity(resource)}: {key}"
    for kind, target in (("HorizontalPodAutoscaler", "Deployment"), ("ScaledObject", "StatefulSet")):
        for scaler in of_kind(stage, kind):
            ref = scaler["spec"]["scaleTargetRef"]
            assert ref["kind"] == target
            assert "replicas" not in one(stage, target, ref["name"])["spec"], "the scaler says how many"


def _asked(selector: dict[str, Any]) -> list[tuple[str, list[str]]]:
    plain = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    asked = [(key, [value]) for key, value in plain.items()]
    return asked + [(e["key"], e["values"]) for e in selector.get("matchExpressions", ())]


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_workers_scale_by_lag_up_to_the_partitions(stage: str) -> None:
    (scaled,) = of_kind(stage, "ScaledObject")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    (trigger,) = scaled["spec"]["triggers"]
    (metric,) = re.findall(r"attribution_\w+(?={)", trigger["metadata"]["query"])
    assert metric in WORKER
    assert trigger["type"] == "prometheus"
    assert trigger["metricType"] == "Value", "seconds are not shared among replicas"
    assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
    assert float(trigger["metadata"]["threshold"]) > 0
    (namespace,) = of_kind(stage, "Namespace")
    assert f'namespace="{namespace["metadata"]["name"]}"' in trigger["metadata"]["query"]
    args = containers(one(stage, "Job", "attribution-topics"))[0]["args"]
    partitions = int(args[args.index("--partitions") + 1])
    assert 1 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"] <= partitions


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_monitors_name_ports_of_services(stage: str) -> None:
    for monitor in of_kind(stage, "ServiceMonitor"):
        assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
        wanted = monitor["spec"]["selector"]["matchLabels"]
        services = [s for s in of_kind(stage, "Service") if wanted.items() <= s["metadata"]["labels"].items()]
        assert len(services) == 1
        for endpoint in monitor["spec"]["endpoints"]:
            assert endpoint["port"] in {p["name"] for p in services[0]["spec"]["ports"]}
            assert endpoint["path"] == "/metrics"


@every
def test_what_the_programs_speak_to_is_let_out_and_nothing_else(stage: str) -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in of_kind(stage, "NetworkPolicy")}
    nothing = policies["attribution-nothing"]
    assert nothing["policyTypes"] == ["Ingress", "Egress"]
    assert not nothing.keys() & {"ingress", "egress"}
    for resource in workloads(stage):
        labels = resource["spec"]["template"]["metadata"]["labels"]
        said = environment_of(containers(resource)[0], ALL[stage])
        wanted = {_port(said[name]) for name in ("CLICKHOUSE_URL", "KAFKA_BOOTSTRAP_SERVERS") if name in said}
        allowed = {
            port["port"]
            for spec in policies.values()
            if all(labels.get(key) in values for key, values in _asked(spec["podSelector"]))
            for rule in spec.get("egress", ())
            for port in rule["ports"]
        }
        assert wanted <= allowed, f"{resource['metadata']['name']} must reach {wanted - allowed}"
        assert allowed <= {53, 8123, 8443, 9092, 8081, 5432, 6379}


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def test_production_is_larger_than_the_rest_and_its_name_is_one() -> None:
    assert one("dev", "Deployment", "attribution-api")["spec"]["replicas"] == 1
    assert not of_kind("dev", "HorizontalPodAutoscaler")
    assert one("dev", "PersistentVolumeClaim", "attribution-accounts")["spec"]["accessModes"] == ["ReadWriteOnce"]
    (scaler,) = of_kind("prod", "HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] >= 3
    api = containers(one("prod", "Deployment", "attribution-api"))[0]
    hosts = environment_of(api, ALL["prod"])["ATTRIBUTION_API_ALLOWED_HOSTS"].split(",")
    for ingress in of_kind("prod", "Ingress"):
        assert {rule["host"] for rule in ingress["spec"]["rules"]} <= set(hosts)
        assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"] for rule in ingress["spec"]["rules"]]
    images = {c["image"] for stage in OVERLAYS for r in workloads(stage) for c in containers(r)}
    assert images == {"registry.example.org/realtime-attribution:0.1.0"}
