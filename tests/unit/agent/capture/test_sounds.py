"""When the device sounds and vibrates: in answer to a press, never while it takes a frame."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from agent.capture.battery import EMPTY_READINGS
from agent.capture.lights import MOTOR_STOPS_S
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.camera import Frame, Luma
from hardware.errors import CameraFailed
from hardware.indicator import Signal
from hardware.patterns import PATTERNS, sounding_s, step_at
from hardware.power import PowerReading
from tests.support.benchtop import Bench, Parts, Pictures, SetLight, SetTime, picture
from tests.support.fleet import ALLOWED, ELSEWHERE, FORBIDDEN, round_of, scan, tap_scan
from tests.support.roads import away, stop_at

EMPTY = PowerReading(2, external=False, under_voltage=None)


class Heard(SetLight):
    """An indicator that knows if it sounds at this moment."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        super().__init__()
        self._now_ns = now_ns
        self._since: tuple[Signal, int] = (Signal.EXPOSED, now_ns())

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        super().show(signal, silent=silent)
        self._since = (Signal.EXPOSED if silent else signal, self._now_ns())

    def sounds(self) -> bool:
        signal, since_ns = self._since
        return step_at(PATTERNS[signal], (self._now_ns() - since_ns) / 1e9)[0].vibrate


class Listening(Pictures):
    """A camera that notes for each picture if the device sounds meanwhile."""

    def __init__(self, now_ns: Callable[[], int], light: Heard) -> None:
        super().__init__(now_ns)
        self._light = light
        self.blurred: list[bool] = []

    def look(self, deadline_s: float) -> Luma:
        self.blurred.append(self._light.sounds())
        return super().look(deadline_s)

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        for frame in super().take(after_ns, count, deadline_s, light_changed_ns=light_changed_ns):
            self.blurred.append(self._light.sounds())
            yield frame


class Listeners(Parts):
    """A board with both."""

    def __init__(self) -> None:
        now = SetTime()
        self.ear = Heard(now)
        super().__init__(now=now, light=self.ear)
        self.camera = self.eye = Listening(now, self.ear)


def wait(device: Bench, seconds: float) -> int:
    """Let time pass as the loop takes its turns; return how many of them heard the device."""
    heard = 0
    for _ in range(round(seconds / 0.05)):
        device.tick(0.05)
        heard += device.parts.light.sounds() if isinstance(device.parts.light, Heard) else 0
    return heard


def test_no_picture_is_taken_while_the_device_sounds(tmp_path: Path) -> None:
    """The rule is for labels, and for a parcel during the answer to the press before."""
    parts = Listeners()
    with round_of(tmp_path, FORBIDDEN, ALLOWED, ELSEWHERE, parts=parts) as device:
        device.press()
        heard = wait(device, 2.5)
        tap_scan(device)
        heard += wait(device, 1.5)
        scan(device, "C1")
        wait(device, 0.2)
        device.press(-0.9)
        wait(device, 0.3)
        device.press(-0.6)

        assert len(device.rows("photo")) == 1
    assert heard > 10
    assert len(parts.eye.blurred) > 10
    assert not any(parts.eye.blurred)


def test_a_press_in_the_middle_of_an_answer_waits_until_the_motor_rests(tmp_path: Path) -> None:
    """The white light ends the vibration of "press once more", and the motor runs on."""
    with round_of(tmp_path, ALLOWED) as device:
        device.parts.camera.pictures = [picture(motion_px=22.0)]
        first = device.press()
        soon = device.press(-0.35)
        later = device.press(1.0)

    waits_ms = [one["record"]["photo"]["exposed_after_press_ms"] for one in (first, soon, later)]
    assert first["retake"]
    assert waits_ms[1] - waits_ms[0] == pytest.approx(1_000 * MOTOR_STOPS_S)
    assert waits_ms[2] == waits_ms[0]


def test_each_press_is_heard_once(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED, ELSEWHERE) as device:
        device.press()
        device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.GLITCH, device.touch()))
        device.step()
        assert device.parts.light.shown.count(Signal.SAVED) == 2
        scan(device, "C1")
        wait(device, 5.0)

        assert device.parts.light.heard == [Signal.SAVED, Signal.READING, Signal.LABEL_READ]


def test_an_answer_is_heard_to_its_end_before_the_next_signal(tmp_path: Path) -> None:
    """The longest rhythm of a refusal lasts for a second, after which labels are asked for."""
    parts = Listeners()
    order = stop_at(away((FORBIDDEN.lat_deg, FORBIDDEN.lon_deg), 45, 1_112), 9)
    with round_of(tmp_path, FORBIDDEN, ALLOWED, order, parts=parts) as device:
        scan(device, "C9")
        device.parts.camera.label = ""
        parts.light.on_show = lambda signal: parts.now.pass_s(
            0.06 * (signal is Signal.CODE_ELSEWHERE)  # the card is slow
        )
        device.press()
        began_ns, answer = parts.now(), parts.light.shown[-1]
        while parts.light.shown[-1] is not Signal.READING:
            wait(device, 0.05)

        assert answer is Signal.CODE_ELSEWHERE
        assert (parts.now() - began_ns) / 1e9 > sounding_s(Signal.CODE_ELSEWHERE)


def test_the_sensor_starts_with_a_scan_and_looks_when_the_tone_is_over(tmp_path: Path) -> None:
    """A stopped camera takes half a second to its first picture."""
    with round_of(tmp_path, ELSEWHERE) as device:
        tap_scan(device)
        streams = device.parts.camera.streaming
        wait(device, 1.0)
        looked = device.parts.camera.looks
        wait(device, 0.2)

        assert streams
        assert (looked, device.parts.camera.looks > 0) == (0, True)


def test_a_sensor_that_does_not_start_for_a_label_is_heard(tmp_path: Path) -> None:
    """The driver has pressed, and waits."""
    with round_of(tmp_path, ELSEWHERE) as device:
        device.parts.camera.start = broken  # type: ignore[method-assign] # it fails from now on
        tap_scan(device)
        wait(device, 2.0)

        assert device.parts.light.heard == [Signal.READING, Signal.FAULT]


@pytest.mark.parametrize("fault", ["battery", "camera"])
def test_a_fault_that_answers_no_press_is_only_seen(tmp_path: Path, fault: str) -> None:
    with round_of(tmp_path, ALLOWED) as device:
        device.tick()
        if fault == "battery":
            device.parts.power.reading = EMPTY
        else:
            device.parts.camera.stop()
            device.parts.camera.start = broken  # type: ignore[method-assign] # it fails from now on
        wait(device, EMPTY_READINGS + 2.0)

        assert Signal.FAULT in device.parts.light.shown
        assert device.parts.light.heard == []


def broken() -> None:
    raise CameraFailed("the sensor does not start")
