"""The picamera2 door on a stand-in for picamera2, with its jobs, requests and hangs."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Timer
from types import ModuleType
from typing import Any

import cv2  # noqa: TID251 - makes the I420 that a sensor would
import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.camera import Camera
from hardware.drivers import camera_picamera2
from hardware.drivers.camera_picamera2 import (
    AF_PAUSE_IMMEDIATE,
    AF_PAUSE_RESUME,
    Opened,
    PiCamera,
    open_device,
)
from hardware.errors import CameraFailed, CameraStalled, DeviceMissing
from hardware.picamera2_frames import (
    BUFFERS,
    controls,
    frame,
    i420_to_bgr,
    i420_to_luma,
    streams,
)
from hardware.picamera2_state import (
    AF_STATE_SCANNING,
    FOCUS_NS,
    SAMPLED,
    WATCH_NS,
    focus_due_ns,
)
from hardware.settings import Autofocus, CameraSettings
from hardware.settling import STEPS
from tests.support.sensor import work

SETTINGS = CameraSettings("picamera2", width_px=320, height_px=240)
FIXED_LENS = CameraSettings("picamera2", width_px=320, height_px=240, autofocus=Autofocus.NONE)
AF_STATE_FOCUSED = 2
DEADLINE_S = 2.0
SETTLED = STEPS + 1
"""Frames of one exposure after which it has settled."""


def metadata(sensor_time_ns: int, **more: Any) -> dict[str, Any]:
    return {
        "SensorTimestamp": sensor_time_ns,
        "ExposureTime": 8_000,
        "AnalogueGain": 2.0,
        "DigitalGain": 1.5,
        "Lux": 410.0,
        **more,
    }


@dataclass
class Request:
    """A completed request; it knows whether it went back to the sensor."""

    metadata: dict[str, Any]
    releases: int = 0
    broken: bool = False
    rows: int = 360
    lores: NDArray[np.uint8] | None = None
    unwelcome: bool = False
    gone: bool = False
    read: int = 0

    def acquire(self) -> None:
        if self.gone:
            raise RuntimeError("CompletedRequest: acquiring lock with ref_count 0")
        self.releases -= 1

    def get_metadata(self) -> dict[str, Any]:
        self.read += 1
        return self.metadata

    def make_array(self, name: str) -> NDArray[np.uint8]:
        if self.broken:
            raise RuntimeError(f"Stream {name!r} is not defined")
        if name == "lores" and self.lores is not None:
            return self.lores
        return np.full((self.rows, 384), 128, np.uint8)

    def release(self) -> None:
        self.releases += 1
        if self.unwelcome:
            raise RuntimeError("Failed to queue request")


@dataclass
class Job:
    """Ends with what the script has for it: a request, an error, or never."""

    outcome: Request | Exception | None

    def get_result(self, timeout: float) -> Request:
        if self.outcome is None:
            time.sleep(min(timeout, 0.01))
            raise TimeoutError
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class Picamera:
    """The part of Picamera2 that the driver uses, with the same names."""

    script: list[Request | Exception | None] = field(default_factory=list)
    af_states: list[int] = field(default_factory=lambda: [AF_STATE_FOCUSED])
    camera_controls: dict[str, Any] = field(default_factory=lambda: {"AfMode": (0, 2, 0)})
    hang: Event | None = None
    fault: Exception | None = None
    control_faults: list[Exception | None] = field(default_factory=list)
    started: bool = False
    configured: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    flushes: list[int] = field(default_factory=list)
    closed: int = 0
    pre_callback: Callable[[Any], None] = print

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configured.append(configuration)

    def camera_configuration(self) -> dict[str, Any]:
        return self.configured[-1]

    def set_controls(self, chosen: dict[str, Any]) -> None:
        if self.control_faults and (fault := self.control_faults.pop(0)):
            raise fault
        self.told.append(chosen)

    def start(self) -> None:
        self._maybe_hang()
        self.started = True
        for state in self.af_states[:1] * SETTLED:
            self.see(state)

    def stop(self) -> None:
        self._maybe_hang()
        self.started = False

    def close(self) -> None:
        self._maybe_hang()
        self.started = False
        self.closed += 1

    def capture_request(self, wait: bool, flush: int) -> Job:
        assert wait is False
        if not self.script:
            raise RuntimeError("Camera is not running")
        self.flushes.append(flush)
        return Job(self.script.pop(0))

    def see(self, af_state: int | None) -> None:
        """Let a frame pass the callback."""
        more = {} if af_state is None else {"AfState": af_state}
        self.give(metadata(time.monotonic_ns(), **more))

    def give(self, told: dict[str, Any]) -> None:
        """Let a frame with this metadata pass the callback."""
        self.seen.append(Request(told))
        self.pre_callback(self.seen[-1])

    def _maybe_hang(self) -> None:
        if self.fault:
            raise self.fault
        if self.hang:
            self.hang.wait()


def opened(picamera: Picamera, settings: CameraSettings = SETTINGS) -> PiCamera:
    return PiCamera(settings, Opened(picamera, "smpte170m"))


def started(picamera: Picamera, settings: CameraSettings = SETTINGS) -> Camera:
    camera = opened(picamera, settings)
    camera.start()
    return camera


def requests(count: int) -> list[Request]:
    return [Request(metadata(10**9 * number)) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("mains_hz", "flicker"),
    [
        (50, {"AeFlickerMode": 1, "AeFlickerPeriod": 10_000}),
        (60, {"AeFlickerMode": 1, "AeFlickerPeriod": 8_333}),
        (0, {"AeFlickerMode": 0}),
    ],
)
def test_controls_fight_flicker_and_blur(mains_hz: int, flicker: dict[str, int]) -> None:
    """Short exposures in steps of the lamps' period; without lamps no period."""
    settings = CameraSettings("picamera2", autofocus=Autofocus.NONE, mains_hz=mains_hz)

    assert controls(settings) == {"AeExposureMode": 1, **flicker}


