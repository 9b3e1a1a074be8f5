"""The operator of the smallest backend for the road, whose list of devices is a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from agent.record import certificates, signing
from doorstep_backend.identity.authority import Authority
from tests.conformance.operators.commanded import Actions, commanded
from tests.conformance.operators.smallest import write_manifest
from tests.support.enrolment import kept
from tests.support.fleet_documents import fleet_document
from tests.support.small_backends import SmallBackend

LONG_AGO = timedelta(days=395)
"""A certificate of then ended a month ago."""

DEVICES = "van-1", "van-2"
"""Devices in the list; the first one has a manifest."""


def new_device(
    authority: Authority, device_id: str, own: Path, now: datetime | None = None
) -> signing.PrivateKey:
    """Make the folder of a device that no backend knows, as `--device` takes it.

    Returns:
        The key that signs its records.
    """
    key, tls_key = signing.new_key(), signing.new_key()
    made = authority.tls(device_id, tls_key.public_key(), now or datetime.now(UTC))
    own.mkdir(exist_ok=True)
    kept(own, device_id, made, tls_key).into(own)
    (own / "device.pem").write_bytes(signing.private_pem(key))
    return key


@contextmanager
def operated(backend: SmallBackend, folder: Path) -> Iterator[list[str]]:
    """Run a backend; give the words of a conformance command for it, and its operator.

    The key that signs receipts is the fleet key too.
    """
    authority = Authority.of(folder / "ca")
    words = ["--profile", "routes", "--ca", str(backend.ca_file)]
    words += ["--fleet-key", str(backend.receipt_key_file)]
    (backend.data / "evidence").mkdir(parents=True)
    key = signing.read_private_key(folder / "receipt.pem")
    (backend.data / "fleet.jws").write_text(fleet_document(key))
    for device_id in DEVICES:
        let_in(backend, authority, device_id, folder / device_id)
        words += ["--device", str(folder / device_id)]
    write_manifest(backend, DEVICES[0])
    with backend, commanded(actions(backend, authority)) as command:
        yield [backend.base_url, *words, "--operator", command]


def let_in(
    backend: SmallBackend,
    authority: Authority,
    device_id: str,
    own: Path,
    now: datetime | None = None,
) -> None:
    """Make the folder of a device, and put it on the list."""
    key = new_device(authority, device_id, own, now)
    made = authority.evidence(device_id, key.public_key())
    (backend.data / f"evidence/{device_id}.pem").write_bytes(certificates.pem([made]))


def actions(backend: SmallBackend, authority: Authority) -> Actions:
    """Return what the operator of this backend can do: everything but a change of the key."""

    def expired(folder: str) -> None:
        let_in(backend, authority, f"van-{uuid4()}", Path(folder), datetime.now(UTC) - LONG_AGO)

    return {
        "restart": backend.restart,
        "unlisted": lambda folder: new_device(authority, f"van-{uuid4()}", Path(folder)),
        "expired": expired,
        "change-route": lambda device_id: write_manifest(backend, device_id),
    }
