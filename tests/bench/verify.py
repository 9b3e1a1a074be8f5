"""The time that somebody waits who checks a thousand records with `doorstep verify`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.record import signing
from tests.bench.frame import Figure, Rig, run_ms
from tests.support.device import Device
from tests.support.outsider import Office
from tests.support.photographed import PLAIN, Camera
from tests.support.sealed import IDENTITY_FILE

PHOTO_BYTES: Final = 400_000
"""A photo at 2304x1296 has 300,000 to 415,000."""

VERIFY_S: Final = 10.0
"""For a thousand: what somebody waits for without doing something else."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Verify a thousand records; fewer of them in a quick run, calculated for a thousand."""
    folder, number = rig.folder / "outsider", rig.times(1_000, 100)
    words, device = _hand_over(folder, number), Device(rig.folder / "elsewhere")

    def verify() -> None:
        told = device.run("verify", str(folder), *words)
        if not told.stdout.endswith("holds: everything verifies\n"):
            raise RuntimeError(f"it does not verify:\n{told.stdout[-500:]}{told.stderr}")

    taken_s = [run_ms(verify) / number for _ in range(3)]  # ms each are s for a thousand
    name = "doorstep verify of 1,000 sealed photos of 400 KB"
    note = (
        "opened, with Content Credentials, certificate, receipts and the list of revoked keys; "
        "the whole process"
    )
    yield Figure(name, "s", taken_s, at_most=VERIFY_S, note=note)


def _hand_over(folder: Path, number: int) -> list[str]:
    """Write what an outsider gets; return the options that name it."""
    (folder / "receipts").mkdir(parents=True)
    camera, office, receipts = Camera(seals=True), Office(), []
    noise = os.urandom(PHOTO_BYTES).replace(b"\xff", b"\xfe")
    for _ in range(number):
        made = camera.make(plain=PLAIN[:-2] + noise + PLAIN[-2:])
        made.into(folder)
        receipts.append(office.receipt(made))
    (folder / "receipts/all.jws").write_text("\n".join(receipts))
    (folder / "revoked.jws").write_text(office.listed())
    (folder / "van-7.pem").write_bytes(camera.certificate_pem)
    words = []
    for name, content in {
        "ca": camera.authority.pem,
        "fleet-key": signing.public_pem(office.fleet_key.public_key()),
        "identity": IDENTITY_FILE.encode(),
    }.items():
        path = folder.parent / f"outsider-{name}"
        path.write_bytes(content)
        words += [f"--{name}", str(path)]
    return words
