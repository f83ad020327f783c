"""deploy/nginx/nginx.conf, run by a real nginx in front of a real API: TLS, what gets through and what does not."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clickhouse.client import connect
from clickhouse.migrate import migrate
from clickhouse.settings import ClickHouseSettings
from composed import ROOT
from debian_servers import listens
from embedded.ports import LOOPBACK, free_port
from embedded.process import spawn, stop, tail
from served_api import Served, served_api

pytestmark = pytest.mark.clickhouse

CONF = ROOT / "deploy" / "nginx" / "nginx.conf"
PASSWORD = "correct horse battery"  # noqa: S105 - of a user in a temporary folder
LOGIN = "/api/v1/auth/login"


@dataclass(frozen=True)
class Front:
    """nginx: its ports, and what the API behind it says of itself."""

    https: str
    http: str
    port: int
    api: Served


def certificate(folder: Path) -> None:
    """A certificate of localhost that signs itself."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    folder.mkdir()
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    made = signed.sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def configuration(folder: Path, api_port: str, http: int, https: int) -> Path:
    """The product's files with the paths and ports of a test; nothing else is changed."""
    text = CONF.read_text(encoding="utf-8")
    for there, here in (
        ("/etc/nginx/tls", str(folder / "tls")),
        ("/var/log/nginx", str(folder)),
        ("listen 80 ", f"listen {LOOPBACK}:{http} "),
        ("listen 443 ", f"listen {LOOPBACK}:{https} "),
    ):
        assert there in text
        text = text.replace(there, here)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    upstream = (CONF.parent / "upstream.conf").read_text(encoding="utf-8")
    assert "127.0.0.1:8000" in upstream
    (folder / "upstream.conf").write_text(upstream.replace("127.0.0.1:8000", f"127.0.0.1:{api_port}"), encoding="utf-8")
    return folder / "nginx.conf"


@pytest.fixture(scope="module")
def front(clickhouse_url: str) -> Iterator[Front]:
    settings = ClickHouseSettings(url=clickhouse_url, database=f"test_{uuid.uuid4().hex[:12]}")
    migrate(settings)
    folder = Path(tempfile.mkdtemp(prefix="attribution-nginx-"))
    more = {"ATTRIBUTION_API_TRUSTED_PROXIES": "127.0.0.1", "ATTRIBUTION_API_STREAM_HEARTBEAT_S": "0.3"}
    with served_api("127.0.0.1:9", clickhouse_url, settings.database, folder, **more) as api:
        certificate(folder / "tls")
        http, https = free_port(), free_port()
        conf = configuration(folder, api.url.rsplit(":", 1)[1], http, https)
        command = ["/usr/sbin/nginx", "-e", str(folder / "start.log"), "-p", str(folder), "-c", str(conf)]
        places = " ".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf.write_text(conf.read_text().replace("http {", f"http {{ {places}", 1))
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        words = f"daemon off; pid {folder}/pid;" + (" user root;" if os.geteuid() == 0 else "")
        process = spawn([*command, "-g", words], log=folder / "nginx.log")
        try:
            deadline = time.monotonic() + 120
            while not listens(https):
                assert process.poll() is None, tail(folder / "start.log")
                assert time.monotonic() < deadline, tail(folder / "start.log")
                time.sleep(0.05)
            yield Front(f"https://{LOOPBACK}:{https}", f"http://{LOOPBACK}:{http}", https, api)
        finally:
            stop(process)
    client = connect(settings, use_database=False)
    client.command("DROP DATABASE IF EXISTS {name:Identifier} SYNC", parameters={"name": settings.database})
    client.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(front: Front) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=front.https, verify=False, timeout=20) as client:  # noqa: S501 - it signed itself
        yield client


def test_plain_http_is_sent_to_https(front: Front) -> None:
    answer = httpx.get(f"{front.http}/api/v1/data/status?a=b", headers={"Host": "attribution.example.org"})
    assert answer.status_code == 308
    assert answer.headers["location"] == "https://attribution.example.org/api/v1/data/status?a=b"


