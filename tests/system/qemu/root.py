"""The machine's root folder: Debian 13, the rig's kernel modules, and a Pi's Python packages."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import debian
from tests.system.qemu import packages

PICAMERA2: Final = "picamera2==0.3.38"
"""As Raspberry Pi OS has it now; Debian has none."""

LGPIO: Final = "lgpio==0.2.2.0"
"""As Raspberry Pi OS has it; Debian's python3-lgpio is of another ABI than PyPI's gpiozero asks."""

INSIDE: Final = Path(__file__).parent / "inside"

_MODULES: Final = INSIDE / "modules.sh"
"""Builds gpio-sim and test_power, which Debian's kernel leaves out."""

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "no_proxy"})


def digest() -> str:
    """Return a digest of everything that the folder is made of, except the packages' versions."""
    parts = [*packages.wanted(), debian.sources(), PICAMERA2, LGPIO, _MODULES.read_text()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def build(root: Path, log: Path) -> None:
    """Make `root` from nothing, three to five minutes; what each tool says goes to `log`.

    Raises:
        subprocess.CalledProcessError: a tool failed.
    """
    shutil.rmtree(root, ignore_errors=True)
    with log.open("ab") as said:
        debian.make(root, packages.wanted(), said)
    with entered(root):
        shutil.copy(_MODULES, root / "tmp/modules.sh")
        inside(root, "sh /tmp/modules.sh", log)
        inside(root, f"pip3 install --break-system-packages {PICAMERA2}", log)
        inside(root, f"PYPI=1 pip3 install --break-system-packages --no-binary lgpio {LGPIO}", log)
        inside(root, "apt-get clean; rm -rf /tmp/*", log)


def inside(root: Path, command: str, log: Path) -> None:
    """Run a shell command in the folder, at this machine's own speed."""
    clean = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    clean |= {"PIP_CERT": "/tmp/host-ca.pem", "PIP_ROOT_USER_ACTION": "ignore"}
    clean |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_DEFAULT_TIMEOUT": "180"}
    clean |= _registry()
    with log.open("ab") as said:
        said.write(f"== {command}\n".encode())
        said.flush()
        subprocess.run(
            ["chroot", str(root), "sh", "-ec", command],
            env=clean,
            stdout=said,
            stderr=said,
            check=True,
        )


def _registry() -> dict[str, str]:
    """Return the variables that lead pip and apt to this machine's registries."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    of_pip = re.findall(
        r"^\S+\.((?:extra-)?index-url|proxy|trusted-host)='(.*)'$", listed, re.MULTILINE
    )
    names = (name for name in os.environ if name.lower() in _PROXIES)
    # pip lists the environment first, and it wins
    found = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in reversed(of_pip)}
    return found | {name: os.environ[name] for name in names}


@contextmanager
def entered(root: Path) -> Iterator[None]:
    """With /proc, /sys and /dev, this machine's resolver, and the authorities it trusts."""
    trusted = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(trusted, root / "tmp/host-ca.pem")
    resolver, kept = root / "etc/resolv.conf", root / "etc/resolv.conf.kept"
    if resolver.is_symlink() or resolver.exists():
        resolver.rename(kept)
    resolver.write_bytes(Path("/etc/resolv.conf").read_bytes())
    mounted = []
    try:
        for what in ("proc", "sys", "dev"):
            subprocess.run(["mount", "--rbind", f"/{what}", str(root / what)], check=True)
            subprocess.run(["mount", "--make-rslave", str(root / what)], check=True)
            mounted.append(root / what)
        yield
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-R", "-l", str(place)], check=False)
        resolver.unlink(missing_ok=True)
        if kept.is_symlink() or kept.exists():
            kept.rename(resolver)
        (root / "tmp/host-ca.pem").unlink(missing_ok=True)
