"""The simulated camera: what it sees of the world, what it counts, how it fails."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2  # noqa: TID251 - measures sharpness
import numpy as np
import pytest

from hardware.camera import Frame
from hardware.errors import CameraFailed, CameraStalled, DeviceError
from hardware.settings import CameraSettings
from hardware.simulated.camera import SimulatedCamera
from hardware.simulated.scenes import DAY_LUX
from hardware.simulated.stream import FRAME_NS, START_NS
from hardware.simulated.world import World
from tests.unit.hardware.simulated.worlds import scripted

Opener = Callable[[str], tuple[SimulatedCamera, World]]

SMALL = CameraSettings("simulated", width_px=320, height_px=240)


@pytest.fixture
def open_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Open a camera in a world and start it; its first frame comes early, to save time."""
    monkeypatch.setattr("hardware.simulated.stream.START_NS", FRAME_NS)
    opened = []

    def opener(script: str) -> tuple[SimulatedCamera, World]:
        world = scripted(tmp_path, script)
        camera = SimulatedCamera(SMALL, world)
        opened.append(camera)
        camera.start()
        return camera, world

    yield opener
    for camera in opened:
        camera.close()


def press(camera: SimulatedCamera, world: World, count: int = 1) -> list[Frame]:
    edge_ns = time.monotonic_ns()
    world.press(edge_ns)
    return list(camera.take(edge_ns, count, 2))


def sharpness(frame: Frame) -> float:
    grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_16S).var())


def test_the_first_frame_takes_half_a_second_the_next_a_thirtieth(tmp_path: Path) -> None:
    with closing(SimulatedCamera(SMALL, World(None, tmp_path))) as camera:
        started_ns = time.monotonic_ns()
        camera.start()

        camera.lux(2)
        first_ns = camera.last_frame_ns or 0
        second, third = camera.take(0, 2, 2)

        assert first_ns - started_ns == pytest.approx(START_NS, abs=20_000_000)
        assert (second.sensor_time_ns - first_ns) % FRAME_NS == 0
        assert third.sensor_time_ns - second.sensor_time_ns == FRAME_NS


def test_every_frame_of_the_sensor_is_counted_taken_or_not(open_in: Opener) -> None:
    camera, _ = open_in("")

    camera.lux(2)
    assert camera.frames_exposed == 1
    first_ns = camera.last_frame_ns or 0
    (later,) = camera.take(first_ns + 20 * FRAME_NS, 1, 2)
    assert later.sensor_time_ns == first_ns + 21 * FRAME_NS
    assert camera.frames_exposed == 22
    assert camera.last_frame_ns == later.sensor_time_ns
    camera.stop()
    camera.start()
    assert camera.frames_exposed == 22, "none until the first of the new stream has ended"
    camera.lux(2)
    assert camera.frames_exposed == 23


def test_newest_of_the_frames_that_ended_before_the_call_is_returned(open_in: Opener) -> None:
    """A button that is debounced for less than a frame costs no frame."""
    camera, _ = open_in("")
    (first,) = camera.take(0, 1, 2)
    time.sleep(2.2 * FRAME_NS / 1e9)  # well between two of them

    newest_ns, called_ns = camera.last_frame_ns, time.monotonic_ns()
    taken, following = camera.take(first.sensor_time_ns, 2, 2)

    assert taken.sensor_time_ns == newest_ns
    assert following.sensor_time_ns > called_ns


def test_a_frame_exposed_after_a_press_shows_that_door(open_in: Opener) -> None:
    camera, world = open_in("[[at]]\npress = 1\ndoor = 2\n[[at]]\npress = 2\ndoor = 3")

    here, there = press(camera, world)[0], press(camera, world)[0]
    again = press(camera, world)[0]

    assert np.abs(here.pixels.astype(int) - there.pixels).mean() > 10
    assert np.abs(there.pixels.astype(int) - again.pixels).mean() < 10


