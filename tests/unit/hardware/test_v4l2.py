"""The webcam door: a stand-in for OpenCV's capture, and OpenCV itself where there is no webcam."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware.camera import Camera
from hardware.drivers import camera_v4l2
from hardware.drivers.camera_v4l2 import LATE_NS, WebCamera, sensor_time_ns
from hardware.errors import CameraFailed, CameraStalled, DeviceMissing
from hardware.settings import CameraSettings
from tests.support.webcam import BRIGHT, DARK, PERIOD_S, Port

SETTINGS = CameraSettings("v4l2", width_px=320, height_px=240)
DEADLINE_S = 2.0


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def camera(port: Port) -> Iterator[Camera]:
    webcam = WebCamera(SETTINGS, port)
    webcam.start()
    yield webcam
    port.now.free.set()
    webcam.close()


def test_frames_begin_after_the_press(camera: Camera) -> None:
    """Each frame's exposure, at its longest, began after the given time."""
    press_ns = time.monotonic_ns()

    frames = list(camera.take(press_ns, 3, DEADLINE_S))

    assert all(frame.exposure_began_ns > press_ns for frame in frames)
    times_ns = [frame.sensor_time_ns for frame in frames]
    assert times_ns == sorted(set(times_ns))
    assert frames[0].pixels.shape == (240, 320, 3)


def test_its_records_are_simulated(camera: Camera) -> None:
    """A webcam is not our own sensor."""
    assert camera.simulated


def test_a_look_is_the_frame_scaled_down(camera: Camera, port: Port) -> None:
    """No webcam has a second stream; a big frame becomes small, and keeps its shape."""
    port.now.height_px, port.now.width_px = 1200, 1600

    luma = camera.look(DEADLINE_S)

    assert luma.shape == (720, 960)
    assert (luma[:360] == BRIGHT).all()
    assert (luma[360:] == DARK).all()


def test_a_look_passes_over_frames_from_before_the_call(camera: Camera, port: Port) -> None:
    """A frame that is still in the driver's queue shows the parcel before."""
    port.now.late_s = 0.06

    began = time.monotonic()
    camera.look(DEADLINE_S)

    assert time.monotonic() - began >= 0.06


def test_frames_are_decoded_only_while_they_are_wanted(camera: Camera, port: Port) -> None:
    """An idle webcam costs a grab per frame, and proves by it that it lives."""
    list(camera.take(time.monotonic_ns(), 1, DEADLINE_S))
    time.sleep(4 * PERIOD_S)
    decoded, last_ns = port.now.decoded, camera.last_frame_ns
    time.sleep(10 * PERIOD_S)

    assert port.now.decoded == decoded
    assert last_ns
    assert camera.last_frame_ns
    assert camera.last_frame_ns > last_ns


def test_stop_releases_and_start_opens_again(camera: Camera, port: Port) -> None:
    """The webcam's light goes out while nothing may be photographed."""
    first = port.now
    camera.stop()
    assert first.released
    assert not camera.streaming

    camera.start()

    assert port.now is not first
    assert len(list(camera.take(time.monotonic_ns(), 1, DEADLINE_S))) == 1


def take(camera: Camera, deadline_s: float) -> None:
    list(camera.take(time.monotonic_ns(), 3, deadline_s))


def look(camera: Camera, deadline_s: float) -> None:
    camera.look(deadline_s)


@pytest.mark.parametrize("act", [take, look])
def test_a_hung_read_is_a_stall(
    camera: Camera, port: Port, monkeypatch: pytest.MonkeyPatch, act: Callable[..., None]
) -> None:
    """The caller has its answer at the deadline; close does not hang, a start is refused."""
    monkeypatch.setattr(camera_v4l2, "STOP_S", 0.05)
    port.now.hung.set()

    with pytest.raises(CameraStalled, match="deadline"):
        act(camera, 0.1)

    assert not camera.streaming
    camera.close()
    with pytest.raises(CameraFailed, match="new process"):
        camera.start()


@pytest.mark.parametrize("act", [take, look])
def test_an_unplugged_webcam_fails_at_once_and_can_start_again(
    camera: Camera, port: Port, act: Callable[..., None]
) -> None:
    """A read that fails is an answer; the next start opens the device again."""
    port.now.unplugged.set()

    with pytest.raises(CameraFailed, match="unplugged"):
        act(camera, DEADLINE_S)

    assert not camera.streaming
    camera.start()
    assert camera.streaming


def test_a_webcam_that_is_gone_does_not_start(port: Port) -> None:
    """The reason and the setting are told."""
    webcam = WebCamera(SETTINGS, port)
    port.empty = True

    with pytest.raises(CameraFailed, match=r"camera\.device = 0"):
        webcam.start()


def test_a_stopped_webcam_takes_nothing(port: Port) -> None:
    """A caller's mistake is reported at once."""
    with pytest.raises(CameraFailed, match="stopped"):
        WebCamera(SETTINGS, port).take(0, 1, DEADLINE_S)


def test_the_drivers_time_is_taken_where_it_is_monotonic() -> None:
    """A time of another clock, or none, makes the frame as old as a full queue."""
    now_ns = 50_000_000_000

    assert sensor_time_ns(49_990.0, now_ns) == 49_990_000_000
    assert sensor_time_ns(1_764_000_000_000.0, now_ns) == now_ns - LATE_NS
    assert sensor_time_ns(0.0, now_ns) == now_ns - LATE_NS


def test_error_without_a_webcam_names_the_setting() -> None:
    """OpenCV itself says no; we say which setting, and what to do."""
    absent = next(number for number in range(63, 0, -1) if not Path(f"/dev/video{number}").exists())

    with pytest.raises(DeviceMissing, match=f"camera.device = {absent}") as failure:
        WebCamera(CameraSettings("v4l2", device=absent))

    assert "group video" in str(failure.value)
