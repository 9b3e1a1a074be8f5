"""A register over a folder and the CA that signs for it, without a wire."""

from datetime import datetime
from pathlib import Path
from typing import Final

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.admission import objection
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.clients import ClientCertificate, ClientKind, Clients
from doorstep_backend.identity.known import IssuedCertificate
from doorstep_backend.identity.names import Names
from doorstep_backend.identity.register import Register
from tests.support.demo_office import NOON

VAN: Final = "van-7"


class Issuer:
    """A register and its CA, which issue certificates to devices, clients and technicians.

    Where a test gives no key, the certificate is for a new one.
    """

    def __init__(self, folder: Path, ca: keys.Certificates) -> None:
        self.authority = Authority.of(ca.folder)
        self.register, self.clients = Register(folder), Clients(folder)
        self.names = Names(folder, ca.chain_file)

    def enrol(
        self, key: signing.PrivateKey | None = None, now: datetime = NOON
    ) -> IssuedCertificate:
        public = _public(key)
        issue = self.authority.tls
        return self.register.enrol(VAN, public, now, lambda: issue(VAN, public, now))

    def renew(
        self, key: signing.PrivateKey | None = None, now: datetime = NOON, device_id: str = VAN
    ) -> IssuedCertificate:
        public = _public(key)
        issue = self.authority.tls
        return self.register.renew(device_id, public, now, lambda: issue(device_id, public, now))

    def vouch(
        self, key: signing.PrivateKey | None = None, device_id: str = VAN
    ) -> IssuedCertificate:
        public = _public(key)
        issue = self.authority.evidence
        return self.register.vouch(device_id, public, NOON, lambda: issue(device_id, public))

    def serve(
        self, key: signing.PrivateKey, *names: str, now: datetime = NOON
    ) -> IssuedCertificate:
        public = key.public_key()
        issue = self.authority.serve
        return self.register.serve(VAN, public, names, now, lambda: issue(VAN, public, names, now))

    def client(self, name: str, kind: ClientKind = ClientKind.CLIENT) -> ClientCertificate:
        made = self.authority.client(name, _public(None), NOON)
        self.clients.add(name, made, kind)
        found = self.clients.find(made.serial_number)
        assert found is not None
        return found

    def again(self, known: IssuedCertificate) -> IssuedCertificate:
        """Return the certificate as the register has it now."""
        found = self.register.find(int(known.serial, 16))
        assert found is not None
        return found

    def said(
        self, known: IssuedCertificate, now: datetime = NOON, path: str = "/files"
    ) -> str | None:
        """Return what is objected to a request with this certificate."""
        return objection(self.again(known), now, path)


def _public(key: signing.PrivateKey | None) -> signing.PublicKey:
    return (key or signing.new_key()).public_key()
