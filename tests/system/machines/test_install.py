"""A release is installed on a device, or nothing of it stays."""

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.backend import REPOSITORY

SCRIPT = REPOSITORY / "scripts/provisioning/roles/doorstep_agent/files/install-release.sh"

RELEASE = "/opt/doorstep/releases/2026.12.0"

IN_ITS_OWN = """
set -e
mount -t tmpfs tmpfs /opt
mount -t tmpfs tmpfs /run
mkdir -p /opt/doorstep/releases
cp "$1" /opt/doorstep/release.tar
[ -z "$5" ] || { mkdir -p "$5/bin" && ln -s "$5" /opt/doorstep/current; }
code=0
sh -s -- "$2" "$3" digest <"$4" || code=$?
[ "$code" != 0 ] || eval "$6"
find /opt/doorstep/releases /opt/doorstep/wheelhouse -maxdepth 2 2>/dev/null || true
exit "$code"
"""

HERE = Path("/")

HANGS = """
import time

def main():
    time.sleep(3600)
"""

pytestmark = pytest.mark.slow


NEEDS = ("c2pa", "cv2", "cryptography", "pyrage", "zxingcpp")
"""Modules of a release that are imported before it counts as installed."""

STARTS = """
def main():
    print("2026.12.0")
"""


def _wheel(module: str) -> bytes:
    """The agent's, but that all of it is this module, and empty ones for what it needs."""
    made, info = io.BytesIO(), "doorstep-2026.12.0.dist-info"
    with zipfile.ZipFile(made, "w") as wheel:
        wheel.writestr("hangs.py", module)
        for name in NEEDS:
            wheel.writestr(f"{name}.py", "")
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
    """Make a release's wheel; return its digest."""
    name, wheel = "doorstep-2026.12.0-py3-none-any.whl", _wheel(module)
    digest = hashlib.sha256(wheel).hexdigest()
    wanted = f"doorstep==2026.12.0 --hash=sha256:{digest}\n"
    files = {
        name: wheel,
        "requirements.txt": wanted.encode(),
        "SHA256SUMS": f"{digest}  {name}\n".encode(),
        "units/doorstep-capture.service": b"",
    }
    with tarfile.open(place, "w") as tar:
        for one, held in files.items():
            member = tarfile.TarInfo(f"./{one}")
            member.size = len(held)
            tar.addfile(member, io.BytesIO(held))
    return hashlib.sha256(place.read_bytes()).hexdigest()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return the script with a limit of two seconds in place of five minutes."""
    if os.geteuid() != 0:
        pytest.fail("this mounts folders of its own: run it as root")
    text = SCRIPT.read_text()
    assert "timeout -k 10 300 " in text
    place = tmp_path / "install.sh"
    place.write_text(text.replace("timeout -k 10 300 ", "timeout -k 1 2 "))
    return place


def _install(
    script: Path, *, in_use: str = "", module: str = HANGS, then: str = "true", folder: Path = HERE
) -> subprocess.CompletedProcess[str]:
    """Install a release in `folder` while `in_use` is current; print the files afterwards."""
    tar = script.with_name("amd64.tar")
    told = (tar, RELEASE, _tar(tar, module), script, in_use, then)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_ITS_OWN, "sh", *told],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONUSERBASE": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_release_that_hangs_on_import_is_given_up_and_deleted(script: Path) -> None:
    """A hanging import would hold the lock, and the deploy, until the next boot."""
    ran = _install(script)

    assert ran.returncode != 0
    assert ran.stderr.strip().endswith("it did not start within five minutes"), ran.stderr
    assert ran.stdout.split() == ["/opt/doorstep/releases"]


def test_current_release_is_never_rebuilt_in_place(script: Path) -> None:
    """A power cut in the middle would leave no release."""
    ran = _install(script, in_use=RELEASE)

    assert ran.returncode != 0
    assert ran.stderr.startswith("it runs, and its .complete is gone"), ran.stderr
    assert f"{RELEASE}/bin" in ran.stdout.split()


def test_installation_runs_no_planted_file(script: Path) -> None:
    """Ansible starts the installation as root in the home of the user who logs in."""
    planted = script.with_name("planted")
    planted.mkdir()
    tells = f"open({str(script.with_name('ran'))!r}, 'a').write(__file__)\n"
    for name in ("venv", "pip", "ensurepip", "json", "tomllib", "hangs", "usercustomize", *NEEDS):
        (planted / f"{name}.py").write_text(tells)

    ran = _install(script, module=STARTS, then=f"{RELEASE}/bin/doorstep", folder=planted)

    assert ran.returncode == 0, ran.stderr
    assert "2026.12.0" in ran.stdout.split()
    assert not script.with_name("ran").exists(), script.with_name("ran").read_text()