def test_a_burst_of_three_has_a_sharpest_frame(open_in: Opener) -> None:
    camera, world = open_in("")

    sharp = sorted(sharpness(frame) for frame in press(camera, world, count=3))

    assert sharp[2] > 1.1 * sharp[1]
    assert sharp[0] != sharp[1]


def test_motion_blurs_the_whole_burst(open_in: Opener) -> None:
    camera, world = open_in("[[at]]\npress = 2\nmotion_px = 8")

    still = max(sharpness(frame) for frame in press(camera, world, count=3))
    moved = max(sharpness(frame) for frame in press(camera, world, count=3))

    assert moved < still / 2


@pytest.mark.parametrize("setting", ["motion_arc_deg = 200", "jpeg_pct = 30"])
def test_the_script_bends_a_motion_and_makes_a_webcams_jpeg(open_in: Opener, setting: str) -> None:
    """Everything else stays the same, also the noise."""
    camera, world = open_in(f"[[at]]\npress = 1\nmotion_px = 8\n[[at]]\npress = 3\n{setting}")

    first, second, other = (
        {frame.pixels.tobytes() for frame in press(camera, world, count=3)} for _ in range(3)
    )
    assert first == second
    assert not first & other


def test_the_dark_takes_longer_exposure_and_gain_and_the_lamp_lights_it(open_in: Opener) -> None:
    camera, world = open_in("[[at]]\npress = 2\nlight = 0.05")

    day = press(camera, world)[0]
    dark = press(camera, world)[0]
    lit_ns = time.monotonic_ns()
    world.light_lamp(lit=True, at_ns=lit_ns)
    (lit,) = camera.take(lit_ns, 1, 2, light_changed_ns=lit_ns)
    world.light_lamp(lit=False, at_ns=time.monotonic_ns())

    assert dark.exposure_us > day.exposure_us
    assert dark.gain > day.gain
    assert lit.pixels.mean() > dark.pixels.mean() + 20
    assert lit.gain < dark.gain
    assert (day.lux or 0) > (lit.lux or 0) > (dark.lux or 0)


def test_a_camera_that_was_used_to_the_dusk_starts_with_white_pictures(open_in: Opener) -> None:
    """Frames and looks have their usual brightness once the exposure has settled."""
    camera, world = open_in("at = [{ press = 1, light = 0.3 }, { press = 2, light = 1 }]")
    press(camera, world)
    camera.stop()
    world.press(time.monotonic_ns())
    camera.start()

    white_look = camera.look(2)
    (white,) = camera.take(0, 1, 0.03)
    (day,) = camera.take(0, 1, 2)
    day_look = camera.look(2)

    assert (white.converged, day.converged) == (False, True)
    assert white.pixels.mean() > day.pixels.mean() + 50
    assert white_look.mean() > day_look.mean() + 50
    assert white.exposure_us * white.gain > 2 * day.exposure_us * day.gain


def test_lux_is_that_of_the_door_where_the_button_was_pressed(open_in: Opener) -> None:
    """Otherwise the lamp is lit by day, at the press after a dark door."""
    camera, world = open_in("at = [{ press = 1, light = 0.02 }, { press = 2, light = 1 }]")
    press(camera, world)

    dark = camera.lux(2) or 0
    world.press(time.monotonic_ns())

    assert camera.lux(2) == pytest.approx(DAY_LUX, rel=0.01)
    assert dark < 20


def test_exposure_follows_the_light_while_nobody_takes_a_frame(open_in: Opener) -> None:
    camera, _ = open_in("[[at]]\nsecond = 0.2\nlight = 0.7")
    time.sleep(0.8)
    camera.stop()
    camera.start()

    camera.lux(2)
    (resumed,) = camera.take(0, 1, 0.03)
    (right,) = camera.take(0, 1, 2)

    assert resumed.exposure_us * resumed.gain == pytest.approx(right.exposure_us * right.gain)


