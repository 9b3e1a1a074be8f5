"""A card that goes read-only under the real commands, and comes back."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.errors import DoorstepError
from tests.faults.syscalls.traced import attached
from tests.scenarios.faults import check_delivered, check_nothing_lost
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, device, towards
from tests.support.factory import remount, small_disk
from tests.support.network import FaultProxy

pytestmark = pytest.mark.slow

REFUSED: Final = "pwrite64,fsync,fdatasync,ftruncate,fallocate,rename,unlink,mkdir"
"""What a read-only file system does not do with files that are open already."""

ONE_PRESS_S: Final = 0.7


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path) as mounted:
        yield mounted


@contextmanager
def van_on(card: Path, backend: Backend, port: int) -> Iterator[Device]:
    settings: dict[str, Any] = {
        "device": {"id": f"van-{uuid4()}"},
        "backend": towards(backend, f"https://127.0.0.1:{port}"),
        "state": {"dir": str(card / "state"), "reserve_mb": 1},
    }
    with device(card.parent / "van", **settings) as van:
        yield van


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
    card: Path, backend: Backend
) -> None:
    """As ext4 does it by itself; the backend is out of reach, so that something waits."""
    with (
        FaultProxy(("127.0.0.1", backend.port)) as network,
        van_on(card, backend, network.port) as van,
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


def test_commands_on_a_read_only_card_say_so_and_work_when_it_is_writable_again(
    card: Path, backend: Backend
) -> None:
    """Nobody had a file open, so the whole card is read-only."""
    with van_on(card, backend, backend.port) as van:
        first = van.run("capture", "--once")
        before = json.loads(first.stdout)
        remount(card, "ro")
        failed = [
            van.run(*words) for words in (("capture", "--once"), ("sync", "--once"), ("prune",))
        ]
        looked = van.run("status", "--json")
        remount(card, "rw")
        again = van.run("capture", "--once")

        for one in failed:
            assert one.returncode == 70, (one.args, one.stdout)
            assert one.stderr.startswith("doorstep: "), one.stderr
        assert looked.returncode == 0, looked.stderr
        assert again.returncode == 0, again.stderr
        check_all_sent(van, backend, [before, json.loads(again.stdout)])


def test_running_processes_go_on_when_a_read_only_card_is_writable_again(
    card: Path, backend: Backend, tmp_path: Path
) -> None:
    """Red and a log line while it lasts, then ready within two turns, without a restart."""
    with van_on(card, backend, backend.port) as van:
        capture = van.start("capture")
        before = van.press()
        time.sleep(ONE_PRESS_S)
        with attached(capture.pid, tmp_path / "trace", ["-e", f"inject={REFUSED}:error=EROFS"]):
            in_vain(van)
            assert van.lights()[-1] == "fault"
        van.await_that(lambda: "event=storage_back" in van.log("capture"))
        time.sleep(ONE_PRESS_S)
        after = van.press()

        assert after["label"]["kind"] == "photo"
        assert capture.poll() is None
        assert "Traceback" not in van.log("capture")
        van.start("sync")
        van.await_that(lambda: {row["state"] for row in van.queue()} == {"DELIVERED"})
        check_all_sent(van, backend, [before, after])
