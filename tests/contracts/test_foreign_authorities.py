"""Certificates as files, by authorities that others wrote: from the request to the receipt."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509

from agent.record import signing
from tests.support import nginx
from tests.support.backend import Backend
from tests.support.device import Device, device
from tests.support.fleet_documents import FleetOffice
from tests.support.foreign_authorities import ForeignAuthority, OpensslCa, OpensslX509, Pki

pytestmark = pytest.mark.slow

LINES: Final = """\
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client on;
        client_max_body_size 20m;
        location = /fleet {{ alias {document}; default_type application/jose; }}
        location / {{ proxy_pass {upstream}; proxy_set_header Host $http_host; }}
"""
"""Mutual TLS by the foreign authority, the fleet document as a file, and the rest by a backend."""

USES: Final = ("tls", "evidence", "serve")


@dataclass
class Depot:
    """A device, and a company with its own authority and a backend behind nginx."""

    device: Device
    authority: ForeignAuthority
    folder: Path

    def ask(self) -> dict[str, Path]:
        """Write the requests; return them by their use."""
        ended = self.device.run("enrol", "--csr", str(self.folder))
        assert (ended.returncode, ended.stderr) == (0, "")
        return {use: self.folder / f"van-7-{use}.csr" for use in USES}

    def answer(self, *files: Path) -> tuple[int, str]:
        ended = self.device.run("enrol", "--certificate", *map(str, files))
        return ended.returncode, ended.stdout + ended.stderr

    def enrol(self) -> x509.Certificate:
        """Have all requests answered; return the TLS certificate."""
        files = {use: self.authority.sign(csr) for use, csr in self.ask().items()}
        code, said = self.answer(*files.values())
        assert code == 0, said
        return x509.load_pem_x509_certificate(files["tls"].read_bytes())

    def deliver(self) -> None:
        self.device.press()
        ended = self.device.run("sync", "--once")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.endswith(" delivered, 0 waiting\n")

    def status(self) -> dict[str, Any]:
        self.device.start("sync")
        try:
            told: dict[str, Any] = json.loads(self.device.run("status", "--json").stdout)
        finally:
            self.device.stop("sync")
        return told

    def verdict(self) -> str:
        """Return the verdict on the device's records, by its evidence certificate."""
        layout, folder = self.device.layout, self.folder.parent / "evidence"
        shutil.copytree(layout.records, folder)
        shutil.copy(layout.trust / "evidence.pem", folder)
        ca = ("--ca", str(self.authority.ca_file))
        told = json.loads(self.device.run("verify", str(folder), "--json", *ca).stdout)
        return str(told["verdict"])

    def shown(self) -> set[int]:
        """Return the serials of the certificates that nginx verified."""
        lines = (self.folder.parent / "nginx/access.log").read_text().split("\n")[:-1]
        words = [line.split() for line in lines]
        assert {each[2] for each in words} == {"SUCCESS"}
        return {int(each[3], 16) for each in words}


@contextmanager
def depot(folder: Path, authority: ForeignAuthority) -> Iterator[Depot]:
    backend = Backend(folder / "backend", switches=False).start()
    try:
        signs = signing.read_public_key(backend.receipt_key_file, "the receipt key")
        office = FleetOffice()
        listed = [{"jwk": signing.jwk(signs), "until": None}]
        document = folder / "fleet.jws"
        document.write_text(office.document(receipt_keys=listed))
        certificate, key = authority.server()
        names = {"certificate": certificate, "key": key, "ca": authority.ca_file}
        lines = LINES.format(document=document, upstream=backend.base_url, **names)
        fleet_key = folder / "fleet-key.pem"
        fleet_key.write_bytes(signing.public_pem(office.key.public_key()))
        identity = {"mode": "required", "certificates": "files", "fleet_key": str(fleet_key)}
        with (
            nginx.minimal(folder / "nginx", lines) as url,
            device(
                folder / "van",
                identity={**identity, "ca": str(authority.ca_file)},
                backend={"url": url, "receipt_keys": []},
                policy={"manifest": "off", "credentials": "on"},
                serve={"names": ["van-7.example"]},
            ) as van,
        ):
            yield Depot(van, authority, folder / "csr")
    finally:
        backend.stop()


@pytest.mark.parametrize("kind", [OpensslCa, OpensslX509, Pki])
def test_device_enrols_delivers_and_renews_by_files(
    tmp_path: Path, kind: type[ForeignAuthority]
) -> None:
    """`openssl ca` gives no second valid certificate to a name, so a renewal has another one."""
    with depot(tmp_path, kind(tmp_path / "authority")) as there:
        first = there.enrol()
        there.device.start("capture")
        there.deliver()
        told = there.status()
        assert datetime.fromisoformat(told["identity"]["tls_until"]) <= first.not_valid_after_utc
        assert told["identity"]["evidence_until"] is not None
        assert "certificate_ends" not in told["needs"]
        assert ("credentials" in told["needs"]) is (kind is Pki)

        there.ask()
        del (asked := there.ask())["serve"]  # its name stays the same
        files = [there.authority.sign(csr) for csr in asked.values()]
        code, said = there.answer(*files)
        assert code == 0, said
        there.deliver()

        second = x509.load_pem_x509_certificate(files[0].read_bytes())
        assert there.shown() == {first.serial_number, second.serial_number}
        assert there.verdict().startswith("holds")


def test_default_configuration_of_openssl_ca_takes_each_request(tmp_path: Path) -> None:
    """The authority copies no usage, so only evidence is right; the message says what to change."""

    class Default(OpensslCa):
        copies = False

    with depot(tmp_path, Default(tmp_path / "authority")) as there:
        files = [there.authority.sign(csr) for csr in there.ask().values()]

        code, said = there.answer(*files)

    assert code == 65
    assert "van-7-tls.pem: not a certificate for TLS: no clientAuth" in said
    assert "van-7-serve.pem: not a certificate for a server: no serverAuth" in said
    assert "let the authority copy it" in said
    assert "van-7-evidence.pem: verified, and kept, until" in said
