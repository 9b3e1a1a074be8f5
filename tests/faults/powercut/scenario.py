"""A part of a device's work in which the power is cut, and what must hold after any cut."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from hardware.simulated.scene_room import Image
from hardware.simulated.scenes import Scene, render
from tests.faults.powercut import checker
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.stage import Stage
from tests.support.benchtop import Bench

Act = Callable[[Stage], None]
Prepare = Callable[[Stage, Bench], None]
Check = Callable[[Stage, PromiseLog, int, bool], list[str]]
"""From what was promised, the size of the log at the cut, and whether the device's own commands do
the restart, to the promises that are broken."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A part of a device's work.

    Attributes:
        act: what is cut.
        prepare: what was before, in a process that died with everything open; None for an empty
            disk.
        check: what must be so after any cut.
    """

    act: Act
    prepare: Prepare | None = None
    check: Check = checker.check


@cache
def pictures() -> list[Image]:
    """Return a door in three sizes: about 35, 140 and 270 KB as JPEG; the fourth is blurred."""
    sharp = [_door(640, 360), _door(1280, 720), _door(1920, 1080)]
    return [*sharp, render(Scene(seed=1, width_px=640, height_px=360, motion_px=30.0))]


def _door(width_px: int, height_px: int) -> Image:
    return render(Scene(seed=1, width_px=width_px, height_px=height_px))
