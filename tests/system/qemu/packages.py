"""The packages that are installed natively before provisioning, because emulation takes long."""

import re
from typing import Final

from tests.support.backend import REPOSITORY

PROVISIONED: Final = REPOSITORY / "scripts/provisioning/packages.yml"
"""The packages that provisioning installs: its only list."""

SYSTEM: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "ca-certificates"),
    *("linux-image-amd64", "initramfs-tools", "e2fsprogs", "openssh-server", "sudo"),
    *("python3", "python3-apt", "polkitd"),
)
"""A Debian that a technician finds: it boots, takes SSH, and has a Python for Ansible."""

CAMERA: Final = (
    *("python3-libcamera", "libcamera-ipa", "libcamera-tools"),
    *("python3-numpy", "python3-jsonschema", "python3-pil", "python3-av"),
)
"""The dependencies of python3-picamera2 and python3-lgpio of Raspberry Pi OS."""

BUILDING: Final = (
    *("linux-headers-amd64", "gcc", "make", "swig", "libcap-dev"),
    *("python3-venv", "python3-pip", "python3-dev", "xz-utils"),
)
"""For the modules of the kernel, and for what PyPI has as source only."""

LOOKING: Final = ("gpsd-clients", "strace", "procps", "psmisc", "less", "iputils-ping")
"""Packages for a search for a fault in the machine."""

_HEAD: Final = re.compile(r"^(\w+):")
_ITEM: Final = re.compile(r"^\s+-\s+([a-z0-9][a-z0-9.+-]+)")


def provisioned() -> tuple[str, ...]:
    """The packages of `all` in provisioning's list; those of Raspberry Pi OS are not in Debian."""
    found, head = [], ""
    for line in PROVISIONED.read_text().splitlines() if PROVISIONED.exists() else ():
        if named := _HEAD.match(line):
            head = named[1]
        elif head == "all" and (item := _ITEM.match(line)):
            found.append(item[1])
    return tuple(found)


def wanted() -> tuple[str, ...]:
    """All of them, each once."""
    return tuple(sorted({*SYSTEM, *CAMERA, *BUILDING, *LOOKING, *provisioned()}))