def test_autofocus_is_part_of_the_configuration() -> None:
    """Autofocus is off by default, and configure() drops what was set before."""
    assert controls(SETTINGS)["AfMode"] == 2


def test_there_is_one_configuration_without_a_raw_stream() -> None:
    """Start and stop never configure again: a mode switch costs half a second and memory."""
    picamera = Picamera()
    camera = started(picamera)
    camera.stop()
    camera.start()

    assert len(picamera.configured) == 1
    assert picamera.told == [controls(SETTINGS)] * 2, "picamera2 hands them to one start only"
    asked = picamera.configured[0]
    assert asked["main"] == {"format": "YUV420", "size": (320, 240)}
    assert asked["lores"] == {"format": "YUV420", "size": (320, 240)}
    assert (asked["raw"], asked["buffer_count"]) == (None, BUFFERS)
    assert asked["colour_space"] == "smpte170m"
    assert streams(CameraSettings("picamera2"))["lores"]["size"] == (1280, 720)


@pytest.mark.parametrize("stride_px", [64, 96])
def test_i420_with_padding_becomes_the_picture(stride_px: int) -> None:
    """Rows longer than the picture are cut after the conversion; the colours are right."""
    bgr = np.zeros((48, stride_px, 3), np.uint8)
    bgr[:24, :, 2] = 200
    bgr[24:, :, 0] = 200
    bgr[:, :32, 1] = 100
    rows = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)

    pixels = i420_to_bgr(rows, 64)

    assert pixels.shape == (48, 64, 3)
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - bgr[:, :64]).max() <= 4


def test_black_and_white_use_the_limited_range() -> None:
    """Luma 16 is black and 235 white, as the colour space of the configuration says."""
    rows = np.full((6, 4), 128, np.uint8)
    rows[:2], rows[2:4] = 16, 235

    pixels = i420_to_bgr(rows, 4)

    assert pixels[0].max() == 0
    assert pixels[3].min() >= 254


