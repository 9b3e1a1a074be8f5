"""The frames of a simulated stream: how they are exposed, and how few are calculated."""

from pathlib import Path

import pytest

from hardware.settling import STEPS
from hardware.simulated.auto_exposure import DELAY, FIRST_US, AutoExposure
from hardware.simulated.scenes import EXPOSURE_LUX_US, EXPOSURE_MAX_US, Scene, exposure
from hardware.simulated.stream import FRAME_NS, HIDDEN, START_NS, Stream
from hardware.simulated.world import World
from tests.unit.hardware.simulated.worlds import scripted

DAY = EXPOSURE_LUX_US / exposure(Scene()).lux


def streamed(world: World, automatic: AutoExposure, *, hidden: int = 0) -> Stream:
    return Stream(world.began_ns, world, automatic, hidden=hidden)


def test_hidden_frames_of_a_first_start_have_converged_in_daylight() -> None:
    world = World(None, None)

    assert streamed(world, AutoExposure(), hidden=HIDDEN).frame(0).exposure_ratio == pytest.approx(
        1, rel=0.01
    )
    assert streamed(world, AutoExposure()).exposed(0)[1] == FIRST_US


def test_hidden_frames_do_not_show_that_the_exposure_has_settled() -> None:
    """Nobody is given them, as on a Pi."""
    stream = streamed(World(None, None), AutoExposure(), hidden=HIDDEN)

    stream.expose(STEPS - 1)
    assert not stream.settling.settled()
    stream.expose(STEPS)
    assert stream.settling.settled()


def test_a_frame_has_its_exposure_and_the_ratio_to_the_right_one() -> None:
    stream = streamed(World(None, None), AutoExposure())

    off, right = stream.frame(0), stream.frame(30)

    assert (off.taken.exposure_us, off.taken.gain) == (FIRST_US, 1.0)
    assert off.exposure_ratio == pytest.approx(FIRST_US / DAY, rel=0.01)
    assert right.exposure_ratio == pytest.approx(1, rel=0.03)
    assert stream.exposed(0)[0] == stream.end_ns(0) - 1000 * FIRST_US


def test_a_second_of_the_script_changes_the_light_and_then_the_exposure(tmp_path: Path) -> None:
    """The frames before it, and as many after it as a control takes, are as they were."""
    world = scripted(tmp_path, "[[at]]\nsecond = 3\nlight = 0.05")
    stream = streamed(world, AutoExposure())
    first = (3_000_000_000 - START_NS) // FRAME_NS + 1

    exposed = [stream.exposed(number)[1] for number in range(first - 10, first + 20)]

    assert set(exposed[: 10 + DELAY]) == {exposed[0]}
    assert exposed[10 + DELAY] > 1.5 * exposed[0]
    assert stream.frame(first).exposure_ratio < 0.01


def test_light_of_a_press_was_there_before_it_while_the_camera_streams(tmp_path: Path) -> None:
    """Scripts set the light at a door, where the driver has been for a while before the press."""
    world = scripted(tmp_path, "[[at]]\npress = 1\nlight = 0.05")
    stream = streamed(world, AutoExposure())
    day = stream.exposed(40)[1]
    world.press(stream.end_ns(50))

    assert stream.exposed(49)[1] == day
    assert stream.frame(51).exposure_ratio == pytest.approx(1, rel=0.01)
    assert stream.exposed(49)[1] == stream.exposed(51)[1]


def test_light_of_a_press_is_new_to_a_camera_that_starts_after_it(tmp_path: Path) -> None:
    world = scripted(tmp_path, "[[at]]\npress = 1\nlight = 0.05")
    automatic = AutoExposure()
    streamed(world, automatic).expose(40)
    world.press(world.began_ns)

    assert streamed(world, automatic).frame(0).exposure_ratio < 0.01


def test_lamp_shows_in_frames_that_began_after_it_was_lit(tmp_path: Path) -> None:
    world = scripted(tmp_path, "[[at]]\nsecond = 0\nlight = 0.02")
    stream = streamed(world, AutoExposure())
    stream.expose(99)
    assert stream.end_ns(100) - stream.exposed(100)[0] == 1000 * EXPOSURE_MAX_US

    world.light_lamp(lit=True, at_ns=stream.exposed(100)[0] + 1)

    assert [stream.frame(number).lamp for number in (100, 101)] == [False, True]


def test_a_long_stream_calculates_few_exposures() -> None:
    class Counted(AutoExposure):
        measured = 0

        def measure(self, brightness: float) -> None:
            self.measured += 1
            super().measure(brightness)

    automatic = Counted()
    stream = streamed(World(None, None), automatic)

    stream.exposed(100_000)

    assert automatic.measured < 100
