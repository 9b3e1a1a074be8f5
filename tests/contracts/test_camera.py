"""The contract of a camera: the simulated one, stand-ins, and on a device its own camera."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from hardware.camera import Camera, Frame, lores_px
from hardware.drivers.camera_picamera2 import Opened, PiCamera
from hardware.drivers.camera_v4l2 import WebCamera
from hardware.errors import CameraFailed, DeviceMissing
from hardware.hang_timeout import MOST
from hardware.settings import Autofocus, CameraSettings
from hardware.settling import FRAMES_MOST, STEPS
from hardware.simulated.camera import SimulatedCamera
from hardware.simulated.scenes import DAY_LUX
from hardware.simulated.stream import FRAME_NS
from hardware.simulated.world import World
from tests.support.sensor import DIM_LUX, StreamingPicamera
from tests.support.webcam import Port

DEADLINE_S = 3.0

Lights = Sequence[tuple[float, float]]
"""Steps of light: seconds from now, and the illuminance in lux from then on."""

FRAME_S: Final = 1 / 30

IDLE_S: Final = 1.5
"""Time without a use after which a driver may do less for each frame."""

MOVES_S: Final = 6 * FRAME_S
"""Time from a change of light until the exposure moves: a frame of it, and a control's delay."""

RESTLESS: Final[Lights] = [(number * FRAME_S, 20.0 * 1.07**number) for number in range(68)]
"""Light that grows by 7 % from frame to frame, for more than two seconds."""


@dataclass(frozen=True)
class Subject:
    """A camera, and a function that changes its light; None if no test can change it."""

    camera: Camera
    set_lights: Callable[[Lights], None] | None = None


def simulated(run_dir: Path) -> Subject:
    """In a world whose script sets the light by the second."""
    script = run_dir / "world.toml"
    script.write_text("", encoding="utf-8")
    world = World(script, run_dir)
    settings = CameraSettings("simulated", width_px=320, height_px=240)

    def set_lights(lights: Lights) -> None:
        now_s = (time.monotonic_ns() - world.began_ns) / 1e9
        entries = [
            f"{{ second = {now_s + after_s}, light = {(lux / DAY_LUX) ** 0.4} }}"
            for after_s, lux in lights
        ]
        part = script.with_suffix(".part")
        part.write_text(f"at = [{', '.join(entries)}]", encoding="utf-8")
        part.replace(script)

    set_lights([(0.0, DIM_LUX)])
    return Subject(SimulatedCamera(settings, world), set_lights)


def webcam(_run_dir: Path) -> Subject:
    if not Path("/dev/video0").exists():
        pytest.skip("there is no webcam here: /dev/video0 is missing")
    return Subject(WebCamera(CameraSettings("v4l2", width_px=640, height_px=480)))


def webcam_stand_in(_run_dir: Path) -> Subject:
    """The webcam's driver on a stand-in for OpenCV: a camera that reports no exposures."""
    return Subject(WebCamera(CameraSettings("v4l2", width_px=320, height_px=240), Port()))


def picamera(_run_dir: Path) -> Subject:
    """As a device has it; a module with a fixed lens is opened as such."""
    pytest.importorskip("picamera2")
    settings = CameraSettings("picamera2")
    if px := os.environ.get("DOORSTEP_TEST_CAMERA_PX"):  # a virtual camera has one size
        width_px, height_px = map(int, px.split("x"))
        settings = replace(settings, width_px=width_px, height_px=height_px)
    try:
        return Subject(PiCamera(settings))
    except DeviceMissing as error:
        if "fixed lens" not in str(error):
            raise
    return Subject(PiCamera(replace(settings, autofocus=Autofocus.NONE)))


def picamera_stand_in(_run_dir: Path) -> Subject:
    """The picamera2 driver on a stand-in for picamera2, so that the suite is known to suit it."""
    settings = CameraSettings("picamera2", width_px=320, height_px=240)
    picamera = StreamingPicamera()

    def set_lights(lights: Lights) -> None:
        now_ns = time.monotonic_ns()
        picamera.lights = [(now_ns + round(after_s * 1e9), lux) for after_s, lux in lights]

    return Subject(PiCamera(settings, Opened(picamera, "smpte170m")), set_lights)


CAMERAS = [
    simulated,
    picamera_stand_in,
    webcam_stand_in,
    pytest.param(webcam, marks=pytest.mark.device),
    pytest.param(picamera, marks=pytest.mark.device),
]


