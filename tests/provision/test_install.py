"""A release is installed on a device, or nothing of it stays."""

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.backend.process import REPOSITORY

SCRIPT = REPOSITORY / "scripts/provisioning/roles/doorstep_agent/files/install-release.sh"

RELEASE = "/opt/doorstep/releases/2026.12.0"

IN_ITS_OWN = """
set -e
mount -t tmpfs tmpfs /opt
mount -t tmpfs tmpfs /run
mkdir -p /opt/doorstep/releases
cp "$1" /opt/doorstep/release.tar
code=0
sh -s -- "$2" "$3" digest <"$4" || code=$?
ls -A /opt/doorstep /opt/doorstep/releases
exit "$code"
"""

HANGS = """
import time

def main():
    time.sleep(3600)
"""

pytestmark = pytest.mark.slow


def _wheel(module: str) -> bytes:
    """The agent's, but that all of it is this module."""
    made, info = io.BytesIO(), "doorstep-2026.12.0.dist-info"
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr("hangs.py", module)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: doorstep\nVersion: 2026.12.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ndoorstep = hangs:main\n")
        wheel.writestr(f"{info}/RECORD", "")
    return made.getvalue()


def _tar(place: Path, module: str) -> str:
    """A release's; its digest."""
    name, wheel = "doorstep-2026.12.0-py3-none-any.whl", _wheel(module)
    digest = hashlib.sha256(wheel).hexdigest()
    wanted = f"doorstep==2026.12.0 --hash=sha256:{digest}\n"
    files = {
        name: wheel,
        "requirements.txt": wanted.encode(),
        "SHA256SUMS": f"{digest}  {name}\n".encode(),
    }
    with tarfile.open(place, "w") as tar:
        for one, held in files.items():
            member = tarfile.TarInfo(f"./{one}")
            member.size = len(held)
            tar.addfile(member, io.BytesIO(held))
    return hashlib.sha256(place.read_bytes()).hexdigest()


def test_a_release_that_hangs_on_import_is_not_waited_for_and_goes(tmp_path: Path) -> None:
    """Else its lock is held until the next boot, and the deploy waits for as long."""
    if os.geteuid() != 0:
        pytest.fail("this mounts folders of its own: run it as root")
    script, tar = tmp_path / "install.sh", tmp_path / "amd64.tar"
    sha256 = _tar(tar, HANGS)
    text = SCRIPT.read_text()
    assert "timeout -k 10 300 " in text
    script.write_text(text.replace("timeout -k 10 300 ", "timeout -k 1 2 "))

    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_ITS_OWN, "sh", tar, RELEASE, sha256, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ran.returncode != 0
    assert ran.stderr.strip().endswith("it did not start within five minutes"), ran.stderr
    assert ran.stdout.split() == ["/opt/doorstep:", "releases", "/opt/doorstep/releases:"]
