"""Parts that tests of enrolment share: a device to enrol, and a backend."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.__main__ import main
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.record import certificates, signing
from agent.record.certificates import Expected
from agent.trust import fleet
from agent.trust.store import TrustStore
from tests.support.device import Device
from tests.support.est import PREFIX, Answered, Asked, EstServer

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

    def answers(self, path: str, answer: Answered | Callable[[Asked], Answered]) -> None:
        """Give this answer at one of the authority's paths from now on."""

        def script(asked: Asked) -> Answered | None:
            if asked.path != PREFIX + path:
                return None
            return answer if isinstance(answer, Answered) else answer(asked)

        self.server.script = script

    def is_enrolled(self) -> bool:
        return (self.device.layout.sync_keys / "tls.pem").exists()

    def identity(self) -> TlsIdentity:
        trusted = (self.server.authority.certificate,)
        found = IdentityStore(self.device.layout).read(Expected("van-7", trusted))
        assert found is not None
        return found

    def expire(self) -> None:
        """Replace the certificate by one that ended a year ago, as after a long sleep."""
        identity, began = self.identity(), datetime.now(UTC) - timedelta(days=730)
        old = self.server.authority.issue(identity.key.public_key(), "van-7", starts=began)
        IdentityStore(self.device.layout).install(replace(identity, chain=(old,)))

    def evidence(self) -> certificates.CertificateChain:
        text = TrustStore(self.device.layout).certificate("evidence")
        return () if text is None else certificates.read_pem(text)

    def has_evidence_for_its_key(self) -> bool:
        key = signing.read_private_key(self.device.layout.capture_keys / "device.pem")
        return certificates.is_for(self.evidence()[0], key.public_key())

    def fleet_version(self) -> int:
        tokens = TrustStore(self.device.layout).fleet()
        return fleet.document_in_force(tokens, FLEET_KEY.public_key()).version

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