@pytest.fixture(scope="module", params=CAMERAS, ids=lambda opener: opener.__name__)
def subject(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """Open a camera; the simulated one starts fast, to save time."""
    opener: Callable[[Path], Subject] = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hardware.simulated.stream.START_NS", FRAME_NS)
        subject = opener(tmp_path_factory.mktemp("run"))
        yield subject
        subject.camera.close()
        subject.camera.close()


@pytest.fixture
def camera(subject: Subject) -> Camera:
    """Streaming; left so, since starting takes half a second."""
    subject.camera.start()
    return subject.camera


@pytest.fixture
def set_lights(subject: Subject, camera: Camera) -> Iterator[Callable[[Lights], None]]:
    """Change the light of the streaming camera, whose exposure has settled in a dim one."""
    if subject.set_lights is None:
        pytest.skip("nothing changes the light of this camera")
    subject.set_lights([(0.0, DIM_LUX)])
    time.sleep(MOVES_S)
    list(camera.take(0, 1, DEADLINE_S))
    yield subject.set_lights
    subject.set_lights([(0.0, DIM_LUX)])


def test_every_frame_began_after_the_press(camera: Camera) -> None:
    next(camera.take(0, 1, DEADLINE_S))
    for phase_ms in range(0, 34, 8):  # a press may come at any moment of an exposure
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


def test_the_deadline_runs_from_frame_to_frame(camera: Camera) -> None:
    """A burst may take longer than the longest wait for one of its frames, on any processor."""
    first, second = camera.take(time.monotonic_ns(), 2, DEADLINE_S)
    frame_s = max(FRAME_S, (second.sensor_time_ns - first.sensor_time_ns) / 1e9)

    frames = list(camera.take(time.monotonic_ns(), 5 * MOST, deadline_s=4 * frame_s))

    assert len(frames) == 5 * MOST


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


def test_second_start_or_stop_changes_nothing(camera: Camera) -> None:
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


def exposure(frame: Frame) -> float:
    return frame.exposure_us * frame.gain


def settled(camera: Camera, deadline_s: float = DEADLINE_S) -> Frame:
    """Return the first frame of a burst from now on."""
    frames = camera.take(0, 1, deadline_s)
    return next(frames)


@pytest.mark.parametrize("idle_s", [0.0, pytest.param(IDLE_S, marks=pytest.mark.slow)])
def test_a_burst_of_a_settled_stream_does_not_wait_and_says_so(
    camera: Camera, idle_s: float
) -> None:
    """All its frames say the same; a camera that reports no exposure says nothing.

    Each press starts the camera, and a scan window looks: neither forgets the frames before.
    """
    list(camera.take(0, 1, DEADLINE_S))
    camera.look(DEADLINE_S)
    camera.start()
    time.sleep(idle_s)
    called_ns = time.monotonic_ns()

    frames = list(camera.take(called_ns, 3, DEADLINE_S))

    frame_ns = max(FRAME_S * 1e9, frames[1].sensor_time_ns - frames[0].sensor_time_ns)
    assert frames[0].sensor_time_ns - called_ns < (STEPS - 1) * frame_ns
    assert {frame.converged for frame in frames} in ({True}, {None})


def test_a_camera_without_exposures_says_nothing_and_waits_for_nothing(camera: Camera) -> None:
    camera.stop()
    camera.start()
    frame = settled(camera)
    if frame.converged is not None:
        pytest.skip("this camera reports exposures")
    changed_ns = time.monotonic_ns()

    (changed,) = camera.take(0, 1, DEADLINE_S, light_changed_ns=changed_ns)

    assert (changed.converged, changed.lux, camera.lux(DEADLINE_S)) == (None, None, None)
    assert changed.sensor_time_ns - changed_ns < (STEPS - 1) * FRAME_S * 1e9


@pytest.mark.parametrize(
    ("lux", "idle_s"),
    [
        (DIM_LUX * 6, 0.0),
        (DIM_LUX / 15, 0.0),
        pytest.param(DIM_LUX * 6, IDLE_S, marks=pytest.mark.slow),
    ],
)
def test_a_burst_waits_until_the_exposure_follows_the_light(
    camera: Camera, set_lights: Callable[[Lights], None], lux: float, idle_s: float
) -> None:
    """Within half a stop counts as settled; these changes take less than 30 frames.

    A driver may look at few frames only while nobody uses the camera.
    """
    before = settled(camera)
    time.sleep(idle_s)
    set_lights([(0.0, lux)])
    time.sleep(MOVES_S)

    frames = list(camera.take(time.monotonic_ns(), 3, DEADLINE_S))

    assert [frame.converged for frame in frames] == [True] * 3
    for frame in frames:
        off = exposure(frame) / exposure(before) * lux / DIM_LUX
        assert 1 / 1.5 < off < 1.5


def follow_growing(camera: Camera, set_lights: Callable[[Lights], None]) -> None:
    """Make the light grow, and wait until the exposure follows it."""
    set_lights(RESTLESS[:1])
    time.sleep(MOVES_S)
    settled(camera)
    set_lights(RESTLESS)
    time.sleep(2 * MOVES_S)


def test_a_light_that_always_grows_ends_the_wait_after_thirty_frames(
    camera: Camera, set_lights: Callable[[Lights], None]
) -> None:
    """The burst then has the newest frames, with `converged` false."""
    follow_growing(camera, set_lights)
    called_ns = time.monotonic_ns()

    frames = list(camera.take(called_ns, 3, DEADLINE_S))

    assert [frame.converged for frame in frames] == [False] * 3
    waited_s = (frames[0].sensor_time_ns - called_ns) / 1e9
    assert 0.9 < waited_s / (FRAMES_MOST * FRAME_S) < 2


def test_a_wait_ends_at_the_deadline_too(
    camera: Camera, set_lights: Callable[[Lights], None]
) -> None:
    """A frame that is too bright or too dark is better than no frame."""
    follow_growing(camera, set_lights)
    began = time.monotonic()

    frame = settled(camera, deadline_s=0.2)

    assert frame.converged is False
    assert 0.1 < time.monotonic() - began < FRAMES_MOST * FRAME_S


def test_an_exposure_resumes_after_a_restart(
    camera: Camera, set_lights: Callable[[Lights], None]
) -> None:
    """If the light changed meanwhile, the first exposure is stale, and a burst waits."""
    before = settled(camera)
    camera.stop()
    set_lights([(0.0, DIM_LUX / 15)])
    camera.start()
    camera.lux(DEADLINE_S)

    stale = settled(camera, deadline_s=0.05)
    right = settled(camera)

    assert (stale.converged, right.converged) == (False, True)
    assert exposure(stale) < 8 * exposure(before)
    assert exposure(right) > 10 * exposure(before)


def test_frames_from_before_the_light_was_changed_do_not_count(camera: Camera) -> None:
    """Their exposures hardly move, but they show the light before the change."""
    list(camera.take(0, 1, DEADLINE_S))
    changed_ns = time.monotonic_ns()

    frame = next(camera.take(0, 1, DEADLINE_S, light_changed_ns=changed_ns))

    assert frame.exposure_began_ns >= changed_ns
    if frame.converged is not None:
        assert frame.sensor_time_ns - changed_ns >= STEPS * FRAME_S * 1e9


def test_lux_needs_no_burst(camera: Camera, set_lights: Callable[[Lights], None]) -> None:
    for lux in (DIM_LUX, DIM_LUX / 15):
        set_lights([(0.0, lux)])
        frame = next(camera.take(0, 1, DEADLINE_S, light_changed_ns=time.monotonic_ns()))

        assert frame.lux == pytest.approx(lux, rel=0.1)
        assert camera.lux(DEADLINE_S) == pytest.approx(lux, rel=0.1)


def test_lux_is_that_of_the_newest_frame_and_at_once(camera: Camera) -> None:
    lux = camera.lux(DEADLINE_S)
    assert lux is None or lux >= 0
    took_s = []
    for _ in range(5):
        began = time.monotonic()
        camera.lux(DEADLINE_S)
        took_s.append(time.monotonic() - began)

    assert min(took_s) < FRAME_S / 2


def test_lux_waits_for_a_frame_of_the_changed_light(camera: Camera) -> None:
    changed_ns = time.monotonic_ns()

    if camera.lux(DEADLINE_S, light_changed_ns=changed_ns) is not None:
        assert camera.last_frame_ns is not None
        assert camera.last_frame_ns > changed_ns


def test_lux_waits_for_the_first_frame_after_a_start(camera: Camera) -> None:
    camera.stop()
    started_ns = time.monotonic_ns()
    camera.start()

    if camera.lux(DEADLINE_S) is not None:
        assert camera.last_frame_ns is not None
        assert camera.last_frame_ns > started_ns


def test_a_stopped_camera_tells_no_lux(camera: Camera) -> None:
    camera.stop()

    with pytest.raises(CameraFailed, match="stopped"):
        camera.lux(DEADLINE_S)
