"""Fleet documents for tests: a fleet key, keys that it names, and what else they may say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from agent.record import certificates, signing
from agent.trust.fleet import TYPE
from tests.support.authority import new_authority
from tests.support.device import Reachable
from tests.support.roads import KEY
from tests.support.sealed import NAMES


def entry(key: signing.PrivateKey, until: str | None = None) -> dict[str, Any]:
    """Make an entry of the keys that a document lists."""
    return {"jwk": signing.jwk(key.public_key()), "until": until}


def kid(key: signing.PrivateKey) -> str:
    return signing.thumbprint(key.public_key())


def signed_fleet(payload: object, key: signing.PrivateKey, typ: str | None = TYPE) -> str:
    return signing.sign(payload, key, typ=typ)  # type: ignore[arg-type]  # also what is no object


@dataclass
class FleetOffice:
    """The signer of fleet documents; at first one key is for receipts and manifests.

    Attributes:
        key: the fleet key that devices are given.
        keys: keys that may sign receipts and manifests.
    """

    key: signing.PrivateKey = field(default_factory=signing.new_key)
    keys: tuple[signing.PrivateKey, ...] = (KEY,)

    def payload(self, version: int = 1, **changes: Any) -> dict[str, Any]:
        listed = [entry(key) for key in self.keys]
        return {
            "v": 1,
            "version": version,
            "receipt_keys": listed,
            "manifest_keys": listed,
            "revoked": [],
            "recipients": NAMES,
            "next_fleet_key": None,
            "next_ca": None,
        } | changes

    def document(self, version: int = 1, **changes: Any) -> str:
        """Make the backend's answer at {base}/fleet."""
        return signed_fleet(self.payload(version, **changes), self.key)


def fleet_document(key: signing.PrivateKey, version: int = 1, **changes: Any) -> str:
    """Sign a document by this fleet key, which it names for receipts and manifests too."""
    return FleetOffice(key, (key,)).document(version, **changes)


def identity(
    folder: Path, office: FleetOffice, backend: Reachable | None = None
) -> dict[str, dict[str, Any]]:
    """Return the tables `[identity]` and `[backend]` of this fleet's device; write their files.

    A TLS server of its own serves as a backend: the fleet's CA is that server's. With a backend,
    the device has a certificate by it to show.
    """
    fleet_key, ca = folder / "fleet-key.pem", folder / "ca.pem"
    folder.mkdir(parents=True, exist_ok=True)
    fleet_key.write_bytes(signing.public_pem(office.key.public_key()))
    if backend is None:
        trustme.CA().cert_pem.write_to_path(str(ca))
    else:
        ca.write_bytes(backend.ca_file.read_bytes())
    towards: dict[str, Any] = {"receipt_keys": []}
    if backend is not None:
        towards["url"] = backend.base_url
        _show(folder)
    required = {"mode": "required", "ca": str(ca), "fleet_key": str(fleet_key)}
    return {"identity": required, "backend": towards}


def _show(folder: Path) -> None:
    """Write a TLS identity, which no server of these tests asks for."""
    keys = folder / "state" / "keys" / "sync"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = signing.new_key()
    leaf = new_authority().issue(key.public_key(), "van-7")
    (keys / "tls.pem").write_bytes(signing.private_pem(key) + certificates.pem([leaf]))