def test_a_label_is_seen_by_a_look_and_by_no_photo(open_in: Opener) -> None:
    camera, world = open_in('at = [{ press = 2, label = "JD0146" }, { press = 3, label = "" }]')
    press(camera, world)
    bare = camera.look(2)
    photo = press(camera, world)[0]

    held = camera.look(2)
    beside = next(camera.take(0, 1, 2))
    press(camera, world)
    gone = camera.look(2)

    assert np.abs(held.astype(int) - bare).max() > 100
    assert np.abs(beside.pixels.astype(int) - photo.pixels).mean() < 10
    assert np.abs(gone.astype(int) - bare).mean() < 10


def test_a_look_waits_for_a_frame_and_is_counted_as_one(open_in: Opener) -> None:
    camera, _ = open_in("")
    camera.lux(2)
    first_ns = camera.last_frame_ns or 0

    camera.look(2)

    assert camera.frames_exposed == 2
    assert camera.last_frame_ns == first_ns + FRAME_NS


def test_a_text_that_no_code_can_hold_fails_by_name(open_in: Opener) -> None:
    camera, world = open_in(
        f'at = [{{ press = 1, label = "{"x" * 200}", label_kind = "code128" }}]'
    )
    world.press(time.monotonic_ns())

    with pytest.raises(CameraFailed, match="label: no code128 has this text"):
        camera.look(2)


def test_a_stall_ends_the_frames_and_a_taker_waits_for_its_deadline(open_in: Opener) -> None:
    camera, world = open_in('[[at]]\npress = 2\ncamera = "stall"')
    press(camera, world)
    began = time.monotonic()
    edge_ns = time.monotonic_ns()
    world.press(edge_ns)

    with pytest.raises(CameraStalled):
        list(camera.take(edge_ns, 1, 0.3))

    assert 0.3 <= time.monotonic() - began < 1
    assert (camera.last_frame_ns or 0) <= edge_ns
    counted = camera.frames_exposed
    camera.stop()
    assert camera.frames_exposed == counted
    with pytest.raises(CameraFailed, match="new process"):
        camera.start()


def test_a_failing_camera_says_so_and_stops_until_it_is_started_well(open_in: Opener) -> None:
    camera, world = open_in('at = [{ press = 1, camera = "fail" }, { press = 2, camera = "none" }]')
    list(camera.take(0, 1, 2))

    with pytest.raises(CameraFailed, match="camera = fail"):
        press(camera, world)
    assert not camera.streaming
    with pytest.raises(CameraFailed, match="does not start"):
        camera.start()
    world.press(time.monotonic_ns())
    camera.start()
    assert len(list(camera.take(0, 1, 2))) == 1


def test_a_stopped_camera_gives_no_frames(open_in: Opener) -> None:
    camera, _ = open_in("")
    frames = camera.take(0, 2, 2)
    next(frames)
    camera.stop()

    with pytest.raises(CameraFailed):
        next(frames)
    with pytest.raises(CameraFailed, match="start it"):
        next(camera.take(0, 1, 2))


def test_odd_sizes_are_refused_by_name(tmp_path: Path) -> None:
    settings = CameraSettings("simulated", width_px=321, height_px=240)

    with pytest.raises(DeviceError, match=r"camera\.width_px"):
        SimulatedCamera(settings, World(None, tmp_path))


@pytest.mark.slow
def test_big_scenes_cost_the_capture_process_no_drawing_memory(tmp_path: Path) -> None:
    """A few doors at full size, dark ones too, in under 90 MB above what was there."""
    doors = "".join(f"{{ press = {n}, door = {n}, light = {1 / n} }}," for n in range(1, 5))
    world = scripted(tmp_path, f"at = [{doors}]")
    before_mb = resident_mb()

    camera = SimulatedCamera(CameraSettings("simulated"), world)
    camera.start()
    shapes, most_mb = set(), 0.0
    for _ in range(4):
        for frame in press(camera, world, count=3):
            shapes.add(frame.pixels.shape)
            most_mb = max(most_mb, resident_mb())
    camera.close()

    assert shapes == {(1296, 2304, 3)}
    assert most_mb - before_mb < 90


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