def test_luma_is_cut_out_of_the_buffer() -> None:
    """Neither the chroma nor what pads a row is part of the picture; it is a copy."""
    rows = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)

    luma = i420_to_luma(rows, 6, 4)
    rows[:] = 0

    assert luma.tolist() == [[8 * y + x for x in range(6)] for y in range(4)]


@pytest.mark.parametrize("shape", [(48,), (5, 8), (6, 4), (9, 8)])
def test_a_buffer_of_another_size_has_no_luma(shape: tuple[int, ...]) -> None:
    """Such a buffer is reported, not cut to fit."""
    with pytest.raises(ValueError, match="no YUV420 of 6 x 4"):
        i420_to_luma(np.zeros(shape, np.uint8), 6, 4)


def test_metadata_becomes_a_frame() -> None:
    """Gain is analogue times digital; the time is the end of the exposure."""
    pixels = np.zeros((2, 2, 3), np.uint8)

    made = frame(pixels, metadata(5_000_000_000))

    assert (made.exposure_us, made.gain, made.lux) == (8_000, 3.0, 410.0)
    assert made.exposure_began_ns == 5_000_000_000 - 8_000_000
    bare = {"SensorTimestamp": 1, "ExposureTime": 1, "AnalogueGain": 1.0}
    assert frame(pixels, bare).lux is None, "some pipelines do not estimate it"


def test_a_burst_is_asked_for_from_after_the_press_and_given_back() -> None:
    """Every request carries the press time and is released once."""
    burst = requests(3)
    picamera = Picamera([*burst])
    camera = started(picamera, FIXED_LENS)

    frames = camera.take(after_ns=77, count=3, deadline_s=DEADLINE_S)
    first = next(frames)
    assert burst[0].releases == 1, "the sensor has it while the frame is judged"
    taken = [first, *frames]

    assert picamera.flushes == [77, 77, 77]
    assert [one.sensor_time_ns for one in taken] == [10**9, 2 * 10**9, 3 * 10**9]
    assert taken[0].pixels.shape == (240, 320, 3)
    assert [one.releases for one in burst] == [1, 1, 1]


def without(fact: str) -> Request:
    told = metadata(1)
    del told[fact]
    return Request(told)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (Request(metadata(1), broken=True), "not defined"),
        (Request(metadata(1), rows=361), r"\(361, 384\)"),
        (without("ExposureTime"), "ExposureTime"),
        (without("AnalogueGain"), "AnalogueGain"),
        (without("SensorTimestamp"), "SensorTimestamp"),
    ],
)
def test_a_frame_that_cannot_be_read_fails_and_leaks_nothing(first: Request, words: str) -> None:
    """The press leaves a record of it; any other error would end the process."""
    burst = [first, *requests(2)]
    camera = started(Picamera([*burst]), FIXED_LENS)

    with pytest.raises(CameraFailed, match=f"cannot be read.*{words}"):
        list(camera.take(0, 3, DEADLINE_S))

    assert [one.releases for one in burst] == [1, 1, 1]


def test_a_request_that_is_refused_is_a_failure_and_gives_back_those_before_it() -> None:
    """Nothing stays with us, and the lens is let go."""
    burst = requests(2)
    picamera = Picamera([*burst])
    camera = started(picamera)

    with pytest.raises(CameraFailed, match=r"takes no request.*not running"):
        list(camera.take(0, 3, DEADLINE_S))

    assert [one.releases for one in burst] == [1, 1]
    assert picamera.told[-1] == {"AfPause": AF_PAUSE_RESUME}


def test_a_lens_that_cannot_be_held_is_a_failure() -> None:
    """libcamera's error is in the message."""
    picamera = Picamera([*requests(1)])
    camera = started(picamera)
    picamera.control_faults = [RuntimeError("Control AfPause is not advertised")]

    with pytest.raises(CameraFailed, match=r"lens.*AfPause"):
        list(camera.take(0, 1, DEADLINE_S))


