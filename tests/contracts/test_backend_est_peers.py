"""Programs that others wrote enrol with our CA: strongSwan's pki, and curl with openssl."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.record import signing
from tests.support.backend import Backend
from tests.support.enrolment import EST, let_in

pytestmark = pytest.mark.slow


def run(*words: object, given: bytes | None = None) -> bytes:
    """Run one program to its end. Raises CalledProcessError, with what it said."""
    told = [str(word) for word in words]
    ran = subprocess.run(told, input=given, capture_output=True, check=False, timeout=30)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    return ran.stdout


def request(folder: Path, name: str, device_id: str) -> tuple[Path, Path]:
    """A new key and a request for it, by pki."""
    key, asked = folder / f"{name}.key", folder / f"{name}.req"
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    run("openssl", "genpkey", *curve, "-out", key)
    made = run("pki", "--req", "--type", "priv", "--in", key, "--dn", f"CN={device_id}")
    asked.write_bytes(made)
    return key, asked


def est(backend: Backend, asked: Path, *how: object) -> bytes:
    known = ("--url", backend.base_url, "--cacert", backend.ca_file, "--in", asked)
    return run("pki", "--est", *known, "--outform", "pem", *how)


def test_pki_reads_the_ca(guarded: Backend, tmp_path: Path) -> None:
    known = ("--url", guarded.base_url, "--cacert", guarded.ca_file)

    run("pki", "--estca", *known, "--caout", tmp_path / "ca", "--outform", "pem")

    read = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    assert read == x509.load_pem_x509_certificate(guarded.ca_file.read_bytes())


def test_pki_enrols_renews_and_has_its_signing_key_certified(
    guarded: Backend, tmp_path: Path
) -> None:
    device_id, token = let_in(guarded)
    first_key, asked = request(tmp_path, "first", device_id)
    first = tmp_path / "first.pem"
    first.write_bytes(est(guarded, asked, "--userpass", f"{device_id}:{token}"))
    second_key, asked = request(tmp_path, "second", device_id)
    second = tmp_path / "second.pem"
    second.write_bytes(est(guarded, asked, "--cert", first, "--key", first_key))
    _, asked = request(tmp_path, "label", device_id)

    over_tls = ("--cert", second, "--key", second_key)
    evidence = x509.load_pem_x509_certificate(est(guarded, asked, "--label", "evidence", *over_tls))

    usage = evidence.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    listed = guarded.command("devices", "list")
    public = evidence.public_key()
    assert isinstance(public, signing.PublicKey)
    assert f"signs with {signing.thumbprint(public)}" in listed


def curl(backend: Backend, path: str, *how: object) -> tuple[int, bytes]:
    """The status and the body; `--fail` is not said, so that a refusal's words are seen."""
    said = run(
        *("curl", "--silent", "--show-error", "--cacert", backend.ca_file),
        *("--write-out", "\n%{http_code}", *how, backend.base_url + path),
    )
    body, _, status = said.rpartition(b"\n")
    return int(status), body


def test_curl_and_openssl_enrol(guarded: Backend, tmp_path: Path) -> None:
    device_id, token = let_in(guarded)
    asked, key = tmp_path / "asked", tmp_path / "key.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)
    der = run("openssl", "req", "-new", *kind, "-subj", f"/CN={device_id}", "-outform", "DER")
    asked.write_bytes(run("openssl", "base64", given=der))
    body = ("--data-binary", f"@{asked}", "--header", "Content-Type: application/pkcs10")

    status, answer = curl(guarded, f"{EST}/simpleenroll", *body, "--user", f"{device_id}:{token}")

    assert status == 200
    cms = run("openssl", "base64", "-d", given=answer)
    pem = run("openssl", "pkcs7", "-inform", "DER", "-print_certs", given=cms)
    (tmp_path / "got.pem").write_bytes(pem)
    run("openssl", "verify", "-CAfile", guarded.ca_file, tmp_path / "got.pem")
    over_tls = ("--cert", tmp_path / "got.pem", "--key", key)
    status, answer = curl(guarded, f"{EST}/evidence/simpleenroll", *body, *over_tls)
    assert status == 200
    assert curl(guarded, "/fleet", *over_tls)[0] == 200
