"""A card that goes read-only under the real commands, and comes back."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import DoorstepError
from tests.scenarios.faults import check_delivered, check_nothing_lost
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, device, towards
from tests.support.factory import remount, small_disk
from tests.support.network import FaultProxy

pytestmark = pytest.mark.slow

ONE_PRESS_S: Final = 0.7


def in_vain(van: Device) -> None:
    """A press that leaves nothing but red."""
    with pytest.raises(DoorstepError) as told:
        van.press()
    assert told.value.exit_code == 70


def check_all_sent(van: Device, backend: Backend, replies: list[dict[str, Any]]) -> None:
    """Nothing that was answered is missing, here or there."""
    sent = van.run("sync", "--once")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    check_nothing_lost(van, replies)
    check_delivered(van, backend)
    assert {row["state"] for row in van.queue()} == {"DELIVERED"}
    verified = van.run("verify", str(van.layout.records))
    assert verified.returncode == 0, verified.stdout


def test_a_card_that_fails_under_capture_and_sync_loses_nothing_when_it_is_mounted_again(
    tmp_path: Path,
) -> None:
    """As ext4 does it by itself; the backend is out of reach, so that something waits."""
    with (
        small_disk(tmp_path) as card,
        running_backend(tmp_path / "backend") as backend,
        FaultProxy(("127.0.0.1", backend.port)) as network,
        device(
            tmp_path / "van",
            backend=towards(backend, f"https://127.0.0.1:{network.port}"),
            state={"dir": str(card / "state"), "reserve_mb": 1},
        ) as van,
    ):
        network.reachable = False
        van.start("capture")
        van.start("sync")
        before = van.press()
        van.await_that(lambda: "event=link_lost" in van.log("sync"))
        remount(card, "abort")
        time.sleep(ONE_PRESS_S)
        in_vain(van)
        network.reachable = True
        asked = van.run("sync", "--once")
        status = van.run("status", "--json")

        assert asked.returncode in {70, 75}, asked.stdout
        assert status.returncode == 0, status.stderr
        assert json.loads(status.stdout)["capture"]["ready"] is False
        assert "Traceback" not in van.log("capture") + van.log("sync") + asked.stderr
        assert check_stopped(van) <= {0, 70}
        mount_again(card)
        van.start("capture")
        after = van.press()
        assert after["label"]["seq"] == before["label"]["seq"] + 1
        check_all_sent(van, backend, [before, after])


def mount_again(card: Path) -> None:
    """Unmount the failed card and mount a copy of its image.

    A process with its own mount namespace may still have the old one mounted. The kernel would
    then mount that same, failed file system a second time.
    """
    subprocess.run(["umount", card], check=True)
    copy = card.parent / "copy.img"
    shutil.copyfile(card.parent / "disk.img", copy)
    subprocess.run(["mount", "-o", "loop", copy, card], check=True)


def check_stopped(van: Device) -> set[int]:
    """End both processes, also one that has ended by itself; their exit codes."""
    return {van.stop(name) for name in ("capture", "sync")}
