"""`scripts/collect-logs`: what a device gave is looked through, and one stops no other."""

import base64
import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.support.device import REPOSITORY

KEEP_LOGS: Final = REPOSITORY / "scripts" / "provisioning" / "keep_logs.py"

PARTS: Final = (
    *("clock.txt", "disk.txt", "doctor.json", "doorstep.log", "kernel.log", "machine.txt"),
    *("status.json", "units.txt", "versions.txt"),
)

INVENTORY: Final = """
all:
  hosts:
    van-1: {ansible_connection: local}
    van-2: {ansible_host: 192.0.2.1, ansible_ssh_common_args: -o ProxyCommand=false}
"""


def _given(change: Callable[[tarfile.TarFile], None] | None = None, *, left_out: str = "") -> str:
    """Return a device's answer: base64 of an archive, to which `change` adds."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in PARTS:
            if name != left_out:
                _add(tar, f"logs/{name}")
        if change:
            change(tar)
    return base64.encodebytes(packed.getvalue()).decode()


def _add(tar: tarfile.TarFile, name: str, size: int = 3, **more: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    for key, value in more.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(b"x" * size))


def _link(tar: tarfile.TarFile) -> None:
    _add(tar, "logs/link.txt", 0, type=tarfile.SYMTYPE, linkname="/etc/shadow")


def _folders(tar: tarfile.TarFile) -> None:
    """Small as it comes, and without an end for who unpacks it."""
    folder = tarfile.TarInfo("logs")
    folder.type = tarfile.DIRTYPE
    for _ in range(50_000):
        tar.addfile(folder)


def _behind(other: str) -> str:
    """Logs, and another archive behind them: tar unpacks both."""
    return base64.b64encode(base64.b64decode(_given()) + base64.b64decode(other)).decode()


def _keep(given: str, place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, KEEP_LOGS, place], input=given, capture_output=True, text=True, check=False
    )


def test_logs_are_kept_for_this_user_alone(tmp_path: Path) -> None:
    place = tmp_path / "van-1.tar.gz"
    ran = _keep(_given(), place)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with tarfile.open(place) as tar:
        assert sorted(tar.getnames()) == [f"logs/{name}" for name in PARTS]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda: "", "something else than logs"),
        (lambda: "sudo: a password is required", "something else than logs"),
        (lambda: base64.b64encode(b"no archive").decode(), "something else than logs"),
        (lambda: _given()[:200], "something else than logs"),
        (lambda: _given(left_out="status.json"), "logs/status.json is missing"),
        (lambda: _given(lambda tar: _add(tar, "../.ssh/keys")), "is no part of them"),
        (lambda: _given(lambda tar: _add(tar, "logs/clock.txt")), "is no part of them"),
        (lambda: _given(_link), "is no part of them"),
        (lambda: _given(lambda tar: _add(tar, "logs/x.txt", 2_000_001)), "is no part of them"),
        (lambda: "A" * 40_000_000, "more than logs can be"),
        (lambda: _given(_folders), "more than logs can be"),
        (
            lambda: _behind(_given(lambda tar: _add(tar, "../.ssh/x"))),
            "another archive stands behind it",
        ),
    ],
    ids=[
        *("nothing", "words", "no-archive", "cut", "a-part-missing", "elsewhere", "twice"),
        *("a-link", "too-big", "endless", "endless-unpacked", "two"),
    ],
)
def test_answer_without_valid_logs_is_not_kept(
    tmp_path: Path, given: Callable[[], str], said: str
) -> None:
    place = tmp_path / "van-1.tar.gz"
    ran = _keep(given(), place)

    assert ran.returncode == 1
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_unreachable_device_stops_no_other(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this becomes root on this machine, as on a device: run it as root")
    (tmp_path / "fleet.yml").write_text(INVENTORY)
    wanted = (REPOSITORY / "scripts/provisioning/controller.txt").read_bytes()
    stamp = subprocess.run(["cksum"], input=wanted, capture_output=True, check=True)
    venv = tmp_path / "venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    (venv / "doorstep.stamp").write_bytes(stamp.stdout)
    own = {"DOORSTEP_PROVISION_VENV": str(venv), "DOORSTEP_PROVISION_DIR": str(tmp_path / "kept")}
    own |= {"COLUMNS": "10000", "ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary")}
    ran = subprocess.run(
        [REPOSITORY / "scripts" / "collect-logs"],
        cwd=tmp_path,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    (kept,) = (tmp_path / "doorstep-logs").glob("*/*")
    rows = {line.split()[0]: line for line in ran.stdout.splitlines() if line.startswith("van-")}
    assert kept.name == "van-1.tar.gz"
    assert "collected" in rows["van-1"]
    assert str(kept) in rows["van-1"]
    assert "not reached" in rows["van-2"]
    assert ran.returncode != 0
    assert ran.stdout.splitlines()[-3].startswith("In each: ")
    listed = (tmp_path / "kept" / "not-collected.txt").read_text()
    assert listed == f"# for {tmp_path / 'fleet.yml'}\nvan-2\n"
    assert not (tmp_path / "kept" / "retry.txt").exists(), "it is provisioning's"