def test_fault_after_the_frames_costs_no_photo(caplog: pytest.LogCaptureFixture) -> None:
    """The frames are there: only the log reports a lens that stays held."""
    picamera = Picamera([*requests(1)])
    camera = started(picamera)
    picamera.control_faults = [None, RuntimeError("Control AfPause is not advertised")]

    assert len(list(camera.take(0, 1, DEADLINE_S))) == 1
    assert "event=lens_held" in caplog.text


def test_a_buffer_that_is_not_taken_back_is_a_failure_for_its_own_frame_only() -> None:
    """The rest of a burst is given back too, if nothing reads it further."""
    burst = requests(3)
    burst[1].unwelcome = True
    camera = started(Picamera([*burst]), FIXED_LENS)

    camera_frames = camera.take(0, 3, DEADLINE_S)
    next(camera_frames)
    camera_frames.close()

    assert [one.releases for one in burst] == [1, 1, 1]


def test_a_burst_that_is_closed_leaves_every_buffer_to_the_next() -> None:
    """In the dark the lit burst follows an unlit one that was not read to its end."""
    unlit, lit = requests(3), requests(3)
    camera = started(Picamera([*unlit, *lit]), FIXED_LENS)
    frames = camera.take(0, 3, DEADLINE_S)
    next(frames)

    frames.close()

    assert [one.releases for one in unlit] == [1, 1, 1]
    assert len(list(camera.take(0, 3, DEADLINE_S))) == 3


def test_an_error_of_the_camera_is_a_failure_not_a_stall() -> None:
    """The camera answered; it may be used again."""
    camera = started(Picamera([RuntimeError("no buffers"), *requests(2)]), FIXED_LENS)

    with pytest.raises(CameraFailed, match="no buffers"):
        list(camera.take(0, 3, DEADLINE_S))

    assert camera.streaming


def take(camera: Camera, deadline_s: float) -> None:
    list(camera.take(after_ns=0, count=3, deadline_s=deadline_s))


def look(camera: Camera, deadline_s: float) -> None:
    camera.look(deadline_s)


@pytest.mark.parametrize("act", [take, look])
def test_camera_is_not_called_after_a_stall(act: Callable[..., None]) -> None:
    """The camera would hang: not its close, not by us and not at exit; a start is refused."""
    picamera = Picamera([None, None, None])
    camera = started(picamera, FIXED_LENS)
    with pytest.raises(CameraStalled, match="deadline"):
        act(camera, 0.05)
    picamera.hang = Event()

    camera.close()
    picamera.close()

    assert picamera.closed == 0
    assert not camera.streaming
    with pytest.raises(CameraFailed, match="stopped"):
        act(camera, DEADLINE_S)
    with pytest.raises(CameraFailed, match="new process"):
        camera.start()


