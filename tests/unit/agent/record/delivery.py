"""A photo on its way: a simulated device, enrolled at the reference backend."""

import shutil
from pathlib import Path
from typing import Final

from agent.record import signing
from agent.trust.store import TrustStore
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.sealed import IDENTITY_FILE

WORLD: Final = "[[at]]\npress = 1\ndoor = 1\n"


class Delivery:
    """`folder` has what an outsider is handed, under the page's names."""

    def __init__(self, folder: Path, backend: Backend, van: Device) -> None:
        self.backend, self.folder = backend, folder
        self.label = van.press()["label"]
        self.key = signing.read_private_key(van.layout.capture_keys / "device.pem")
        ended = van.run("sync", "--once")
        assert ended.returncode == 0, ended.stderr
        folder.mkdir(parents=True)
        self.record = backend.received_file(self.label["capture_id"])
        shutil.copy(self.record, folder / "photo.rec")
        shutil.copy(backend.ca_file, folder / "fleet-ca.pem")
        shutil.copy(backend.fleet_key_file, folder / "fleet-key.pem")
        shutil.copy(backend.data / "revoked.jws", folder)
        (folder / "device.pem").write_bytes(TrustStore(van.layout).certificate("evidence") or b"")
        (folder / "identity.txt").write_text(IDENTITY_FILE)
        verdict = Store(backend.data).verdict(self.label["capture_id"])
        assert verdict is not None
        (folder / "receipt.jws").write_text(f"{verdict.jws}\n")
