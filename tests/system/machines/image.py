"""The root that every machine starts from: Debian 13 as an image has it, made once and kept."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from tests.support import debian
from tests.support.backend import REPOSITORY

KEPT: Final = REPOSITORY / "build" / "provision"
"""Images, by what went into them, and the technician's key."""

PACKAGES: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "openssh-server", "sudo", "python3"),
    *("iproute2", "procps", "ca-certificates", "netbase", "less", "zstd"),
)
"""As little as an image with SSH and Python has: what else is needed, provisioning must bring."""

TECHNICIAN: Final = "tech"
"""Logs in with the key and may sudo without a password, as an image's first user may."""

STRANGER: Final = "guest"
"""Logs in with the same key, and may not sudo."""

HOSTNAME: Final = "raspberrypi"
"""Host name of every new machine, as of an image."""

SHARED_MACHINE_ID: Final = "0123456789abcdef0123456789abcdef"
"""In the image, as in one that was cloned from a running device."""

RECEIVER: Final = Path(__file__).with_name("receiver.py")
"""Stand-in for a receiver at the UART of every machine."""

CHRONY: Final = """\
# The clock is this host's, and chrony may not set it: it measures only (-x).
[Unit]
ConditionCapability=
[Service]
ExecStart=
ExecStart=!/usr/sbin/chronyd -F 1 -x
"""
"""For chrony, once provisioning has installed it. Source: Debian's chrony.service."""

RECEIVER_UNIT: Final = """\
[Unit]
Before=gpsd.service
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/receiver
[Install]
WantedBy=multi-user.target
"""

_SETUP: Final = f"""
set -e
systemctl enable receiver.service
for one in {TECHNICIAN} {STRANGER}; do
    useradd --create-home --shell /bin/bash "$one"
    install -d -m 0700 -o "$one" -g "$one" "/home/$one/.ssh"
    install -m 0600 -o "$one" -g "$one" /root/technician.pub "/home/$one/.ssh/authorized_keys"
done
rm /root/technician.pub
echo '{TECHNICIAN} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/010_{TECHNICIAN}
echo {HOSTNAME} >/etc/hostname
echo 127.0.1.1 {HOSTNAME} >>/etc/hosts
echo {SHARED_MACHINE_ID} >/etc/machine-id
rm -f /var/lib/dbus/machine-id
ln -s /etc/machine-id /var/lib/dbus/machine-id
ls /etc/ssh/ssh_host_ed25519_key
"""


def technicians_key() -> Path:
    """Returns the private key that every image lets in; made once."""
    key = KEPT / "id"
    if not key.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def image(*, prepared: bool = False) -> Path:
    """Returns the root folder of a Debian 13 (about 40 s where it has to be made).

    A `prepared` one has all packages that provisioning installs: for what comes after them.

    Raises:
        subprocess.CalledProcessError: the root could not be made; stderr says why.
    """
    public = technicians_key().with_suffix(".pub").read_text()
    packages = [*PACKAGES, *(_provisioned_packages() if prepared else [])]
    wants = "\n".join([*packages, debian.sources(), *_files().values(), _SETUP, public])
    root = KEPT / f"root-{hashlib.sha256(wants.encode()).hexdigest()[:12]}"
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _make(root, packages, public)
    return root


def _make(root: Path, packages: Sequence[str], public: str) -> None:
    part = KEPT / "root.part"
    shutil.rmtree(part, ignore_errors=True)
    debian.make(part, packages)
    (part / "root" / "technician.pub").write_text(public)
    for path, text in _files().items():
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_text(text)
    subprocess.run(["chroot", part, "/bin/sh", "-c", _SETUP], check=True)
    part.rename(root)


def _files() -> dict[str, str]:
    units = "etc/systemd/system"
    return {
        "usr/local/lib/receiver": RECEIVER.read_text(),
        f"{units}/receiver.service": RECEIVER_UNIT,
        f"{units}/chrony.service.d/host.conf": CHRONY,
    }


def _provisioned_packages() -> list[str]:
    """Return what packages.yml lists under `all`, read without a YAML library."""
    text = (REPOSITORY / "scripts" / "provisioning" / "packages.yml").read_text()
    listed = text.partition("\nall:\n")[2]
    lines = takewhile(lambda line: line.startswith("  - "), listed.splitlines())
    return [line.split()[1] for line in lines]
