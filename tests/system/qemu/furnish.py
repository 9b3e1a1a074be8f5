"""The parts that make the root folder a device that boots: network, key, and simulated parts."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.system.qemu.root import INSIDE, PICAMERA2

NAME: Final = "van-0042"
"""The name of the device, as Raspberry Pi Imager would have given it."""

TECHNICIAN: Final = "technician"
"""User that provisions it: may use sudo without a password, as Raspberry Pi OS's first user."""

HOST: Final = "10.0.2.2"
"""The address of this machine, as the device sees it. Source: QEMU's user network."""

_NETWORK: Final = "[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n"

_HOSTS: Final = f"127.0.0.1 localhost\n127.0.1.1 {NAME}\n"

_PROGRAMS: Final = {
    "usr/local/sbin/rig-board": "board.sh",
    "usr/local/bin/finger": "finger.py",
    "usr/local/bin/rig-receiver": "receiver.py",
}
"""Where they go, and which of `inside/` it is."""

_FILES: Final = {
    "etc/systemd/system/rig-board.service": "rig-board.service",
    "etc/systemd/system/rig-receiver.service": "rig-receiver.service",
    "etc/systemd/system/rig-eye.service": "rig-eye.service",
    "etc/udev/rules.d/90-rig.rules": "rig.rules",
    "usr/share/libcamera/pipeline/virtual/virtual.yaml": "virtual.yaml",
    "usr/local/lib/python3.13/dist-packages/virtual_camera.py": "virtual_camera.py",
}

_WANTED: Final = {
    "sysinit.target.wants/rig-board.service": "rig-board.service",
    "sysinit.target.wants/rig-eye.service": "rig-eye.service",
    "multi-user.target.wants/rig-receiver.service": "rig-receiver.service",
}


def furnish(root: Path, public_key: str, scene: Path) -> None:
    """Write all of it into `root`; safe to run twice.

    Args:
        root: the machine's root folder.
        public_key: one line, as authorized_keys wants it.
        scene: the JPEG that the camera sees first.
    """
    _write(root, "etc/hostname", NAME + "\n")
    _write(root, "etc/hosts", _HOSTS)
    _write(root, "etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
    _write(root, "etc/systemd/network/20-wired.network", _NETWORK)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    _write(root, "etc/resolv.conf", "nameserver 10.0.2.3\n")
    _link(root, "multi-user.target.wants/systemd-networkd.service", "/lib/systemd/system/")
    _technician(root)
    _let_in(root / "root", public_key, 0)
    _let_in(root / "home" / TECHNICIAN, public_key, 1000)
    for place, name in _PROGRAMS.items():
        _copy(root, place, name, 0o755)
    for place, name in _FILES.items():
        _copy(root, place, name, 0o644)
    for place in _WANTED:
        _link(root, place, "/etc/systemd/system/")
    _write(root, "usr/local/lib/python3.13/dist-packages/virtual_camera.pth", _AT_EACH_START)
    _adapt_picamera2(root)
    # On a Pi the watchdog is in the kernel; Debian loads none by itself
    _write(root, "etc/modules-load.d/rig.conf", "i6300esb\n")
    # Beside other work, emulated, sshd itself needs longer than systemd's 90 s
    _write(root, "etc/systemd/system.conf.d/10-rig.conf", _PATIENCE)
    (root / "srv/scenes").mkdir(parents=True, exist_ok=True)
    shutil.copy(scene, root / "srv/scenes/0.jpg")


_PATIENCE: Final = "[Manager]\nDefaultTimeoutStartSec=10min\n"

_AT_EACH_START: Final = "import virtual_camera\n"
"""Any Python of this system runs it first: picamera2 itself must stay as it is installed."""


_PICAMERA2: Final = "usr/local/lib/python3.13/dist-packages/picamera2/picamera2.py"

_STATUS: Final = (
    "next(iter(req.request.buffers.values())).metadata.status"
    " == libcamera.FrameMetadata.Status.Success"
)
"""The controls that picamera2 asks of each frame; see inside/virtual_camera.py."""


def _adapt_picamera2(root: Path) -> None:
    """A copy beside the original, compiled: services may not write bytecode."""
    text = (root / _PICAMERA2).read_text()
    assert _STATUS in text, f"another picamera2 than {PICAMERA2}"
    place = "usr/local/lib/rig/picamera2_picamera2.py"
    _write(root, place, text.replace(_STATUS, "True"))
    command = ["chroot", str(root), "python3", "-S", "-m", "py_compile", f"/{place}"]
    subprocess.run(command, check=True)


def _technician(root: Path) -> None:
    for place, line in {
        "etc/passwd": f"{TECHNICIAN}:x:1000:1000::/home/{TECHNICIAN}:/bin/bash",
        "etc/group": f"{TECHNICIAN}:x:1000:",
        "etc/shadow": f"{TECHNICIAN}:*:20000:0:99999:7:::",
    }.items():
        text = (root / place).read_text()
        if TECHNICIAN not in text:
            (root / place).write_text(text + line + "\n")
    _write(root, f"etc/sudoers.d/{TECHNICIAN}", f"{TECHNICIAN} ALL=(ALL) NOPASSWD: ALL\n")
    (root / f"etc/sudoers.d/{TECHNICIAN}").chmod(0o440)


def _let_in(home: Path, public_key: str, owner: int) -> None:
    folder = home / ".ssh"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "authorized_keys").write_text(public_key)
    for path, mode in ((home, 0o700), (folder, 0o700), (folder / "authorized_keys", 0o600)):
        path.chmod(mode)
        shutil.chown(path, owner, owner)


def _write(root: Path, place: str, text: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(text)


def _copy(root: Path, place: str, name: str, mode: int) -> None:
    _write(root, place, (INSIDE / name).read_text())
    (root / place).chmod(mode)


def _link(root: Path, place: str, folder: str) -> None:
    link = root / "etc/systemd/system" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder + link.name)