@pytest.mark.parametrize(
    ("version", "is_spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_only_current_versions_of_tls_are_spoken(front: Front, version: ssl.TLSVersion, is_spoken: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else this side refuses the old one
    with pytest.warns(DeprecationWarning, match="TLSv1_1") if not is_spoken else nullcontext():
        context.minimum_version = context.maximum_version = version
    with socket.create_connection((LOOPBACK, front.port), timeout=10) as plain:
        if not is_spoken:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(plain)
            return
        with context.wrap_socket(plain) as tls:
            assert tls.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]


def test_answers_carry_the_api_s_headers_and_no_version_of_the_proxy(client: httpx.Client, front: Front) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["server"] == "nginx"
    key = {"X-API-Key": front.api.key}
    assert client.get("/api/v1/data/status", headers=key).status_code == 200
    assert client.get("/api/v1/data/status").status_code == 401


def test_http_2_is_offered(front: Front) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((LOOPBACK, front.port), timeout=10) as plain, context.wrap_socket(plain) as tls:
        assert tls.selected_alpn_protocol() == "h2"


def test_a_session_behind_the_proxy_is_secure(client: httpx.Client, front: Front) -> None:
    command = [sys.executable, "-P", "-m", "cli", "user", "create", "ada@example.org", "--role", "viewer"]
    subprocess.run(command, input=PASSWORD.encode(), env=dict(front.api.environment), check=True, capture_output=True)
    answer = client.post(LOGIN, json={"user": "ada@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["set-cookie"].startswith("__Host-attribution_session=")
    assert "Secure" in answer.headers["set-cookie"]


def test_an_address_that_a_client_claims_does_not_count(client: httpx.Client) -> None:
    """Guesses are counted by address; other addresses in every header do not help."""
    statuses = []
    for number in range(40):
        claimed = f"203.0.113.{number}"
        headers = {"X-Forwarded-For": claimed, "Forwarded": f"for={claimed}", "X-Real-IP": claimed}
        statuses.append(client.get("/api/v1/data/status", headers={**headers, "X-API-Key": f"x{number}.y"}).status_code)
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_events_come_at_once_and_the_stream_stays_open(client: httpx.Client, front: Front) -> None:
    began, at = time.monotonic(), []
    with client.stream("GET", "/api/v1/stream/conversions", headers={"X-API-Key": front.api.key}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for _ in answer.iter_raw():
            at.append(time.monotonic() - began)
            if len(at) == 5:
                break
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert max(gaps) < 3
    assert sum(gap > 0.1 for gap in gaps) >= 2, "beats of the heart came bundled: something held them back"


def test_bodies_have_a_bound(client: httpx.Client, front: Front) -> None:
    answer = client.post("/api/v1/data/touchpoints", content=b"x" * 17_000_000, headers={"X-API-Key": front.api.key})
    assert answer.status_code == 413
    assert "problem+json" not in answer.headers["content-type"], "the proxy's own answer"


def test_sign_in_is_slowed_down_before_the_api_sees_it(client: httpx.Client) -> None:
    answers = [
        client.post(LOGIN, json={"user": f"user{i}@example.org", "password": PASSWORD + str(i)}) for i in range(24)
    ]
    by_proxy = [a for a in answers if a.status_code == 429 and "problem+json" not in a.headers["content-type"]]
    assert len(by_proxy) >= 5
    assert answers[0].status_code in {401, 429}
    assert {a.status_code for a in answers} <= {401, 429}


def test_the_log_holds_no_key_of_a_query(client: httpx.Client, front: Front) -> None:
    client.post("/mp/collect?measurement_id=G-1&api_secret=0123456789abcdef.topsecret", json={})
    log = Path(front.api.log.parent) / "access.log"
    deadline = time.monotonic() + 120
    while "/mp/collect" not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "topsecret" not in log.read_text(encoding="utf-8")
    assert "api_secret" not in log.read_text(encoding="utf-8")
