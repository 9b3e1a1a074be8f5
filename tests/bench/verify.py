"""`doorstep verify` of sealed photos, with all that vouches for them, beside hashing them."""

import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Final

from agent.record import signing
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.support.device import Device
from tests.support.outsider import Office
from tests.support.photographed import PLAIN, Camera
from tests.support.sealed import IDENTITY_FILE

PHOTO_BYTES: Final = 400_000
"""A photo at 2304x1296 has 300,000 to 415,000."""

AT_MOST_S: Final = 10.0
"""For a thousand: what somebody waits for without doing something else."""


def measure(rig: Rig) -> list[Figure]:
    """A thousand records; fewer of them in a quick run, told for a thousand."""
    folder, number = rig.folder / "outsider", rig.queued_records
    words = _hand_over(folder, number)
    device, per_thousand = Device(rig.folder / "elsewhere"), 1000 / number
    ours, cpu, bare = [], [], []
    for _ in range(3):
        used_s, began_s = _children_s(), time.monotonic()
        told = device.run("verify", str(folder), *words)
        ours.append((time.monotonic() - began_s) * per_thousand)
        cpu.append((_children_s() - used_s) * per_thousand)
        if not told.stdout.endswith("holds: everything verifies\n"):
            raise RuntimeError(f"it does not verify:\n{told.stdout[-500:]}{told.stderr}")
        bare.append(_hashed_s(folder) * per_thousand)
    return [
        Figure(
            "doorstep verify of 1,000 sealed photos of 400 KB",
            "s",
            ours,
            at_most=AT_MOST_S,
            note="opened, with Content Credentials, certificate, receipts and the list of revoked "
            "keys; the whole process",
        ),
        Figure("  of it, processor", "s", cpu),
        Figure("sha256sum of the same files", "s", bare, digits=2),
    ]


def _hand_over(folder: Path, number: int) -> list[str]:
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


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _hashed_s(folder: Path) -> float:
    files = sorted(folder.glob("*.rec"))
    began_s = time.monotonic()
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began_s
