"""The backend behind a real nginx: whose certificate is passed on, and whose word is not."""

import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.keys import Certificates
from tests.support import nginx
from tests.support.backend import REPOSITORY, Backend, run_to_end
from tests.support.enrolment import (
    Enrolled,
    EnrolledDevice,
    ask,
    asked,
    certificate_in,
    enrolled,
    expired,
    kept,
)
from tests.support.factory import new_id
from tests.support.instances import address, instance, raw, told
from tests.support.wire import proven, record, speaking_to, tls_line

pytestmark = pytest.mark.slow

# --- certificates


def test_a_device_enrols_and_delivers(proxied: EnrolledDevice, behind: Backend) -> None:
    """The backend gets addresses of nginx, and not those of the instance."""
    answer = proxied.send(proxied.wire())

    assert answer.status_code == 201
    assert answer.headers["Location"].startswith(f"{behind.base_url}/files/")
    assert proven(behind.receipt_key_file, answer.headers["Doorstep-Receipt"])


def test_an_expired_certificate_renews_itself_and_does_nothing_else(
    behind: Backend, tmp_path: Path
) -> None:
    slept = expired(behind, tmp_path)

    with speaking_to(behind.base_url, behind.ca_file, slept.files) as wire:
        refused = wire.get("/fleet")
    body = asked(slept.device_id, signing.new_key())
    renewed = ask(behind, "simplereenroll", body, cert=slept.files)

    assert refused.status_code == 403
    assert refused.text.startswith("certificate expired on ")
    assert certificate_in(renewed).not_valid_after_utc > datetime.now(UTC)


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=400)], ids=["live", "expired"])
def test_a_forged_certificate_is_nobodys(
    proxied: EnrolledDevice, tmp_path: Path, age: timedelta
) -> None:
    """With the name of the fleet's CA, and of a device; nginx tells the old one as expired."""
    key, then = signing.new_key(), datetime.now(UTC) - age
    true = Authority.of(proxied.backend.data / "ca")
    forger = Authority(true.certificate, signing.new_key())
    made = forger.tls(proxied.device_id, key.public_key(), then)

    answer = proxied.get(identity=kept(tmp_path, proxied.device_id, made, key))

    assert answer.status_code == 403
    assert answer.text.startswith("no certificate")


def test_a_certificate_for_signatures_is_nobodys(proxied: EnrolledDevice, tmp_path: Path) -> None:
    made = certificate_in(
        ask(
            proxied.backend,
            "evidence/simpleenroll",
            asked(proxied.device_id, proxied.maker.key),
            cert=proxied.identity.files,
        )
    )

    answer = proxied.get(identity=kept(tmp_path, proxied.device_id, made, proxied.maker.key))

    assert answer.status_code == 403
    assert answer.text.startswith("no certificate")


# --- the header


def escaped(identity: Enrolled) -> str:
    """As nginx passes it on."""
    return quote(identity.certificate_file.read_text(), safe="")


@pytest.mark.parametrize(
    "names",
    [
        ["Ssl-Client-Cert"],
        ["ssl-client-cert"],
        ["SSL-CLIENT-CERT"],
        ["Ssl_Client_Cert"],
        ["Ssl-Client-Cert", "Ssl-Client-Cert"],
        ["Ssl-Client-Cert", "Ssl_Client_Cert", "ssl-client-cert"],
    ],
    ids="+".join,
)
def test_a_client_that_says_the_header_itself_gains_nothing(
    proxied: EnrolledDevice, behind: Backend, tmp_path: Path, names: list[str]
) -> None:
    """Neither one without a certificate, nor a device that would be another one."""
    said = [f"{name}: {escaped(proxied.identity)}" for name in names]
    content = record(proxied.maker, capture_id := new_id())
    proxied.wire().post(capture_id, content)
    other = enrolled(behind, tmp_path, f"van-{uuid4()}")
    head = f"HEAD /files/{capture_id}"

    assert raw(behind, head, said) == 403
    assert raw(behind, head, said, other) == 403
    assert raw(behind, "GET /fleet", said, other) == 200
    assert raw(behind, head, said, proxied.identity) == 200


def test_address_is_believed_of_the_proxy_alone(proxied: EnrolledDevice, behind: Backend) -> None:
    said = [f"Ssl-Client-Cert: {escaped(proxied.identity)}"]
    statuses = []
    for source in ("127.0.0.1", "127.0.0.2"):
        target = ("127.0.0.1", behind.port)
        with socket.create_connection(target, 10, (source, 0)) as line:
            statuses.append(told(line, "GET /fleet", said))

    assert statuses == [200, 403]


def test_address_is_believed_by_an_instance_behind_a_proxy_alone(tmp_path: Path) -> None:
    """The settings are the same, with TLS of its own: there the connection says whose it is."""
    with instance(tmp_path / "backend", behind_proxy=False) as backend:
        identity = enrolled(backend, tmp_path, "van-7")
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            said = {"Ssl-Client-Cert": escaped(identity)}
            answer = wire.get("/fleet", **said)

    assert answer.status_code == 403


def test_backend_makes_no_key_and_does_not_start_without_a_proxy(tmp_path: Path) -> None:
    data = tmp_path / "backend"

    ran = run_to_end(data, "--behind-proxy")

    assert ran.returncode == 1
    assert ran.stderr.startswith("backend.toml: proxy names nobody")
    assert not data.exists()


def test_nginx_is_known_by_a_name_of_the_servers_next_certificate(tmp_path: Path) -> None:
    """To a client that trusts the fleet's CA, as devices do; the first one had no such name."""
    with instance(tmp_path / "backend") as backend:
        ca = keys.certificates(backend.data / "ca")
        with (
            nginx.before([address(backend)], ca, tmp_path / "first") as url,
            pytest.raises(ssl.SSLCertVerificationError, match=r"fleet\.example"),
        ):
            shake_hands(url, ca, "fleet.example")

        backend.command("certificate", "fleet.example")

        with nginx.before([address(backend)], ca, tmp_path / "next") as url:
            shake_hands(url, ca, "fleet.example")
            shake_hands(url, ca, "127.0.0.1")


def shake_hands(url: str, ca: Certificates, name: str) -> None:
    """Asks who is there to show that it is `name`. Raises ssl.SSLCertVerificationError."""
    tls_line(int(url.rpartition(":")[2]), ca.ca_file, name=name).close()


def test_backend_listens_at_the_given_address(tmp_path: Path) -> None:
    (tmp_path / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    told = [sys.executable, "-m", "doorstep_backend", "--data", str(tmp_path), "--behind-proxy"]
    with subprocess.Popen(
        [*told, "127.0.0.3"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()

    assert line.startswith("ready url=http://127.0.0.3:")
