"""The simulated receiver: one fix a second, of the place where the script has the driver."""

import time
from pathlib import Path

import pytest

from hardware.simulated.position import EPOCH_NS, SimulatedPosition
from hardware.simulated.world import World
from tests.unit.hardware.simulated.worlds import scripted


def receiver(folder: Path, text: str = "") -> tuple[SimulatedPosition, World]:
    world = scripted(folder, text)
    return SimulatedPosition(world), world


def test_the_newest_fix_at_a_press_is_of_the_door_pressed_at(tmp_path: Path) -> None:
    position, world = receiver(
        tmp_path,
        "[[at]]\npress = 1\nlat_deg = -1.5\nlon_deg = 2.5\nalt_m = 7\naccuracy_m = 20.9\n"
        'hdop = 1.1\nsatellites = 5\nfix = "2d"\ngnss_time = false',
    )

    world.press(time.monotonic_ns())

    fix = position.last_fix()
    assert fix is not None
    assert (fix.lat_deg, fix.lon_deg, fix.alt_m, fix.mode) == (-1.5, 2.5, None, 2)
    assert (fix.eph_m, fix.hdop, fix.satellites, fix.utc) == (20.9, 1.1, 5, None)


@pytest.mark.parametrize(("fix", "is_trouble"), [("none", False), ("unplugged", True)])
def test_door_without_reception_has_no_fix_until_a_door_with_it(
    tmp_path: Path, fix: str, *, is_trouble: bool
) -> None:
    position, world = receiver(
        tmp_path, f'[[at]]\npress = 1\nfix = "{fix}"\n[[at]]\npress = 2\nfix = "3d"'
    )

    assert position.last_fix() is not None
    assert position.trouble() is None
    world.press(time.monotonic_ns())
    assert position.last_fix() is None
    assert ("unplugged" in (position.trouble() or "")) is is_trouble
    world.press(time.monotonic_ns())
    assert position.last_fix() is not None


def test_a_fix_lost_on_the_way_stays_the_last_one_and_ages(tmp_path: Path) -> None:
    position, world = receiver(
        tmp_path, '[[at]]\nsecond = 3.5\nfix = "none"\n[[at]]\nsecond = 4\nfix = "unplugged"'
    )
    world.began_ns = time.monotonic_ns() - 10 * EPOCH_NS

    fix = position.last_fix()

    assert fix is not None
    assert fix.received_ns == world.began_ns + 3 * EPOCH_NS
