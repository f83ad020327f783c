"""``attribution api``: whom it believes, and what its help says."""

from __future__ import annotations

import pytest
from pydantic import AliasChoices
from typer.testing import CliRunner
from uvicorn.middleware.proxy_headers import _TrustedHosts

from api.settings import ApiSettings
from cli.__main__ import build_app
from cli.serve import _proxies
from composed import ROOT

ANYBODY = "203.0.113.9"


@pytest.mark.parametrize(
    ("trusted", "with_ui", "believed"),
    [
        ((), False, set()),
        ((), True, {"127.0.0.1", "::1", "10.0.0.5"}),
        (("10.0.0.2",), False, {"10.0.0.2"}),
        (("10.0.0.2",), True, {"10.0.0.2", "127.0.0.1", "::1", "10.0.0.5"}),
        (("*",), False, {"10.0.0.2", "127.0.0.1", "::1", "10.0.0.5", ANYBODY}),
        (("*",), True, {"10.0.0.2", "127.0.0.1", "::1", "10.0.0.5", ANYBODY}),
    ],
)
def test_proxies_are_believed_and_the_ui_beside_the_api(
    trusted: tuple[str, ...], with_ui: bool, believed: set[str]
) -> None:
    settings = ApiSettings.model_validate({"trusted_proxies": trusted, "host": "10.0.0.5", "insecure_dev": False})
    hosts = _TrustedHosts(_proxies(settings, with_ui=with_ui))
    assert {a for a in ("10.0.0.2", "127.0.0.1", "::1", "10.0.0.5", ANYBODY) if a in hosts} == believed


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - never bound here
def test_who_listens_everywhere_believes_this_machine_alone(host: str) -> None:
    hosts = _TrustedHosts(_proxies(ApiSettings.model_validate({"host": host, "insecure_dev": False}), with_ui=True))
    assert {a for a in ("127.0.0.1", "::1", host, ANYBODY) if a in hosts} == {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", ["ATTRIBUTION_WORKSPACE"]),
        ("api", ["ATTRIBUTION_API_HOST", "ATTRIBUTION_API_PORT"]),
        ("ui", ["ATTRIBUTION_UI_API_URL"]),
        ("report channels", ["30 days before --to", "today"]),
        ("tail", ["from now on"]),
        ("worker", ["ATTRIBUTION_METRICS_PORT"]),
    ],
)
def test_help_tells_variables_and_defaults(command: str, told: list[str]) -> None:
    shown = CliRunner().invoke(build_app(), [*command.split(), "--help"], env={"COLUMNS": "300"}).output
    assert [words for words in told if words not in shown] == []


def test_every_setting_of_the_api_is_in_the_list_of_settings() -> None:
    listed = (ROOT / ".env.example").read_text(encoding="utf-8")
    fields = ApiSettings.model_fields.items()
    aliases = [f.validation_alias for _, f in fields if isinstance(f.validation_alias, AliasChoices)]
    names = {f"ATTRIBUTION_API_{name}".upper() for name, f in fields if f.validation_alias is None}
    names |= {str(alias.choices[0]) for alias in aliases}
    assert {name for name in names if name not in listed} == set()


def test_settings_that_do_not_go_together_are_named_without_the_others() -> None:
    environment = {
        "ATTRIBUTION_API_RATE_STORAGE": "redis://:hunter2@127.0.0.1:1",
        "ATTRIBUTION_API_INSECURE_DEV": "false",
    }
    refused = CliRunner().invoke(build_app(), ["api", "--insecure-dev", "--host", "::"], env=environment)
    assert refused.exit_code == 2
    assert "host='::' must be 127.0.0.1" in refused.output
    assert "hunter2" not in refused.output
