"""The capture process between presses: buttons, time, camera, socket, watchdog."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.capture import record_json
from agent.capture.press import RETAKE_WINDOW_S
from agent.command import capture_process, state_access
from agent.errors import DoorstepError, ExitCode
from agent.models import RecordKind
from agent.process import control
from agent.status.fitting import TEXT_LIMIT_BYTES, short
from hardware import clock_system
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.clock import ClockSource
from hardware.errors import CameraFailed, CameraStalled
from hardware.indicator import Signal
from hardware.power import PowerReading
from tests.support.benchtop import Bench, Parts, SetTime, bench
from tests.support.factory import queue
from tests.support.fleet import ALLOWED, round_of
from tests.unit.agent.conftest import Messages

T = TypeVar("T")


# Presses


def glitch(device: Bench) -> None:
    """Touch the photo button for so short a time that it is no press."""
    edge_ns = device.touch()
    device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.GLITCH, edge_ns))
    device.step()


def test_a_press_that_does_not_count_changes_no_light(device: Bench) -> None:
    device.press()
    shown = list(device.parts.light.shown)
    edge_ns = device.parts.now() + 300_000_000
    device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.TOUCHED, edge_ns))
    device.pressed(edge_ns)

    assert len(device.rows("photo")) == 1
    assert device.parts.light.shown == shown


def test_a_touch_that_was_no_press_gives_the_idle_light_back(device: Bench) -> None:
    glitch(device)
    device.tick()

    assert device.rows("photo") == []
    assert device.parts.light.shown == [Signal.HOLD_STILL, Signal.READY]


def test_a_touch_that_was_no_press_takes_no_light_from_a_press_before_it(device: Bench) -> None:
    device.tick()

    def touch(signal: Signal) -> None:
        if signal is Signal.EXPOSED:
            device.parts.light.on_show = lambda _signal: None
            edge_ns = device.parts.now() + 1_000_000_000
            for change in (ButtonChange.TOUCHED, ButtonChange.GLITCH):
                device.loop.on_event(ButtonEvent(ButtonName.PHOTO, change, edge_ns))

    device.parts.light.on_show = touch
    device.press()
    device.step()

    assert device.parts.light.shown[-1] is Signal.SAVED


def test_a_press_soon_after_a_touch_that_was_none_is_white_and_counts(device: Bench) -> None:
    glitch(device)
    given_back = device.parts.light.shown[-1]
    device.parts.now.pass_s(-0.7)
    edge_ns = device.touch()
    touched = device.parts.light.shown[-1]
    device.pressed(edge_ns)

    assert (given_back, touched) == (Signal.READY, Signal.HOLD_STILL)
    assert len(device.rows("photo")) == 1


def test_press_before_the_process_is_stopped_is_served(device: Bench) -> None:
    edge_ns = device.touch()
    device.loop.stop()
    device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.PRESSED, edge_ns))
    code = device.run()

    assert len(device.rows("photo")) == 1
    assert code == 0


def test_green_stays_a_second_and_then_the_idle_light_comes_back(device: Bench) -> None:
    device.tick()
    device.press()
    shown = list(device.parts.light.shown)
    device.tick(0.9)
    assert device.parts.light.shown == shown
    device.tick(1.1)

    assert device.parts.light.shown[len(shown) :] == [Signal.READY]


# Taking a press back


def test_hold_of_scan_for_two_seconds_takes_the_last_press_back(device: Bench) -> None:
    photo = device.press()["label"]
    device.hold_scan()

    (void,) = device.rows("void")
    opened = device.open(void.capture_id)

    assert opened.label.about == photo["capture_id"]
    assert void.about == photo["capture_id"]
    assert opened.record["trigger"] == {"by": "button"}
    assert device.parts.light.shown[-1] is Signal.NO_PHOTO


@pytest.mark.parametrize(("held_s", "voids"), [(0.3, 0), (2.1, 1)])
def test_a_hold_that_waited_behind_a_slow_photo_is_as_long_as_its_edges_say(
    device: Bench, held_s: float, voids: int
) -> None:
    device.press()
    pressed_ns = device.parts.now()
    for change, after_s in ((ButtonChange.PRESSED, 0.0), (ButtonChange.RELEASED, held_s)):
        edge_ns = pressed_ns + round(after_s * 1e9)
        device.loop.on_event(ButtonEvent(ButtonName.SCAN, change, edge_ns))
    device.parts.now.pass_s(5.0)
    device.step()
    device.step()

    assert len(device.rows("void")) == voids


@pytest.mark.parametrize(("after_s", "voids"), [(30.0, 1), (30.1, 0)])
def test_a_press_can_be_taken_back_for_30_s(device: Bench, after_s: float, voids: int) -> None:
    device.press()
    device.hold_scan(after_s)

    assert len(device.rows("void")) == voids


def test_only_the_newest_photo_is_taken_back_and_once(device: Bench) -> None:
    device.press()
    second = device.press()["label"]
    device.hold_scan()
    device.hold_scan()

    assert [row.about for row in device.rows("void")] == [second["capture_id"]]


def test_a_void_that_could_not_be_written_can_be_tried_again(device: Bench, tmp_path: Path) -> None:
    device.press()
    device.layout.records.rename(tmp_path / "away")
    device.hold_scan()
    red = device.parts.light.shown[-1]
    (tmp_path / "away").rename(device.layout.records)
    device.hold_scan()

    assert len(device.rows("void")) == 1
    assert red is Signal.FAULT


# The camera's rest


def test_the_camera_stops_when_no_retake_is_waited_for_any_more(device: Bench) -> None:
    """The default of `camera.linger_s`, counted from the last press that made a photo."""
    streaming = [device.parts.camera.streaming]  # nobody has pressed yet
    device.press()
    for after_s in (15.0, 3.0):
        device.tick(after_s)
    device.press()
    for after_s in (RETAKE_WINDOW_S - 0.1, 1.1):
        device.tick(after_s)
        streaming.append(device.parts.camera.streaming)

    assert streaming == [False, True, False]


@pytest.mark.parametrize(("linger_s", "lingers"), [(0, False), (90, True)])
def test_the_camera_lingers_after_a_photo_as_long_as_it_is_set(
    tmp_path: Path, linger_s: float, *, lingers: bool
) -> None:
    with bench(tmp_path, camera={"linger_s": linger_s}) as device:
        device.press()
        device.tick(80.0)

        assert device.parts.camera.streaming is lingers


# Time


def without_time() -> Parts:
    return Parts(witness=ClockSource.UNSYNCED)


@pytest.fixture
def unsynced(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, without_time()) as opened:
        yield opened


def test_a_boot_that_began_unsynced_is_dated_once_when_the_time_is_known(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    with bench(tmp_path, without_time()) as device:
        before = device.press()
        device.tick()
        assert device.rows("time") == []

        device.hear_time(later)
        device.tick()
        after = device.press()
        device.tick()
        (row,) = device.rows("time")
        dated = device.open(row.capture_id)
    assert before["label"]["clock"] == "unsynced"
    assert after["label"]["clock"] == "gnss"
    assert dated.record["time"]["source"] == "gnss"
    assert dated.record["time"]["boot_id"] == before["label"]["boot_id"]
    assert dated.record["time"]["monotonic_ns"] == dated.label.monotonic_ns
    at_s = (dated.label.monotonic_ns - device.parts.position.fix.received_ns) / 1e9  # type: ignore[union-attr]  # set above
    expected = later + timedelta(seconds=at_s)
    assert abs(datetime.fromisoformat(dated.record["time"]["utc"]) - expected).total_seconds() < 0.1


def test_the_best_source_of_a_boot_dates_it(tmp_path: Path) -> None:
    """A real-time clock was 90 s wrong; the receiver, and the network after it, say so later."""
    with bench(tmp_path, without_time()) as device:
        device.press()
        device.parts.witness = ClockSource.RTC
        device.tick()
        device.press()
        device.hear_time(datetime.now(UTC))
        device.tick()
        device.parts.witness = ClockSource.NTP
        device.tick()
    with bench(tmp_path, without_time()) as device:
        for witness in ClockSource:
            device.parts.witness = witness
            device.press()
            device.tick()

        sources = [
            device.open(row.capture_id).record["time"]["source"] for row in device.rows("time")
        ]
    assert sources == ["rtc", "gnss", "ntp"]


def test_a_boot_that_lost_its_time_after_a_turn_is_dated_when_it_is_back(device: Bench) -> None:
    device.tick()
    for witness in (ClockSource.UNSYNCED, ClockSource.NTP):
        device.parts.witness = witness
        device.press()
        device.tick()

    assert len(device.rows("time")) == 1


def test_a_boot_whose_process_died_before_it_was_dated_is_dated_by_the_next(tmp_path: Path) -> None:
    with bench(tmp_path, without_time()) as device:
        device.press()
    with bench(tmp_path) as device:
        device.tick()

        assert len(device.rows("time")) == 1


def test_a_time_record_with_a_late_row_is_not_written_twice(
    unsynced: Bench, tmp_path: Path
) -> None:
    unsynced.press()
    unsynced.parts.witness = ClockSource.NTP
    unsynced.layout.database.rename(tmp_path / "away.db")
    unsynced.layout.database.mkdir()
    unsynced.tick()
    unsynced.layout.database.rmdir()
    (tmp_path / "away.db").rename(unsynced.layout.database)
    unsynced.tick()
    unsynced.tick()

    assert len(unsynced.rows("time")) == 1


def test_receiver_time_dates_after_a_restart_in_the_same_boot(tmp_path: Path) -> None:
    """The fix is gone; the records of this boot know how its monotonic clock and UTC belong."""
    with bench(tmp_path, without_time()) as device:
        device.press()
        device.hear_time(datetime.now(UTC) + timedelta(hours=1))
        device.tick()
        before = device.press()["label"]
    with bench(tmp_path, without_time()) as device:
        after = device.press()["label"]

    passed = timedelta(microseconds=(after["monotonic_ns"] - before["monotonic_ns"]) / 1000)
    expected = datetime.fromisoformat(before["utc"]) + passed
    assert after["clock"] == "gnss"
    assert abs(datetime.fromisoformat(after["utc"]) - expected) < timedelta(milliseconds=5)


def test_receiver_time_of_another_boot_dates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (capture_process, state_access, clock_system):
        monkeypatch.setattr(module, "boot_id", lambda _root=None: "another boot")
    with bench(tmp_path, without_time()) as device:
        device.hear_time(datetime.now(UTC) + timedelta(hours=1))
        device.tick()
        told = device.press()["label"]
    monkeypatch.undo()
    with bench(tmp_path, without_time()) as device:
        after = device.press()["label"]

    assert (told["clock"], after["clock"]) == ("gnss", "unsynced")


def test_a_fix_that_is_seen_again_is_no_rollover(
    unsynced: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver lost its fix: its last one stays, and grows old."""
    unsynced.hear_time(datetime.now(UTC))
    for _ in range(5):
        unsynced.tick()
    reply = unsynced.press()

    assert "gnss_time_refused" not in caplog.text
    assert reply["label"]["clock"] == "gnss"


