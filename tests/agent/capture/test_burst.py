"""The burst: from after the press, the sharpest of three, the lamp when it is dark."""

import time
from collections.abc import Generator

import pytest

from agent.capture import burst
from hardware.camera import Frame
from hardware.errors import CameraStalled
from tests.support.benchtop import Parts, Pictures, SetLamp, picture

AFTER_NS = 5_000_000_000


def camera_with(lamp: SetLamp | None, lux: float | None = 2_000.0) -> Pictures:
    camera = Parts().camera
    camera.lamp, camera.lux = lamp, lux
    return camera


def test_a_burst_has_three_frames_and_keeps_the_sharpest() -> None:
    camera = camera_with(None)
    camera.pictures = [picture(motion_px=22.0), picture(), picture(motion_px=6.0)]

    shot = burst.shoot(camera, None, AFTER_NS, 2.0)

    assert len(camera.taken) == 3
    assert shot.frame is camera.taken[1]


def test_every_exposure_begins_after_the_press() -> None:
    camera = camera_with(None)

    burst.shoot(camera, None, AFTER_NS, 2.0)

    assert all(frame.exposure_began_ns > AFTER_NS for frame in camera.taken)


def test_a_stopped_camera_is_started_and_a_streaming_one_left_alone() -> None:
    camera = camera_with(None)

    burst.shoot(camera, None, AFTER_NS, 2.0)
    burst.shoot(camera, None, AFTER_NS, 2.0)

    assert camera.starts == 1


@pytest.mark.parametrize("lux", [20.0, 2_000.0, None])
def test_the_lamp_stays_dark_in_daylight_and_where_nothing_measures_it(lux: float | None) -> None:
    lamp = SetLamp()

    shot = burst.shoot(camera_with(lamp, lux), lamp, AFTER_NS, 2.0)

    assert not shot.lamp
    assert lamp.times_lit == 0


def test_in_the_dark_the_lamp_is_lit_for_a_burst_of_its_own_and_put_out() -> None:
    """The unlit frame is not kept, and the automatic exposure gets time to follow the lamp."""
    lamp = SetLamp()
    camera = camera_with(lamp, 19.9)

    shot = burst.shoot(camera, lamp, AFTER_NS, 2.0)

    unlit, *lit = camera.taken
    settled_ns = lamp.lit_ns + burst.LAMP_SETTLE_MS * 1_000_000
    assert shot.lamp
    assert len(lit) == 3
    assert shot.frame is not unlit
    assert all(frame.exposure_began_ns > settled_ns for frame in lit)
    assert lamp.times_lit == 1
    assert not lamp.lit


def test_the_unlit_burst_is_given_back_before_the_lamp_is_lit() -> None:
    """The sensor has buffers for one burst: what the first holds, the lit one has to miss."""

    class Lends(Pictures):
        lent = 0

        def take(self, after_ns: int, count: int, deadline_s: float) -> Generator[Frame]:
            self.lent += count
            try:
                yield from super().take(after_ns, count, deadline_s)
            finally:
                self.lent -= count

    class Looks(SetLamp):
        lent_when_lit: int | None = None

        def on(self) -> None:
            super().on()
            self.lent_when_lit = camera.lent

    camera = Lends(time.monotonic_ns)
    lamp = camera.lamp = Looks()
    camera.lux = 1.0

    burst.shoot(camera, lamp, AFTER_NS, 2.0)

    assert lamp.lent_when_lit == 0


def test_in_the_dark_without_a_lamp_the_photo_is_taken_all_the_same() -> None:
    shot = burst.shoot(camera_with(None, 0.1), None, AFTER_NS, 2.0)

    assert not shot.lamp


def test_the_lamp_is_put_out_when_the_camera_stalls() -> None:
    lamp = SetLamp()
    camera = camera_with(lamp, 1.0)
    stall = CameraStalled("no frame")

    class StallsWhenLit(SetLamp):
        def on(self) -> None:
            super().on()
            camera.error = stall

    lamp = camera.lamp = StallsWhenLit()

    with pytest.raises(CameraStalled):
        burst.shoot(camera, lamp, AFTER_NS, 2.0)

    assert lamp.times_lit == 1
    assert not lamp.lit
