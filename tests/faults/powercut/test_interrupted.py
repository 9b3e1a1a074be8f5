"""An interrupted rig leaves nothing mounted, and nothing behind."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.powercut import disk
from tests.support import needs
from tests.support.device import REPOSITORY
from tests.support.waiting import until

RIG = [sys.executable, "-m", "tests.faults.powercut"]
BEGINS_WITHIN_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(autouse=True)
def _parts() -> None:
    if words := needs.missing_words(*disk.NEEDS):
        pytest.fail(words)


def test_an_interrupted_rig_leaves_nothing_mounted_and_nothing_behind(tmp_path: Path) -> None:
    """The rig is interrupted while its mounts, its QEMU and its images are in use."""
    command = [*RIG, "--images", str(tmp_path), "--states", "10000", "--scenario", "capture"]
    with subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True) as running:
        try:
            until(lambda: _has_a_queue_open(running.pid, tmp_path), BEGINS_WITHIN_S)
            os.killpg(running.pid, signal.SIGINT)
            assert running.wait(60) == 130
        finally:
            running.kill()  # else a rig that does not end disturbs all tests after it

    assert list(tmp_path.iterdir()) == []
    loops = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in loops.stdout


def _has_a_queue_open(session: int, images: Path) -> bool:
    """Return True if a restart has a queue open on one of the disks, so that the disk is busy."""
    if not list(images.glob("powercut-*/0/disk.img")):
        return False
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if os.getsid(int(process.name)) == session:
                held = {file.readlink().name for file in process.glob("fd/*")}
                if "doorstep.db" in held:
                    return True
    return False