# Idle lights


def test_the_idle_light_changes_only_when_something_changed(device: Bench) -> None:
    for _ in range(5):
        device.tick()
    device.parts.power.reading = PowerReading(10, external=False, under_voltage=None)
    for _ in range(5):
        device.tick()

    assert device.parts.light.shown == [Signal.READY, Signal.BATTERY_LOW]


# The socket


def run_while(device: Bench, work: Callable[[Path], T]) -> T:
    """Run the loop as long as `work` does something with its socket, in a thread of its own."""
    path = device.layout.capture_socket

    def work_and_stop() -> T:
        try:
            return work(path)
        finally:
            device.loop.stop()

    with (
        control.serve(path, lambda line, user: capture_process.answer(device.loop, line, user)),
        ThreadPoolExecutor(1) as pool,
    ):
        result = pool.submit(work_and_stop)
        device.run()
        return result.result(10.0)


def ask(device: Bench, request: dict[str, Any]) -> dict[str, Any]:
    answer = run_while(device, lambda path: control.ask(path, request, 5.0))
    assert answer is not None
    return answer


def test_less_than_an_hour_left_is_seen_at_20_percent(device: Bench) -> None:
    for turn in range(370):
        level_pct = max(20, 80 - turn // 6)
        device.parts.power.reading = PowerReading(level_pct, external=False, under_voltage=None)
        device.tick(10.0)

    assert device.parts.light.shown[-1] is Signal.BATTERY_LOW


def test_the_energy_of_the_shift_is_kept_at_the_end_of_the_process(device: Bench) -> None:
    device.loop.stop()
    device.run()

    assert device.layout.energy_file.exists()


@pytest.mark.parametrize(
    "request_",
    [
        {"press": "photo"},
        {"press": "scan"},
        {"hold": "scan", "seconds": 2},
        {"hand_over": True},
    ],
    ids=str,
)
def test_nobody_fires_a_camera_in_a_hand_from_afar(device: Bench, request_: dict[str, Any]) -> None:
    """A real board takes presses through the socket in bench mode only."""
    with pytest.raises(DoorstepError, match="bench mode is off") as refused:
        ask(device, request_)

    assert [row.kind for row in device.rows()] == ["chain_start"]
    assert refused.value.exit_code == 2
    assert device.parts.camera.taken == []


@pytest.mark.parametrize(
    ("simulated", "bench_mode", "kind"),
    [(True, False, RecordKind.PHOTO), (False, True, RecordKind.TEST)],
    ids=["simulated board", "bench mode"],
)
def test_a_press_through_the_socket_is_answered_with_label_and_record(
    tmp_path: Path, *, simulated: bool, bench_mode: bool, kind: RecordKind
) -> None:
    parts = Parts(simulated=simulated)
    with bench(tmp_path, parts, device={"bench_mode": bench_mode}) as device:
        reply = ask(device, {"press": "photo"})
        opened = device.open(reply["label"]["capture_id"])

    assert reply["label"] == opened.label.payload()
    assert reply["label"]["kind"] == kind
    assert reply["record"] == opened.record
    assert reply["record"]["trigger"] == {"by": "command", "user": capture_process.user()}
    assert reply["retake"] is False


def test_a_hand_over_through_the_socket_is_answered_in_the_same_form(tmp_path: Path) -> None:
    with bench(tmp_path, device={"bench_mode": True}) as device:
        reply = ask(device, {"hand_over": True})
        opened = device.open(reply["label"]["capture_id"])

    assert reply["label"] == opened.label.payload()
    assert reply["record"] == opened.record
    assert reply["record"]["reason"] == "handed_over"
    assert reply["record"]["trigger"] == {"by": "command", "user": capture_process.user()}
    assert reply["retake"] is False


def test_a_second_press_through_the_socket_counts_with_the_first(tmp_path: Path) -> None:
    def press_twice(path: Path) -> None:
        control.ask(path, {"press": "photo"}, 5.0)
        device.parts.now.pass_s(0.3)
        with pytest.raises(DoorstepError, match="counted as one") as told:
            control.ask(path, {"press": "photo"}, 5.0)
        assert told.value.exit_code == 75

    with bench(tmp_path, Parts(simulated=True)) as device:
        run_while(device, press_twice)


def test_scan_through_the_socket_says_that_no_label_is_read(tmp_path: Path) -> None:
    with bench(tmp_path, Parts(simulated=True)) as device:
        assert "labels are not read" in ask(device, {"press": "scan"})["scan"]


class PassingTime(SetTime):
    """A time that passes while it is looked at."""

    def __call__(self) -> int:
        self.pass_s(0.01)
        return self.ns


def test_scan_through_the_socket_is_answered_with_what_came_of_it(tmp_path: Path) -> None:
    parts = Parts(now=PassingTime(), simulated=True)
    parts.camera.label = "C1"
    with round_of(tmp_path, ALLOWED, parts=parts) as device:
        assert ask(device, {"press": "scan"}) == {"scan": "a label was read: press now"}


def test_the_status_tells_what_only_this_process_knows(device: Bench) -> None:
    assert ask(device, {"status": True}) == {
        "ready": True,
        "writable": True,
        "streaming": False,
        "frames_come": True,
        "battery_pct": 64,
        "external": False,
        "watts": None,
        "energy": "ok",
        "used_wh": None,
        "hours_left": None,
        "mean_w": None,
        "position": "ok",
        "has_fix": False,
        "clock": "ntp",
        "simulated": False,
        "fleet": None,
        "fleet_refused": None,
        "recipients": 2,
        "manifest": "off",
        "manifest_until": None,
        "manifest_refused": None,
        "no_credentials": None,
        "evidence_until": None,
        "serve_until": None,
        "quiet": False,
    }


def test_the_status_names_each_part_of_the_energy_that_fails(tmp_path: Path) -> None:
    """All three fit into a full document: they share a bus, and one wire silences them together."""
    with bench(tmp_path, power={"gauge": True, "current_sensor": "ina226"}) as device:
        device.parts.motion.fault = "accelerometer silent"
        device.parts.power.reading = PowerReading(None, external=False, under_voltage=None)
        for _ in range(8):
            device.tick(10.0)

        told = device.loop.status()["energy"]

    assert told == "fuel gauge silent; sensor ina226 silent; accelerometer silent"
    assert short(told, TEXT_LIMIT_BYTES // 2) == told
    assert device.parts.light.shown[-1] is Signal.BATTERY_LOW


def test_the_status_tells_the_energy_of_the_shift_once_an_hour(device: Bench) -> None:
    device.parts.power.reading = PowerReading(64, external=False, under_voltage=None, watts=4.0)
    half_past_s = 5400.0 - device.parts.now.ns / 1e9 % 3600.0  # figures change at hours of uptime
    device.parts.now.pass_s(half_past_s)
    told = []
    for _ in range(2 * 360 + 10):
        device.tick(10.0)
        told.append(device.loop.status()["used_wh"])

    assert len(dict.fromkeys(told)) == 3  # none is known in the first hour
    assert device.loop.status()["watts"] == 4.0


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"press": "trigger"},
        {"press": ["photo"]},
        {"hold": "scan", "seconds": 1e9},
        {"hold": "scan", "seconds": -1},
        {"hold": "scan", "seconds": math.nan},
        {"hold": "photo", "seconds": 2},
        {"hand_over": "yes"},
        {"status": 1.5},
    ],
    ids=str,
)
def test_invalid_request_presses_nothing(tmp_path: Path, request_: dict[str, Any]) -> None:
    with bench(tmp_path, Parts(simulated=True)) as device:
        answer = capture_process.answer(device.loop, request_, "tester")

        assert answer["exit"] == ExitCode.USAGE
        assert [row.kind for row in device.rows()] == ["chain_start"]


