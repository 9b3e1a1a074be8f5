"""What tests of enrolment share: a device that is to be enrolled, and where."""

from dataclasses import dataclass

import pytest

from agent.__main__ import main
from agent.identity.tls_identity import Identity, IdentityStore
from agent.record import certificates, signing
from agent.record.certificates import Expected
from agent.trust import fleet
from agent.trust.store import TrustStore
from tests.support.device import Device
from tests.support.est import (
    EstServer,
)

FLEET_KEY = signing.new_key()


@dataclass
class Bench:
    """A device that is to be enrolled, and where."""

    device: Device
    server: EstServer
    capsys: pytest.CaptureFixture[str]

    def enrol(self, *words: str, token: str | None = "blue-42", url: str | None = None) -> int:
        where = [url or self.server.url, *words]
        if token is not None:
            file = self.device.folder / "token"
            file.write_text(token + "\n")
            where += ["--token", str(file)]
        return main(["enrol", *where, "--config", str(self.device.config)])

    def said(self) -> str:
        out = self.capsys.readouterr()
        return out.out + out.err

    def identity(self) -> Identity | None:
        trusted = (self.server.authority.certificate,)
        return IdentityStore(self.device.layout).read(Expected("van-7", trusted))

    def evidence(self) -> certificates.Chain | None:
        text = TrustStore(self.device.layout).evidence()
        return None if text is None else certificates.read_pem(text)

    def fleet_version(self) -> int:
        tokens = TrustStore(self.device.layout).fleet()
        return fleet.walk(tokens, FLEET_KEY.public_key()).version

    def kept(self) -> dict[str, bytes]:
        """Every file of the identity, and of what is believed."""
        layout = self.device.layout
        folders = (layout.sync_keys, layout.capture_keys, layout.trust)
        return {
            str(path): path.read_bytes()
            for folder in folders
            if folder.exists()
            for path in folder.iterdir()
        }
