"""The contract of every camera, on the simulated one, on a device also on its own."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.camera import Camera, lores_px
from hardware.drivers.camera_picamera2 import Opened, PiCamera
from hardware.errors import CameraFailed, DeviceMissing
from hardware.settings import Autofocus, CameraSettings
from hardware.simulated.camera import SimulatedCamera
from hardware.simulated.world import World
from tests.support.sensor import StreamingPicamera

DEADLINE_S = 3.0


def simulated(run_dir: Path) -> Camera:
    settings = CameraSettings("simulated", width_px=320, height_px=240)
    return SimulatedCamera(settings, World(None, run_dir))


def webcam(_run_dir: Path) -> Camera:
    if not Path("/dev/video0").exists():
        pytest.skip("there is no webcam here: /dev/video0 is missing")
    from hardware.drivers.camera_v4l2 import WebCamera  # noqa: PLC0415 - only where there is a webcam

    return WebCamera(CameraSettings("v4l2", width_px=640, height_px=480))


def picamera(_run_dir: Path) -> Camera:
    """As a device has it; a module with a fixed lens is opened as such."""
    pytest.importorskip("picamera2")
    settings = CameraSettings("picamera2")
    if px := os.environ.get("DOORSTEP_TEST_CAMERA_PX"):  # a virtual camera has one size
        width_px, height_px = map(int, px.split("x"))
        settings = replace(settings, width_px=width_px, height_px=height_px)
    try:
        return PiCamera(settings)
    except DeviceMissing as error:
        if "fixed lens" not in str(error):
            raise
    return PiCamera(replace(settings, autofocus=Autofocus.NONE))


def picamera_stand_in(_run_dir: Path) -> Camera:
    """The same driver on a stand-in for picamera2, so that the suite is known to suit it."""
    settings = CameraSettings("picamera2", width_px=320, height_px=240)
    return PiCamera(settings, Opened(StreamingPicamera(), "smpte170m"))


CAMERAS = [
    simulated,
    picamera_stand_in,
    pytest.param(webcam, marks=pytest.mark.device),
    pytest.param(picamera, marks=pytest.mark.device),
]


@pytest.fixture(scope="module", params=CAMERAS, ids=lambda opener: opener.__name__)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Camera]:
    opener: Callable[[Path], Camera] = request.param
    camera = opener(tmp_path_factory.mktemp("run"))
    yield camera
    camera.close()
    camera.close()


@pytest.fixture
def camera(opened: Camera) -> Camera:
    """Streaming; left so, since starting takes half a second."""
    opened.start()
    return opened


def test_every_frame_began_after_the_press(camera: Camera) -> None:
    next(camera.take(0, 1, DEADLINE_S))
    for phase_ms in range(0, 34, 4):  # a press may come at any moment of an exposure
        time.sleep(phase_ms / 1000)
        pressed_ns = time.monotonic_ns()

        frames = list(camera.take(pressed_ns, 3, DEADLINE_S))

        assert all(frame.exposure_began_ns > pressed_ns for frame in frames)


def test_a_burst_has_as_many_frames_as_asked_for_in_their_order(camera: Camera) -> None:
    frames = list(camera.take(time.monotonic_ns(), 3, DEADLINE_S))

    ends_ns = [frame.sensor_time_ns for frame in frames]
    assert len(frames) == 3
    assert ends_ns == sorted(set(ends_ns))
    assert ends_ns[-1] < time.monotonic_ns()


def test_frames_are_bgr_pictures_of_one_size_with_their_exposure(camera: Camera) -> None:
    first, second = camera.take(time.monotonic_ns(), 2, DEADLINE_S)

    assert first.pixels.shape == second.pixels.shape
    assert first.pixels.shape[2:] == (3,)
    assert first.pixels.dtype == "uint8"
    assert first.pixels.flags.c_contiguous
    assert first.exposure_us > 0
    assert first.gain > 0


def test_a_frame_is_its_takers_own(camera: Camera) -> None:
    first, second = camera.take(time.monotonic_ns(), 2, DEADLINE_S)
    second_before = second.pixels.copy()

    first.pixels[:] = 0

    assert (second.pixels == second_before).all()


def test_the_deadline_runs_from_the_call_and_then_from_frame_to_frame(camera: Camera) -> None:
    frames = camera.take(time.monotonic_ns(), 2, DEADLINE_S)
    next(frames)

    began = time.monotonic()
    next(frames)
    assert time.monotonic() - began < DEADLINE_S


def test_the_newest_frame_is_known_without_taking_one(camera: Camera) -> None:
    frame = next(camera.take(time.monotonic_ns(), 1, DEADLINE_S))

    assert camera.last_frame_ns is not None
    assert camera.last_frame_ns >= frame.sensor_time_ns
    assert time.monotonic_ns() - camera.last_frame_ns < 1_000_000_000


def test_a_look_is_a_small_grey_picture_from_after_the_call(camera: Camera) -> None:
    frame = next(camera.take(0, 1, DEADLINE_S))
    height_px, width_px = frame.pixels.shape[:2]
    for _ in range(3):
        called_ns = time.monotonic_ns()

        luma = camera.look(DEADLINE_S)

        assert luma.shape == lores_px(width_px, height_px)[::-1]
        assert luma.dtype == "uint8"
        assert camera.last_frame_ns is not None
        assert camera.last_frame_ns > called_ns


def test_a_look_is_its_callers_own(camera: Camera) -> None:
    first = camera.look(DEADLINE_S)
    before = first.copy()
    second = camera.look(DEADLINE_S)

    second[:] = 0

    assert (first == before).all()
    assert first.std() > 0
    assert camera.look(DEADLINE_S).std() > 0


def test_looks_between_bursts_cost_no_frame(camera: Camera) -> None:
    camera.look(DEADLINE_S)
    pressed_ns = time.monotonic_ns()

    frames = list(camera.take(pressed_ns, 3, DEADLINE_S))
    camera.look(DEADLINE_S)

    assert len(frames) == 3
    assert all(frame.exposure_began_ns > pressed_ns for frame in frames)


def test_a_stopped_camera_does_not_look(camera: Camera) -> None:
    camera.stop()

    with pytest.raises(CameraFailed, match="stopped"):
        camera.look(DEADLINE_S)


@pytest.mark.parametrize(
    ("frame_px", "small_px"),
    [
        ((2304, 1296), (1280, 720)),
        ((320, 240), (320, 240)),
        ((1600, 1200), (960, 720)),
        ((4608, 2592), (1280, 720)),
        ((1300, 320), (1280, 316)),
    ],
)
def test_a_look_has_the_shape_of_the_frame(
    frame_px: tuple[int, int], small_px: tuple[int, int]
) -> None:
    """A code that is squeezed is harder to read; YUV420 has even sizes only."""
    assert lores_px(*frame_px) == small_px


def test_starting_and_stopping_twice_is_starting_and_stopping_once(camera: Camera) -> None:
    camera.start()
    assert camera.streaming

    camera.stop()
    camera.stop()
    assert not camera.streaming


def test_a_stopped_camera_exposes_no_frame(camera: Camera) -> None:
    next(camera.take(time.monotonic_ns(), 1, DEADLINE_S))
    camera.stop()
    newest_ns = camera.last_frame_ns

    time.sleep(0.1)  # three frames at 30 a second

    assert camera.last_frame_ns == newest_ns


def test_a_stopped_camera_starts_again_in_the_same_configuration(camera: Camera) -> None:
    before = next(camera.take(time.monotonic_ns(), 1, DEADLINE_S))
    camera.stop()
    pressed_ns = time.monotonic_ns()

    camera.start()

    after = next(camera.take(pressed_ns, 1, DEADLINE_S))
    assert after.pixels.shape == before.pixels.shape
    assert after.exposure_began_ns > pressed_ns
