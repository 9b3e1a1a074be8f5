"""`doorstep capture`: a press by command; its process put together and taken apart."""

import json
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.capture.gestures import ONE_PRESS_S
from agent.capture.socket_presses import Reply
from agent.command import capture, capture_process
from agent.errors import StorageFault
from agent.identity.device_key import device_key
from agent.models import Reason
from agent.process import control, sd_notify
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.record import signing
from hardware.errors import DeviceError, DeviceMissing
from hardware.indicator import Signal
from hardware.settling import STEPS
from hardware.simulated.stream import FRAME_NS, START_NS
from tests.support.benchtop import Parts, SetLight, bench
from tests.support.device import Device, device
from tests.support.factory import owned_by_a_user, queue
from tests.unit.agent.command.inprocess import run
from tests.unit.agent.conftest import Messages


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"record": {}, "retake": False}, 0),
        ({"record": {}, "retake": True}, 4),
        ({"record": {"reason": "handed_over"}, "retake": False}, 0),
        *(
            ({"record": {"reason": reason}, "retake": False}, 3)
            for reason in Reason
            if reason is not Reason.HANDED_OVER
        ),
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
        ("", {"device": {"bench_mode": True}}, 0, "test"),
    ],
    ids=["ok", "blurred", "camera fails", "bench mode"],
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

        assert device.ask("capture", {"status": True}) is not None
    finally:
        device.stop_all()
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["record"]["trigger"]["by"] == "command"


@pytest.mark.slow
def test_cold_press_waits_for_an_exposure_that_suits_its_door(tmp_path: Path) -> None:
    """With the exposure of the last door, the day would be white and the dusk black."""
    doors = {1: 0.3, 4: 0.6, 7: 0.15}
    world = "".join(f"[[at]]\npress = {n}\nlight = {light}\n" for n, light in doors.items())
    settled_ms = (START_NS + STEPS * FRAME_NS) / 1e6

    with device(tmp_path, world, lamp={"kind": "none"}) as van:
        van.start("capture")
        for _ in doors:
            cold, warm = (press(van, {"press": "photo"}) for _ in range(2))
            press(van, {"hand_over": True})  # which stops the camera

            assert cold["quality"]["verdict"] not in {"dark", "clipped"}
            assert [one["photo"]["converged"] for one in (cold, warm)] == [True, True]
            assert ended_ms(cold) >= settled_ms
            assert ended_ms(warm) < START_NS / 1e6


@pytest.mark.slow
def test_lift_has_the_camera_warm_for_a_press_that_comes_later(tmp_path: Path) -> None:
    """At rest the press has to start the camera, and afterwards it stops again."""
    rests = "[[at]]\nsecond = 0\nlifted = false\n"

    with device(tmp_path, rests, motion={"kind": "simulated"}, camera={"linger_s": 600}) as van:
        van.start("capture")
        cold = press(van, {"press": "photo"})
        van.await_that(lambda: not is_streaming(van))
        van.set_world("")
        van.await_that(lambda: is_streaming(van))
        warm = press(van, {"press": "photo"})

    assert ended_ms(cold) >= START_NS / 1e6 > ended_ms(warm)


def is_streaming(van: Device) -> bool:
    reply = van.ask("capture", {"status": True})
    assert reply is not None
    return bool(reply["streaming"])


def press(van: Device, request: dict[str, object]) -> dict[str, Any]:
    """Press far enough after the press before; return record.json."""
    time.sleep(ONE_PRESS_S)
    reply = van.ask("capture", request)
    assert reply is not None
    record: dict[str, Any] = reply["record"]
    return record


def ended_ms(record: dict[str, Any]) -> float:
    """Return the time from the press to the end of the kept frame, by the sensor's clock."""
    photo = record["photo"]
    return float(photo["exposed_after_press_ms"] + photo["exposure_us"] / 1000)