# systemd's watchdog


def test_systemd_hears_once_that_the_process_is_ready(device: Bench, messages: Messages) -> None:
    device.loop.stop()
    device.run()

    assert messages().count(b"READY=1") == 1


def test_the_watchdog_is_fed_while_the_camera_rests(device: Bench, messages: Messages) -> None:
    for _ in range(3):
        device.tick()

    assert messages() == [b"WATCHDOG=1"] * 3


def test_a_press_feeds_the_watchdog_with_each_step(device: Bench, messages: Messages) -> None:
    """Three frames and an encode: on a busy machine a press may outlast the watchdog."""
    device.press()

    assert messages().count(b"WATCHDOG=1") >= 4


def test_the_watchdog_is_fed_only_while_frames_come(device: Bench, messages: Messages) -> None:
    camera = device.parts.camera
    device.press()
    messages()

    for _ in range(5):
        camera.last_frame_ns = device.parts.now() + 1  # not the press's
        device.tick()
    assert messages() == [b"WATCHDOG=1"] * 5
    for _ in range(5):
        device.tick()
    assert messages() == []


def test_late_frames_feed_the_watchdog_each_once(tmp_path: Path, messages: Messages) -> None:
    """A busy machine hands on what was exposed seconds ago, one in many turns."""
    with bench(tmp_path, camera={"linger_s": 60}) as device:
        camera = device.parts.camera
        device.press()
        messages()

        fed = []
        for turn in range(40):
            if turn % 10 == 0:
                camera.last_frame_ns = device.parts.now() - 7_000_000_000
            device.tick(1.0)
            fed += [turn] * len(messages())

    assert fed == [0, 10, 20, 30]


