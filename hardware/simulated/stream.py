"""The frames of a simulated camera from start to stop: when they end, how they are exposed."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from hardware.settling import Settling
from hardware.simulated.auto_exposure import AutoExposure, brightness, measured_lux
from hardware.simulated.scenes import EXPOSURE_MAX_US, LAMP_LUX, Exposure, Scene, exposure
from hardware.simulated.script import WorldState
from hardware.simulated.world import ScriptedChange, World, state_at

FRAME_NS: Final = 1_000_000_000 // 30
"""Time from frame to frame. Thirty a second, as common sensors give at this size."""

START_NS: Final = 500_000_000
"""Time from the start to the end of the first frame that is not hidden. It is assumed."""

HIDDEN: Final = 7
"""Frames at a process's first start that its program never gets.

Source: libcamera 0.4.0 and 0.7.1, `IpaBase::start`: six convergence frames, and one that is not
trusted. 0.4 hides them; 0.7 tags them as FrameStartup, and picamera2 0.3.38 drops frames whose
status is not Success. At later starts neither version hides a frame.
"""

_KEPT: Final = 90
"""Newest frames whose exposures are kept: 3 s, longer than any exposure takes to settle."""


@dataclass(frozen=True, slots=True)
class ExposedFrame:
    """A frame without its pixels.

    Attributes:
        state: the world at the end of its exposure.
        lamp: True if the lamp lights it.
        taken: its exposure time, its gain, and the illuminance that it reports.
        exposure_ratio: its exposure over the one that its light needs.
    """

    state: WorldState
    lamp: bool
    taken: Exposure
    exposure_ratio: float


class Stream:
    """The frames of a stream, counted from 0; times are CLOCK_MONOTONIC.

    Exposures are calculated only when they are asked for, so an unused stream costs nothing.
    If a script sets the light at a press, that is the light of a door where the driver has been
    for a while. So the exposure of a camera that streams suits it, also in the frames before.
    """

    def __init__(
        self, started_ns: int, world: World, automatic: AutoExposure, *, hidden: int
    ) -> None:
        automatic.start()
        self.started_ns: Final = started_ns
        self.settling: Final = Settling()
        self._world: Final = world
        self._automatic: Final = automatic
        self._next = -hidden
        self._exposures: dict[int, float] = {}
        self._doors = bisect_right(_doors_ns(world.changes()), started_ns)

    def end_ns(self, number: int) -> int:
        """Return when a frame ends."""
        return self.started_ns + START_NS + number * FRAME_NS

    def ended(self, now_ns: int) -> int:
        """Count the frames that have ended at `now_ns`."""
        return max(0, (now_ns - self.started_ns - START_NS) // FRAME_NS + 1)

    def exposed(self, number: int) -> tuple[int, float]:
        """Return when the exposure of a frame began, and its exposure, us times gain.

        The frame is one of the newest `_KEPT`, or a later one.
        """
        self.expose(number)
        exposed = self._exposures[number]
        return self._began_ns(number, exposed), exposed

    def frame(self, number: int) -> ExposedFrame:
        """Return one of the same frames."""
        began_ns, exposed = self.exposed(number)
        end_ns = self.end_ns(number)
        state = self._world.state(end_ns)
        lamp = self._world.lamp_lit(began_ns) and lamp_shows(state)
        wanted = exposure(Scene(light=state.light, lamp=lamp))
        exposure_us = min(exposed, EXPOSURE_MAX_US)
        lux = measured_lux(exposed, wanted.lux)
        taken = Exposure(round(exposure_us), round(exposed / exposure_us, 2), round(lux, 2))
        return ExposedFrame(state, lamp, taken, exposed / (wanted.exposure_us * wanted.gain))

    def expose(self, number: int) -> None:
        """Expose all frames up to this one; in a long stream only the newest `_KEPT`."""
        if number < self._next:
            return
        changes = self._world.changes()
        moments_ns, doors_ns = [change.at_ns for change in changes], _doors_ns(changes)
        lux: dict[tuple[int, bool], float] = {}
        for now in range(max(self._next, number - _KEPT), number + 1):
            end_ns = self.end_ns(now)
            lit = self._world.lamp_lit(self._began_ns(now, self._automatic.exposure))
            light = bisect_right(moments_ns, end_ns), lit
            if light not in lux:
                lux[light] = _lux(changes, *light)
            if (passed := bisect_right(doors_ns, end_ns)) > self._doors:
                self._doors = passed
                self._automatic.follow(lux[light])
                for earlier in self._exposures:
                    self._keep(earlier, self._automatic.exposure)
            exposed = self._automatic.exposure
            self._keep(now, exposed)
            self._automatic.measure(brightness(exposed, lux[light]))
        self._next = number + 1
        while len(self._exposures) > _KEPT:
            del self._exposures[next(iter(self._exposures))]

    def _keep(self, number: int, exposed: float) -> None:
        self._exposures[number] = exposed
        if number >= 0:
            self.settling.add(self._began_ns(number, exposed), exposed)

    def _began_ns(self, number: int, exposed: float) -> int:
        return self.end_ns(number) - round(1000 * min(exposed, EXPOSURE_MAX_US))


def _doors_ns(changes: list[ScriptedChange]) -> list[int]:
    """Return when a press sets the light, for each such press."""
    doors = (change for change in changes if change.entry.press is not None)
    return [change.at_ns for change in doors if "light" in change.entry.values]


def _lux(changes: list[ScriptedChange], passed: int, lit: bool) -> float:
    """Return the illuminance after the first `passed` changes."""
    state = state_at(changes[:passed], changes[passed - 1].at_ns if passed else 0)
    return exposure(Scene(light=state.light, lamp=lit and lamp_shows(state))).lux


def lamp_shows(state: WorldState) -> bool:
    """Return True if the lamp adds a tenth or more of the present light."""
    return exposure(Scene(light=state.light)).lux < 10 * LAMP_LUX