def test_capture_once_does_not_press_on_a_provisioned_device_whose_process_runs(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.layout.make()
    refusal = {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}

    with control.serve(device.layout.capture_socket, lambda *_: refusal):
        code = run(device, "capture", "--once")

    assert code == 2
    assert "device.bench_mode" in capsys.readouterr().err


def test_user_who_may_not_ask_capture_gets_the_code_of_a_permission(
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


def test_an_unusable_key_is_reported_and_not_replaced(tmp_path: Path) -> None:
    """A new key would begin a new chain, and the old key may still be repaired."""
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    path = layout.capture_keys / "device.pem"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")

    with pytest.raises(StorageFault, match=r"device\.pem: not a usable private key.*; put it back"):
        device_key(layout)
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


# The first light, and what the light shows of a start that fails


class WatchedLight(SetLight):
    """A light that notes when it is closed."""

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> WatchedLight:
    """The indicator of a capture process in this process."""
    opened = WatchedLight()
    monkeypatch.setattr(capture, "open_part", lambda _part, _settings: opened)
    return opened


@pytest.mark.parametrize(
    "error", [StorageFault("no disk"), DeviceMissing("no camera"), ValueError("a bug")]
)
def test_fault_that_keeps_the_process_from_starting_is_red(
    tmp_path: Path, light: WatchedLight, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> int:
        assert light.shown == [Signal.NOT_READY]
        raise error

    monkeypatch.setattr(capture_process, "serve", fail)
    with bench(tmp_path) as device:
        config = device.config

    began_s = time.monotonic()
    with pytest.raises(type(error)):
        capture._serve_presses(config)  # noqa: SLF001 - a bug has no exit code

    assert time.monotonic() - began_s < capture.FAULT_HELD_S / 2  # nobody waits at a terminal
    assert light.shown == [Signal.NOT_READY, Signal.FAULT]
    assert light.is_closed


def test_a_wrong_configuration_lights_nothing(tmp_path: Path, light: WatchedLight) -> None:
    """The configuration names the pins of the light."""
    assert run(Device(tmp_path, camera={"kind": "canon"}), "capture") == 2
    assert light.shown == []


def test_a_second_process_tells_that_one_runs_and_not_that_its_pins_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def busy(_part: str, _settings: object) -> None:
        raise DeviceMissing("indicator: no GPIO here (GPIO busy)")

    monkeypatch.setattr(capture, "open_part", busy)
    van = Device(tmp_path)

    before = run(van, "capture")
    with bench(tmp_path):
        beside = run(van, "capture")
    after = run(van, "capture")

    told = capsys.readouterr().err.splitlines()
    assert (before, beside, after) == (70, 75, 70)
    assert ["GPIO busy" in line for line in told] == [True, False, True]
    assert "only one may run" in told[1]


def test_watchdog_is_fed_without_waiting_for_a_busy_systemd(messages: Messages) -> None:
    """A press hangs otherwise, once systemd has not read ten messages."""
    for _ in range(100):
        sd_notify.alive()
        sd_notify.extend_start()

    assert messages()[0] == b"WATCHDOG=1"


def test_red_is_held_under_systemd_before_the_process_ends(
    tmp_path: Path,
    light: WatchedLight,
    monkeypatch: pytest.MonkeyPatch,
    messages: Messages,
) -> None:
    monkeypatch.setattr(capture, "FAULT_HELD_S", 0.5)
    van = Device(tmp_path, camera={"kind": "v4l2", "device": 63})

    began_s = time.monotonic()
    code = run(van, "capture")

    assert code == 70
    assert time.monotonic() - began_s > 0.5
    assert light.shown == [Signal.NOT_READY, Signal.FAULT]
    assert messages()[0] == b"WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000"


@pytest.mark.slow
@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("broken", ["camera", "key", "state"])
def test_red_process_serves_no_press_and_ends_at_once_when_stopped(
    tmp_path: Path, broken: str
) -> None:
    with bench(tmp_path) as one:
        key = one.layout.capture_keys / "device.pem"
    if broken == "key":
        key.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    if broken == "state":
        one.layout.records.rename(tmp_path / "away")
        one.layout.records.write_bytes(b"")
    camera = {"kind": "v4l2", "device": 63} if broken == "camera" else {}
    with device(tmp_path, camera=camera) as van:
        process = van.start("capture", ready=False)
        van.await_that(lambda: "event=capture_fault" in van.log("capture"))
        time.sleep(1.0)
        is_held = process.poll() is None
        answered = van.ask("capture", {"press": "photo"})
        began_s = time.monotonic()
        code = van.stop("capture", signal.SIGTERM)
        took_s = time.monotonic() - began_s

    assert is_held
    assert answered is None
    assert van.lights() == ["not_ready", "fault"]
    assert code == 70
    assert took_s < 2.0


def test_a_start_that_reads_many_records_asks_systemd_for_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Messages
) -> None:
    """A start may last as long as it gets on."""
    monkeypatch.setattr("agent.queue.labels.ALIVE_EVERY", 2)
    with bench(tmp_path) as one:
        one.press()
        one.press()
    messages()
    with bench(tmp_path):
        assert messages()[0] == b"WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000"