def test_a_streaming_camera_without_frames_is_not_ready_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A press would find a camera fault; the light must not promise a photo until then."""
    with bench(tmp_path) as device, caplog.at_level("INFO"):
        camera = device.parts.camera
        device.press()
        device.tick(1.5)
        shown = []
        for _ in range(12):
            device.tick(1.0)
            shown.append(device.parts.light.shown[-1])
        status = device.loop.status()
        camera.last_frame_ns = device.parts.now()
        device.tick(1.0)

    assert shown[:3] == [Signal.READY] * 3
    assert shown[5:] == [Signal.NOT_READY] * 7
    assert not status["ready"]
    assert not status["frames_come"]
    assert device.parts.light.shown[-1] is Signal.READY
    logged = [text for text in caplog.messages if "event=frames_" in text]
    assert len(logged) == 2
    assert "meaning=not_ready_and_the_watchdog_is_not_fed" in logged[0]


def test_a_stalled_camera_does_not_feed_the_watchdog(device: Bench, messages: Messages) -> None:
    device.parts.camera.error = CameraStalled("no frame in time")
    device.press()
    messages()
    device.tick()

    assert messages() == []


# Two processes


def test_a_slow_writer_makes_a_press_wait_and_lose_nothing(device: Bench, tmp_path: Path) -> None:
    held = threading.Event()
    done = threading.Event()

    def hold() -> None:
        _, database, _ = queue(tmp_path)
        with database.step():
            held.set()
            done.wait(5.0)
        database.close()

    writer = threading.Thread(target=hold)
    writer.start()
    held.wait(5.0)
    threading.Timer(0.2, done.set).start()
    began_s = time.monotonic()
    device.press()
    writer.join()

    assert len(device.rows("photo")) == 1
    assert time.monotonic() - began_s >= 0.1


def test_a_hold_after_a_press_without_photo_takes_no_earlier_photo_back(device: Bench) -> None:
    """The driver means the last press; an earlier door's good photo must stay."""
    device.press()
    device.parts.camera.error = CameraFailed("no frame")
    device.parts.now.pass_s(2.0)
    device.press()
    device.hold_scan()

    assert device.rows("void") == []


def test_a_fix_from_long_after_the_press_is_no_place_of_it() -> None:
    """A press that was served late: the driver has walked on."""
    late = Parts().fix(received_ns=10**10)

    assert record_json.fresh(late, 10**10 - 6 * 10**9) is None
    assert record_json.fresh(late, 10**10 - 10**9) is late
