"""The operator of a backend of the profile receipts: it has a process, and no more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.models import rfc3339
from agent.record import signing
from agent.rule.manifest import TYPE
from tests.conformance.operators.commanded import commanded
from tests.support.small_backends import SmallBackend

DEVICE: Final = "conformance-routed"
"""Device that has a manifest."""


def write_manifest(backend: SmallBackend, device_id: str) -> None:
    """Give a device a new manifest, of a higher version than the last one."""
    now = datetime.now(UTC)
    payload = {"v": 1, "version": time.time_ns() // 1000, "device_id": device_id, "stops": []}
    payload |= {"begins": rfc3339(now), "ends": rfc3339(now + timedelta(hours=12))}
    payload |= {"practice_codes": []}
    key = signing.read_private_key(backend.receipt_key_file.with_name("receipt.pem"))
    folder = backend.data / "manifests"
    folder.mkdir(exist_ok=True)
    (folder / f"{device_id}.jws").write_text(signing.sign(payload, key, typ=TYPE))


@contextmanager
def operated(backend: SmallBackend) -> Iterator[list[str]]:
    """Run a backend; give the words of a conformance command for it, and its operator."""
    backend.start()
    write_manifest(backend, DEVICE)
    words = [backend.base_url, "--profile", "receipts", "--ca", str(backend.ca_file)]
    words += ["--receipt-key", str(backend.receipt_key_file), "--manifest-of", DEVICE]
    try:
        with commanded({"restart": backend.restart}) as command:
            yield [*words, "--operator", command]
    finally:
        backend.kill()
