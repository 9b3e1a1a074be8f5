"""`doorstep capture`: a press by command; its process put together and taken apart."""

import json
import stat
import threading
from pathlib import Path

import pytest

from agent.capture.socket_presses import Reply
from agent.command import capture
from agent.errors import StorageFault
from agent.models import Reason
from agent.process import control
from agent.queue.disk import lock
from agent.record import signing
from hardware.errors import DeviceError, DeviceMissing
from tests.agent.command.inprocess import run
from tests.support.benchtop import Parts, bench
from tests.support.device import Device
from tests.support.factory import owned_by_a_user, queue


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"record": {}, "retake": False}, 0),
        ({"record": {}, "retake": True}, 4),
        *(({"record": {"reason": reason}, "retake": False}, 3) for reason in Reason),
    ],
)
def test_a_press_by_command_ends_with_what_came_of_it(reply: Reply, code: int) -> None:
    """Faults are 70, everything that a rule refuses is 3."""
    faults = {"not_enrolled", "camera_fault", "storage_full", "storage_fault", "battery_empty"}
    expected = 70 if reply["record"].get("reason") in faults else code

    assert capture.exit_code(reply) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "changes", "code", "told"),
    [
        ("", {}, 0, "photo"),
        ("[[at]]\npress = 1\nmotion_px = 22.0\n", {}, 4, "photo"),
        ('[[at]]\npress = 1\ncamera = "fail"\n', {}, 70, "no_photo"),
        ('[[at]]\npress = 1\ncamera = "stall"\n', {}, 70, "no_photo"),
        ("[[at]]\nsecond = 0\nbattery_pct = 4\n", {}, 70, "no_photo"),
        ("", {"state": {"reserve_mb": 1_000_000}}, 70, "no_photo"),
        ("", {"device": {"bench_mode": True}}, 0, "test"),
    ],
    ids=["ok", "blurred", "camera fails", "camera stalls", "battery", "full", "bench mode"],
)
def test_capture_once_presses_and_prints_the_record_as_one_line_of_json(
    tmp_path: Path, world: str, changes: dict[str, dict[str, object]], code: int, told: str
) -> None:
    ended = Device(tmp_path, world, **changes).run("capture", "--once")

    (line,) = ended.stdout.splitlines()
    reply = json.loads(line)
    assert ended.returncode == code, ended.stderr
    assert reply["label"]["kind"] == told
    assert reply["record"]["trigger"]["by"] == "command"


@pytest.mark.slow
def test_capture_once_asks_a_running_process_and_it_goes_on(device: Device) -> None:
    device.start("capture")
    try:
        ended = device.run("capture", "--once")
        again = device.run("capture")

        assert device.ask("capture", {"status": True}) is not None
    finally:
        device.stop_all()
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["record"]["trigger"]["by"] == "command"
    assert again.returncode == 75
    assert "only one may run" in again.stderr


def test_capture_once_does_not_press_on_a_provisioned_device_whose_process_runs(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.layout.make()
    refusal = {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}

    with control.serve(device.layout.capture_socket, lambda *_: refusal):
        code = run(device, "capture", "--once")

    assert code == 2
    assert "device.bench_mode" in capsys.readouterr().err


def test_who_may_not_ask_the_capture_process_ends_as_with_any_missing_permission(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trying again later does not help."""
    refusal = {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}
    with owned_by_a_user() as folder:
        device = Device(folder)
        device.layout.make()
        with control.serve(device.layout.capture_socket, lambda *_: refusal):
            device.layout.capture_socket.chmod(0)
            code = run(device, "capture", "--once")

    assert code == 70
    assert "Permission denied; ask as a member of its group" in capsys.readouterr().err


def test_capture_once_takes_the_photo_button_and_no_other(tmp_path: Path) -> None:
    """On a provisioned device a person presses; the scan button beside it is no photo."""
    with bench(tmp_path) as one:
        one.hold_scan(held_s=0.1)
        one.hold_scan()
        one.press()

    assert [reply["label"]["kind"] for reply in one.replies] == ["photo"]


def test_a_device_makes_its_key_at_the_first_start_and_keeps_it(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        path = device.layout.capture_keys / "device.pem"
        first = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
        (opened,) = device.all_opened()
    with bench(tmp_path):
        assert path.read_bytes() == first

    assert mode == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert opened.key == signing.read_private_key(path).public_key()


def test_a_key_that_is_no_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    """A new one would begin a new chain, and the old one may still be mended."""
    with bench(tmp_path) as device:
        path = device.layout.capture_keys / "device.pem"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")

    with (
        pytest.raises(StorageFault, match=r"device\.pem: not a usable private key"),
        bench(tmp_path),
    ):
        pass
    assert path.read_bytes() == b"-----BEGIN PRIVATE KEY-----\n"


def test_a_device_that_does_not_open_leaves_no_lock_and_no_chain(tmp_path: Path) -> None:
    class Broken(Parts):
        def open(self, *_: object) -> None:  # type: ignore[override]  # it never returns
            raise DeviceMissing("camera.device: no camera 0")

    with pytest.raises(DeviceError, match=r"camera\.device"), bench(tmp_path, Broken()):
        pass
    layout, database, outbox = queue(tmp_path)

    with lock(layout.capture_lock, exclusive=True, wait=False):
        assert outbox.items(None, 0, 10) == []
    database.close()


def test_a_process_that_ended_leaves_neither_lock_nor_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with bench(tmp_path) as device:
        device.press()

    with lock(device.layout.capture_lock, exclusive=True, wait=False):
        pass
    assert set(threading.enumerate()) == before


def test_a_state_folder_that_cannot_be_made_is_a_disk_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(StorageFault, match="cannot make"),
        bench(tmp_path, state={"dir": "file/state"}),
    ):
        pass