@pytest.mark.parametrize("what", ["start", "stop", "close"])
def test_a_call_that_hangs_ends_at_its_deadline(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that may block is left behind; close says nothing, the others stall."""
    monkeypatch.setattr(camera_picamera2, "CALL_S", 0.05)
    picamera = Picamera()
    camera = opened(picamera) if what == "start" else started(picamera)
    picamera.hang = Event()

    if what == "close":
        camera.close()
    else:
        with pytest.raises(CameraStalled, match=f"did not {what}"):
            getattr(camera, what)()

    assert not camera.streaming
    picamera.hang.set()


def test_camera_starts_in_the_end_on_a_slow_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that works is not one that hangs, however long it takes by the clock."""
    monkeypatch.setattr(camera_picamera2, "CALL_S", 0.05)

    class Slow(Picamera):
        def start(self) -> None:
            work(0.1)
            super().start()

    assert started(Slow()).streaming


def test_sensor_that_does_not_start_is_reported() -> None:
    """libcamera's error is in the message."""
    camera = opened(Picamera(fault=OSError(12, "Cannot allocate memory")))

    with pytest.raises(CameraFailed, match="Cannot allocate memory"):
        camera.start()


def test_a_camera_without_a_frame_tells_no_lux() -> None:
    """A camera without a frame is stuck: the process must end."""
    camera = started(Picamera(af_states=[]))

    with pytest.raises(CameraStalled, match="deadline"):
        camera.lux(0.05)

    assert not camera.streaming


def test_a_frame_without_an_exposure_time_tells_its_lux() -> None:
    """Reading such a frame fails, which the press then records; nothing waits for another one."""
    picamera = Picamera(af_states=[])
    camera = started(picamera)
    changed_ns = time.monotonic_ns()
    told = metadata(time.monotonic_ns())
    del told["ExposureTime"]

    picamera.pre_callback(Request(told))

    assert camera.lux(0.05, light_changed_ns=changed_ns) == told["Lux"]


def test_frames_that_nobody_takes_prove_that_the_camera_lives() -> None:
    """The watchdog sees every sensor frame."""
    picamera = Picamera(af_states=[])
    camera = started(picamera)
    before_ns = camera.last_frame_ns

    picamera.see(None)

    assert before_ns is None
    assert camera.last_frame_ns
    assert time.monotonic_ns() - camera.last_frame_ns < 10**9


def idle(**newest: Any) -> tuple[Picamera, Camera]:
    """Return a camera that nobody has used for long; its newest frame differs, and is not read."""
    picamera = Picamera([*requests(1)], af_states=[])
    camera = started(picamera, FIXED_LENS)
    began_ns = time.monotonic_ns() + 2 * WATCH_NS
    for number in range(10 * SAMPLED):
        picamera.give(metadata(began_ns + number))
    picamera.give(metadata(began_ns + 10 * SAMPLED, **newest))
    assert picamera.seen[-1].read == 0
    return picamera, camera


@pytest.mark.parametrize(("exposure_us", "converged"), [(8_200, True), (10_000, False)])
def test_a_burst_after_a_long_wait_reads_the_newest_frame(
    exposure_us: int, converged: bool
) -> None:
    """The frames that were read before it may show a holster."""
    picamera, camera = idle(ExposureTime=exposure_us)

    (frame,) = camera.take(0, 1, 0.02)

    assert frame.converged is converged
    assert (picamera.seen[-1].read, picamera.seen[-1].releases) == (1, 0)


def slow_burst(camera: Camera) -> None:
    for _ in camera.take(0, 1, DEADLINE_S):
        time.sleep(0.05)


@pytest.mark.parametrize(
    "use",
    [slow_burst, lambda camera: camera.lux(DEADLINE_S), lambda camera: camera.look(DEADLINE_S)],
)
def test_each_frame_is_read_for_a_second_after_the_end_of_a_use(
    use: Callable[[Camera], object],
) -> None:
    """The lamp is put out then."""
    picamera = Picamera([Request(metadata(1), lores=np.zeros((360, 384), np.uint8))])
    camera = started(picamera, FIXED_LENS)
    time.sleep(0.05)
    use(camera)
    late_ns = time.monotonic_ns() + WATCH_NS - 20_000_000

    for number in range(3 * SAMPLED):
        picamera.give(metadata(late_ns + number))

    assert all(one.read for one in picamera.seen[-3 * SAMPLED :])


def test_lux_after_a_long_wait_is_that_of_the_newest_frame() -> None:
    _, camera = idle(Lux=3.0)

    assert camera.lux(DEADLINE_S) == 3.0


def test_newest_frame_that_went_back_to_the_sensor_is_not_touched() -> None:
    """The one that took its place is read as it comes."""
    picamera, camera = idle()
    picamera.seen[-1].gone = True
    came_ns = picamera.seen[-1].metadata["SensorTimestamp"] + 1
    Timer(0.02, picamera.give, [metadata(came_ns, Lux=3.0)]).start()

    assert camera.lux(DEADLINE_S) == 3.0


def test_newest_frame_that_cannot_be_read_is_a_failure() -> None:
    """The request went back to the sensor all the same."""
    picamera, camera = idle()
    del picamera.seen[-1].metadata["SensorTimestamp"]

    with pytest.raises(CameraFailed, match="metadata that cannot be read"):
        camera.lux(DEADLINE_S)

    assert picamera.seen[-1].releases == 0


def test_a_lens_at_rest_is_held_and_let_go() -> None:
    """Nothing is waited for: frames count from the press on."""
    picamera = Picamera([*requests(1)])
    camera = started(picamera)
    picamera.told.clear()

    list(camera.take(after_ns=77, count=1, deadline_s=DEADLINE_S))

    assert picamera.flushes == [77]
    assert picamera.told == [{"AfPause": AF_PAUSE_IMMEDIATE}, {"AfPause": AF_PAUSE_RESUME}]


def test_no_frame_from_before_the_exposure_settled_is_asked_for() -> None:
    """picamera2 may still have one when the wait is over."""
    picamera = Picamera([*requests(1)], af_states=[])
    camera = started(picamera, FIXED_LENS)
    seen = [Timer(0.02 * number, picamera.see, [None]) for number in range(1, SETTLED + 1)]
    for timer in seen:
        timer.start()

    (frame,) = camera.take(after_ns=77, count=1, deadline_s=DEADLINE_S)

    assert frame.converged
    began_ns = picamera.seen[-1].metadata["SensorTimestamp"] - 8_000 * 1000
    assert picamera.flushes == [began_ns - 1]


def test_no_frame_from_before_a_change_of_light_is_asked_for_although_the_wait_ended() -> None:
    """Here no frame came meanwhile, and picamera2 still has an earlier one."""
    picamera = Picamera([*requests(1)])
    camera = started(picamera, FIXED_LENS)
    changed_ns = time.monotonic_ns()

    (frame,) = camera.take(0, 1, 0.02, light_changed_ns=changed_ns)

    assert frame.converged is False
    assert picamera.flushes == [changed_ns]


def test_a_scan_is_waited_for() -> None:
    """Frames count from when the lens came to rest."""
    picamera = Picamera([*requests(1)], af_states=[AF_STATE_SCANNING])
    camera = started(picamera)
    press_ns = time.monotonic_ns()
    Timer(0.1, picamera.see, [AF_STATE_FOCUSED]).start()

    list(camera.take(press_ns, 1, DEADLINE_S))

    assert 0.1 <= (picamera.flushes[0] - press_ns) / 1e9 < FOCUS_NS / 1e9


def test_a_lens_is_free_until_the_exposure_has_settled() -> None:
    """The lens begins to scan when it sees something: after a start, or when the lamp is lit."""
    picamera = Picamera([*requests(1)], af_states=[])
    camera = started(picamera)
    states = [AF_STATE_FOCUSED, *[AF_STATE_SCANNING] * (SETTLED + 1), AF_STATE_FOCUSED]
    for number, state in enumerate(states):
        Timer(0.02 * number, picamera.see, [state]).start()

    (frame,) = camera.take(time.monotonic_ns(), 1, DEADLINE_S)

    assert frame.converged
    assert camera.last_frame_ns is not None
    assert picamera.flushes[0] >= camera.last_frame_ns, "it is the last that shows the lens at rest"


def test_a_scan_without_end_is_shot_at_the_deadline() -> None:
    """600 ms after the press the photo is taken anyhow."""
    picamera = Picamera([*requests(1)], af_states=[AF_STATE_SCANNING])
    camera = started(picamera)
    press_ns = time.monotonic_ns()

    list(camera.take(press_ns, 1, DEADLINE_S))

    assert 0.6 <= (picamera.flushes[0] - press_ns) / 1e9 < 0.8


def test_a_cold_camera_focuses_from_its_first_frame_on() -> None:
    """Before it there is nothing to focus on; the press may be long past."""
    assert focus_due_ns(after_ns=100, first_frame_ns=50) == 100 + FOCUS_NS
    assert focus_due_ns(after_ns=100, first_frame_ns=500_000_000) == 500_000_000 + FOCUS_NS


def test_a_camera_that_never_shows_a_frame_stalls_also_with_autofocus() -> None:
    """Waiting for the lens does not hide a stall."""
    camera = started(Picamera([None], af_states=[]))

    with pytest.raises(CameraStalled):
        list(camera.take(0, 1, 0.1))


def test_fixed_lens_is_known_from_the_configuration() -> None:
    """No silent fallback: the setting is named, with what to write."""
    picamera = Picamera(camera_controls={})

    with pytest.raises(DeviceMissing, match=r'camera\.autofocus.*"none"'):
        opened(picamera)

    assert picamera.closed == 1


def test_a_look_is_the_second_stream_from_after_the_call() -> None:
    """The newest picture is asked for by time, and its buffer goes back."""
    rows = np.full((360, 384), 128, np.uint8)
    rows[:240, :320] = 77
    request = Request(metadata(10**9), lores=rows)
    picamera = Picamera([request])
    camera = started(picamera)
    picamera.told.clear()
    called_ns = time.monotonic_ns()

    luma = camera.look(DEADLINE_S)

    assert luma.shape == (240, 320)
    assert (luma == 77).all()
    assert called_ns <= picamera.flushes[0] <= time.monotonic_ns()
    assert request.releases == 1
    assert picamera.told == [], "the lens is left alone, to find the label"


def test_a_look_does_not_wait_for_the_lens() -> None:
    """The next look is sharper; a window has a hundred of them."""
    camera = started(Picamera([*requests(1)], af_states=[AF_STATE_SCANNING]))

    began = time.monotonic()
    camera.look(DEADLINE_S)

    assert time.monotonic() - began < FOCUS_NS / 1e9 / 2


def test_a_look_that_cannot_be_read_is_a_failure_and_leaks_nothing() -> None:
    """A frame that is not of its stream's size is refused too."""
    broken, odd, refused = Request(metadata(1), broken=True), Request(metadata(2), rows=90), 0
    camera = started(Picamera([broken, odd]))

    for reason in ("not defined", r"has the shape \(90, 384\)", "takes no request"):
        with pytest.raises(CameraFailed, match=reason):
            camera.look(DEADLINE_S)
        refused += 1

    assert (broken.releases, odd.releases, refused) == (1, 1, 3)
    assert camera.streaming


def test_a_stopped_camera_takes_nothing() -> None:
    """A caller's mistake is reported at once, not at a deadline."""
    with pytest.raises(CameraFailed, match="stopped"):
        opened(Picamera()).take(0, 1, DEADLINE_S)


def test_error_without_picamera2_names_the_package() -> None:
    """Nothing else is opened in its place."""
    with pytest.raises(DeviceMissing, match=r"apt install python3-picamera2|camera\.device"):
        open_device(0)


class Talkative(Picamera):
    """Says as much as picamera2 does when it opens a camera."""

    def __init__(self, _device: int = 0) -> None:
        super().__init__()
        log = logging.getLogger("picamera2.picamera2")
        log.info("Initialization successful.")
        log.warning("something is wrong")


def test_words_of_picamera2_at_each_start_do_not_fill_the_journal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The library logs two lines whenever the sensor starts and stops; faults still appear."""
    vendor, lib = ModuleType("picamera2"), ModuleType("libcamera")
    vendor.Picamera2 = Talkative  # type: ignore[attr-defined]
    lib.ColorSpace = type("ColorSpace", (), {"Smpte170m": staticmethod(object)})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", vendor)
    monkeypatch.setitem(sys.modules, "libcamera", lib)
    caplog.set_level(logging.INFO)

    open_device(0)

    assert [one.getMessage() for one in caplog.records] == ["something is wrong"]


@pytest.mark.parametrize(
    ("told", "focused"),
    [({"AfState": 2}, True), ({"AfState": 3}, False), ({"AfState": 1}, None), ({}, None)],
)
def test_frame_says_whether_the_lens_found_its_focus(
    told: dict[str, int], focused: bool | None
) -> None:
    pixels = np.zeros((240, 320, 3), np.uint8)

    assert frame(pixels, metadata(1, **told)).focused is focused
