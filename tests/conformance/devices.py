"""The devices of a run, and the keys that may sign receipts, by profile."""

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.x509.oid import NameOID

from agent.record import signing
from agent.record.receipt import Keys, read_keys
from tests.conformance.target import Device, Target
from tests.support.factory import RecordMaker


def new_devices(count: int) -> list[Device]:
    """Return devices without a certificate, unknown to every backend."""
    makers = (RecordMaker.begun(f"conformance-{uuid4()}") for _ in range(count))
    return [Device(maker) for maker in makers]


def read_device(folder: Path) -> Device:
    """Read a device's `tls.pem` and `device.pem`; its id is the CN of its certificate.

    Raises:
        ConfigError: device.pem is no key.
        OSError, ValueError: tls.pem has no certificate.
    """
    tls = folder / "tls.pem"
    certificate = x509.load_pem_x509_certificate(tls.read_bytes())
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise ValueError(f"{tls}: the certificate's subject has no CN")
    key = signing.read_private_key(folder / "device.pem")
    return Device(RecordMaker(str(names[0].value), key=key), tls)


def given_keys(receipt_key: Path) -> Callable[[Target], Keys]:
    """Return the keys of `backend.receipt_keys`. Raises ConfigError."""
    keys = read_keys([receipt_key])
    return lambda _target: keys


def read_devices(folders: Sequence[Path]) -> Callable[[Target], Sequence[Device]]:
    """Read the devices of `--device`. Raises as `read_device` does."""
    devices = [read_device(folder) for folder in folders]
    return lambda _target: devices
