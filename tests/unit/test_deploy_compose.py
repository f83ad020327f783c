"""The Compose files: valid, safe, and of one mind with the code about variables, ports, paths and names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from composed import BASE, PROD, PROD_VARIABLES, ROOT, load, plain_text, prod_services, services, started
from environments import SECRET, as_text, reached, with_secrets
from stream_app.readiness import Readiness
from stream_app.settings import WorkerSettings
from vendored_schemas import errors

FILES = {"development": services(BASE), "production": prod_services()}
OURS = ("migrate", "topics", "worker", "rollups", "api", "canary", "simulate", "metrics-key")
ONCE = {"migrate", "topics", "metrics-key"}
#: Ports on which services listen, inside.
LISTENS = {
    "kafka": {19092, 9092},
    "clickhouse": {8123},
    "karapace": {8081},
    "api": {8000},
    "canary": {9101},
    "prometheus": {9090},
    "grafana": {3000},
    "nginx": {80, 443},
    "kafka-ui": {8080},
}

both = pytest.mark.parametrize("stage", FILES)


def command_of(name: str, service: Mapping[str, Any]) -> str:
    return "key" if name == "metrics-key" else str(service["command"][0])


@pytest.mark.parametrize("file", [BASE, PROD], ids=lambda f: f.name)
def test_each_file_is_valid_and_so_are_both_together(file: Path) -> None:
    assert not errors("compose-spec", plain_text(file))
    assert not errors("compose-spec", load(BASE, PROD, variables=PROD_VARIABLES))


def test_the_schema_finds_what_is_wrong() -> None:
    assert errors("compose-spec", {"services": {"api": {"imagine": "x"}}})


@both
def test_every_service_is_confined(stage: str) -> None:
    for name, service in FILES[stage].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), f"{name} must not be root"
        assert re.fullmatch(r"[^:]+:v?\d+\.\d+[\w.-]*", service["image"]), f"{name}: {service['image']} is not pinned"
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        has_check = bool(service.get("healthcheck"))
        assert has_check == (name not in ONCE | {"simulate"}), name


def test_what_is_published_is_this_machine_s_alone() -> None:
    for name, service in FILES["development"].items():
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), f"{name}: {port}"
    published = {name: s["ports"] for name, s in FILES["production"].items() if s.get("ports")}
    assert published.pop("nginx") == ["80:80", "443:443"]
    assert published.keys() == {"grafana", "kafka-ui"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@both
def test_ports_and_hosts_name_services_that_listen_there(stage: str) -> None:
    found = FILES[stage]
    for name, service in found.items():
        for port in service.get("ports", ()):
            assert int(port.split(":")[-1]) in LISTENS[name], f"{name}: {port}"
        for variable, value in service.get("environment", {}).items():
            host, port = _address(str(value))
            if host in {"", "127.0.0.1", "localhost", "0.0.0.0"} or name == "kafka":  # noqa: S104 - compared only
                continue
            assert host in found, f"{name}: {variable}={value}"
            assert port in LISTENS[host], f"{name}: {variable}={value}"
            waits = _before(found, name)
            assert host in waits or host == "prometheus", f"{name} does not wait for {host}"


def _address(text: str) -> tuple[str, int]:
    if "://" in text and " " not in text and "," not in text:
        parts = urlsplit(text)
        return parts.hostname or "", parts.port or 0
    match = re.fullmatch(r"([a-z][a-z-]*):(\d+)", text)
    return (match[1], int(match[2])) if match else ("", 0)


def _before(found: Mapping[str, Mapping[str, Any]], name: str, seen: tuple[str, ...] = ()) -> set[str]:
    assert name not in seen, f"a circle: {seen}"
    direct = found[name].get("depends_on", {})
    return set(direct).union(*(_before(found, other, (*seen, name)) for other in direct))


@both
def test_programs_start_after_what_they_need(stage: str) -> None:
    found = FILES[stage]
    assert {"kafka", "clickhouse", "migrate", "topics"} <= _before(found, "worker")
    assert {"clickhouse", "migrate"} <= _before(found, "rollups")
    assert {"clickhouse", "migrate"} <= _before(found, "api")
    for name, service in found.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}, f"{name} on {other}"
    grace = int(found["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > int(found["worker"]["environment"]["ATTRIBUTION_STOP_TIMEOUT_S"])


@both
@pytest.mark.parametrize("name", OURS)
def test_every_variable_reaches_its_setting(stage: str, name: str, tmp_path: Path) -> None:
    service = FILES[stage][name]
    environment = with_secrets({k: str(v) for k, v in service["environment"].items()}, tmp_path)
    for variable, places in reached(command_of(name, service), environment).items():
        assert places, f"{name}: {variable} reaches no setting"
        for place, value in places:
            assert as_text(value) == environment[variable], f"{name}: {variable} as {place}"


@both
def test_the_same_variable_says_the_same_everywhere(stage: str) -> None:
    said: dict[str, set[str]] = {}
    for name in OURS:
        for variable, value in FILES[stage][name]["environment"].items():
            said.setdefault(variable, set()).add(str(value))
    one_each = {"CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD_FILE"} if stage == "production" else set()
    assert {v: values for v, values in said.items() if len(values) > 1 and v not in one_each} == {}


def test_production_has_no_secret_in_a_variable_and_lets_nobody_in_unnamed() -> None:
    secrets = load(BASE, PROD, variables=PROD_VARIABLES)["secrets"]
    used = set()
    for name, service in FILES["production"].items():
        environment = service.get("environment", {})
        for variable, value in environment.items():
            if re.search(r"PASSWORD|SECRET|PEPPER|TOKEN", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value == f"/run/secrets/{Path(str(value)).name}"
                assert Path(str(value)).name in service["secrets"], f"{name}: {variable}"
        used.update(service.get("secrets", ()))
        assert "attribution-local" not in json.dumps(service), name
    assert used == secrets.keys()
    assert FILES["production"]["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    users = {
        n: FILES["production"][n]["environment"]["CLICKHOUSE_USER"] for n in ("migrate", "worker", "rollups", "api")
    }
    assert users == {
        "migrate": "attribution_migrator",
        "worker": "attribution_writer",
        "rollups": "attribution_writer",
        "api": "attribution_reader",
    }
    made = (ROOT / "deploy" / "clickhouse" / "users.sql").read_text(encoding="utf-8")
    assert all(f"CREATE USER IF NOT EXISTS {user} " in made for user in users.values())


def test_production_trusts_the_proxy_s_address_and_no_other() -> None:
    found = load(BASE, PROD, variables=PROD_VARIABLES)
    nginx, api = found["services"]["nginx"], found["services"]["api"]
    address = nginx["networks"]["edge"]["ipv4_address"]
    assert api["environment"]["ATTRIBUTION_API_TRUSTED_PROXIES"] == address
    assert found["networks"]["edge"]["ipam"]["config"][0]["subnet"].rsplit(".", 1)[0] == address.rsplit(".", 1)[0]
    assert found["networks"]["inside"]["internal"] is True
    for name in ("kafka", "clickhouse", "karapace", "worker", "rollups", "migrate", "topics"):
        assert found["services"][name]["networks"] == ["inside"], name
    assert "api" in api["environment"]["ATTRIBUTION_API_ALLOWED_HOSTS"].split(",")


@pytest.mark.parametrize("name", sorted(PROD_VARIABLES))
def test_production_does_not_start_without_what_a_person_must_say(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        load(BASE, PROD, variables={k: v for k, v in PROD_VARIABLES.items() if k != name})


def test_checks_of_health_look_where_the_code_writes(tmp_path: Path) -> None:
    found = FILES["development"]
    (test, flag, path) = found["worker"]["healthcheck"]["test"][1:]
    assert (test, flag) == ("test", "-f")
    folder = Path(path).parent
    assert found["worker"]["environment"]["ATTRIBUTION_DATA_DIR"] == str(folder)
    assert found["worker"]["volumes"] == [f"worker-state:{folder}"]
    readiness = Readiness(WorkerSettings(ATTRIBUTION_DATA_DIR=tmp_path).data_dir, lambda: 0.0)
    readiness.set({0})
    assert (tmp_path / Path(path).name).is_file()
    alive = found["rollups"]["command"][found["rollups"]["command"].index("--alive") + 1]
    assert alive in found["rollups"]["healthcheck"]["test"][1]
    routes = json.loads((ROOT / "clients" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    assert "127.0.0.1:9101/live" in found["canary"]["healthcheck"]["test"][-1]
    for name in ("api", "nginx"):
        (url,) = re.findall(r"https?://[^\"]+", " ".join(found[name]["healthcheck"]["test"]))
        assert urlsplit(url).path in routes
        assert urlsplit(url).port in LISTENS[name]


def test_what_is_mounted_is_there() -> None:
    for name, service in FILES["production"].items():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {volume}"
            assert target.startswith("/"), f"{name}: {volume}"
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    made = set(re.findall(r"/var/lib/attribution/\w+", dockerfile))
    ours = {v.split(":")[1] for name in OURS for v in FILES["production"][name].get("volumes", ())}
    assert ours == made, "a volume takes its owner from the folder of the image"
    assert all(FILES["production"][name]["user"] == "10001:10001" for name in OURS)
    assert "USER 10001:10001" in dockerfile


def test_profiles() -> None:
    found = FILES["development"]
    core = {"kafka", "clickhouse", "karapace", "migrate", "topics", "worker", "rollups", "api", "metrics-key"}
    core |= {"canary", "prometheus", "grafana"}
    assert started(found) == core
    assert started(found, ["demo"]) - core == {"simulate"}
    assert started(found, ["tools"]) - core == {"kafka-ui"}
    assert started(found, ["tls"]) - core == {"nginx"}
    assert started(FILES["production"]) - core == {"nginx"}


@both
def test_the_web_ui_is_served_by_the_api(stage: str) -> None:
    api = FILES[stage]["api"]
    assert api["environment"]["ATTRIBUTION_API_UI"] == "true"
    name = "inside" if stage == "production" else "default"
    assert api["networks"][name]["aliases"] == ["ui"]
    nginx = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    assert "location /ui/ {" in nginx


@both
def test_prometheus_looks_where_the_programs_show_their_metrics(stage: str) -> None:
    found = FILES[stage]
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    looked: dict[str, int] = {}
    for job in scraped["scrape_configs"]:
        targets = [t for static in job.get("static_configs", ()) for t in static["targets"]]
        targets += [f"{name}:{dns['port']}" for dns in job.get("dns_sd_configs", ()) for name in dns["names"]]
        looked |= {target.split(":")[0]: int(target.split(":")[1]) for target in targets}
    shown = {n: int(s["environment"]["ATTRIBUTION_METRICS_PORT"]) for n, s in found.items() if _has_metrics(s)}
    assert looked == shown | {"api": 8000, "localhost": 9090}
    assert all(found[name]["environment"]["ATTRIBUTION_METRICS_HOST"] == "0.0.0.0" for name in shown)  # noqa: S104
    (api,) = (job for job in scraped["scrape_configs"] if job["job_name"] == "api")
    # by its name: the API answers to hosts that it knows, and an address is none of them
    assert api["static_configs"] == [{"targets": ["api:8000"]}]
    assert "api" in found["api"]["environment"]["ATTRIBUTION_API_ALLOWED_HOSTS"].split(",")
    folder, name = api["authorization"]["credentials_file"].rsplit("/", 1)
    assert f"metrics-key:{folder}:ro" in found["prometheus"]["volumes"]
    assert name in found["metrics-key"]["command"][0]


def _has_metrics(service: Mapping[str, Any]) -> bool:
    return "ATTRIBUTION_METRICS_PORT" in service.get("environment", {})


def test_secrets_are_taken_from_files(tmp_path: Path) -> None:
    environment = with_secrets(FILES["production"]["api"]["environment"], tmp_path)
    assert environment["CLICKHOUSE_PASSWORD"] == environment["ATTRIBUTION_ACCOUNTS_PEPPER"] == SECRET
