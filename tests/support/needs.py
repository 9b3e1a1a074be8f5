"""What a rig needs of this machine: asked before it starts work, and told all at once."""

import os
import shutil
import sys
from glob import glob
from typing import Final

from tests.support.chrony import UNPACKED

PACKAGES: Final = {
    "chronyd": "chrony",
    "curl": "curl",
    "exiftool": "libimage-exiftool-perl",
    "fusermount3": "fuse3",
    "initdb": "postgresql",
    "ip": "iproute2",
    "mate-backgrounds": "mate-backgrounds",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nft": "nftables",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "scp": "openssh-client",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "strace": "strace",
    "unshare": "util-linux",
}
"""Debian's package by the command, or by another name of what a rig needs."""

ELSEWHERE: Final = {
    "chronyd": str(UNPACKED),
    "initdb": "/usr/lib/postgresql/*/bin/initdb",
    "mate-backgrounds": "/usr/share/backgrounds/mate",
}
"""Where to look for what need not be in a folder of PATH."""

SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
"""An ordinary user's PATH lacks it on Debian, and so does root's after `su` without `-`."""


def missing(*names: str) -> list[str]:
    """Return those of PACKAGES's `names` that this machine lacks, in their order."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    return [
        one
        for one in names
        if shutil.which(one, path=path) is None and not glob(ELSEWHERE.get(one, ""))  # noqa: PTH207
    ]


def told(*names: str, root: bool = False) -> str:
    """Return what is missing and what installs it, in sentences; nothing if all is there."""
    said = []
    if lacking := missing(*names):
        packages = dict.fromkeys(PACKAGES[one] for one in lacking)
        said.append(f"{', '.join(lacking)}: missing. On Debian: apt install {' '.join(packages)}")
    if root and os.geteuid() != 0:
        said.append("This rig mounts disks and makes namespaces: run the command as root.")
    return "\n".join(said)


def check(*names: str, root: bool = False) -> None:
    """End this rig with 2, and say why, if something is missing; PATH has SBIN from now on."""
    if words := told(*names, root=root):
        sys.stderr.write(f"{words}\n")
        sys.exit(2)
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{SBIN}"
