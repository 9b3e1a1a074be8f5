"""The machine's disk: built once for each state of what goes into it, kept in build/device/."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY
from tests.system.qemu import furnish, root, scene
from tests.system.qemu.machine import Image

BUILD: Final = REPOSITORY / "build/device"

SIZE: Final = "8G"
"""Size of the card; it is sparse, and some 2 GB are written."""

Say = Callable[[str], None]


def image(say: Say = print) -> Image:
    """The image as the sources ask for it now; builds what is missing (root, three to six minutes).

    An existing root folder is kept when the mirror has newer packages: `rm -r build/device`
    makes a new one.

    Raises:
        subprocess.CalledProcessError: a tool failed; build/device/build.log says why.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    key = _key()
    folder = _root(say)
    base = BUILD / f"base-{_digest(key)}.img"
    if not base.exists():
        say("making the disk")
        for old in BUILD.glob("*.img"):
            old.unlink()
        for old in BUILD.glob("*.qcow2"):  # they name a base that is gone
            old.unlink()
        furnish.furnish(folder, key.with_suffix(".pub").read_text(), scene.door(BUILD))
        _make_disk(folder, base)
    return Image(_one(folder, "vmlinuz-*"), _one(folder, "initrd.img-*"), base, key)


def _digest(key: Path) -> str:
    """Return the digest of the root folder and of all that is put into it."""
    told = [root.digest().encode(), key.with_suffix(".pub").read_bytes()]
    sources = [Path(furnish.__file__), Path(scene.__file__), *sorted(root.INSIDE.iterdir())]
    told += [path.read_bytes() for path in sources if path.is_file()]
    return hashlib.sha256(b"\0".join(told)).hexdigest()[:16]


def _root(say: Say) -> Path:
    folder, log = BUILD / f"root-{root.digest()}", BUILD / "build.log"
    if not folder.exists():
        say("building the root folder: mmdebstrap, kernel modules, picamera2 (3 to 6 minutes)")
        for old in BUILD.glob("root-*"):
            shutil.rmtree(old)
        part = BUILD / "root.part"
        root.build(part, log)
        part.rename(folder)
    return folder


def _key() -> Path:
    key = BUILD / "id"
    if not key.exists():
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rig", "-f", str(key)]
        subprocess.run(words, check=True)
    return key


def _make_disk(folder: Path, base: Path) -> None:
    part = base.with_suffix(".part")
    part.unlink(missing_ok=True)
    with part.open("wb"):
        subprocess.run(["truncate", "-s", SIZE, str(part)], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(folder), str(part)], check=True)
    part.rename(base)


def _one(folder: Path, pattern: str) -> Path:
    return next(iter(sorted((folder / "boot").glob(pattern))))
