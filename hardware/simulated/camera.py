"""A camera whose sensor is the monotonic clock: frame k ends k/30 s after the first."""

import logging
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

import cv2  # noqa: TID251 - from the strip's colours to BGR
import numpy as np

from hardware.camera import Frame, Luma, lores_px
from hardware.driver import CameraDriver
from hardware.errors import CameraFailed, CameraStalled, DeviceError
from hardware.settings import CameraSettings
from hardware.settling import FRAMES_MOST, STEPS, Settling
from hardware.simulated.drawing import SHAKES_PX
from hardware.simulated.film import Film
from hardware.simulated.label import Paper, draw_label
from hardware.simulated.scenes import EXPOSURE_MAX_US, LAMP_LUX, Exposure, Scene, exposure
from hardware.simulated.script import CameraFault, WorldState
from hardware.simulated.world import World

_log = logging.getLogger(__name__)

FRAME_NS: Final = 1_000_000_000 // 30
"""Time from frame to frame. Thirty a second, as common sensors give at this size."""

START_NS: Final = 500_000_000
"""From start to the end of the first frame. Half a second, in which exposure and gain settle."""

QUIET_NS: Final = 1_000_000_000
"""Time after a press without drawing ahead: a press turns the light green in less."""

AHEAD_NS: Final = 5_000_000_000
"""Time before a scripted second at which its scene is drawn: twice the 2.5 s on 2 cores."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of streaming; times are CLOCK_MONOTONIC."""

    started_ns: int

    def end_ns(self, number: int) -> int:
        """Return when frame `number`, counted from 0, ends."""
        return self.started_ns + START_NS + number * FRAME_NS

    def ended(self, now_ns: int) -> int:
        """Count the frames that have ended at `now_ns`."""
        return max(0, (now_ns - self.started_ns - START_NS) // FRAME_NS + 1)


class SimulatedCamera:
    """The camera of a simulated world; counts every frame of its sensor, taken or not.

    Frames are the caller's own copies. A frame shows the world at the end of its exposure; the lamp
    shows if it was on when the exposure began. After a failure it is stopped, and may be started
    again; after a stall it is of no more use, as a real one.
    """

    simulated: Final = True

    def __init__(self, settings: CameraSettings, world: World) -> None:
        """Wait until the scene of the next press is drawn; raise DeviceError for odd sizes."""
        if settings.width_px % 2 or settings.height_px % 2:
            raise DeviceError("camera.width_px, height_px: a simulated camera has even sizes only")
        self._settings: Final = settings
        self._world: Final = world
        self._lock: Final = threading.RLock()
        self._halted: Final = threading.Event()
        self._run: _Run | None = None
        self._frames_before = 0
        self._last_frame_ns: int | None = None
        self._stalled = False
        self._film: Final = Film(self._ahead, self._may_draw)
        self._film.strip(self._ahead()[0])

    @property
    def streaming(self) -> bool:
        """True if the sensor is exposing frames now."""
        return self._run is not None

    @property
    def frames_exposed(self) -> int:
        """Number of frames that the sensor has exposed since it was opened."""
        with self._lock:
            return self._frames_before + self._frames_of_run()

    @property
    def last_frame_ns(self) -> int | None:
        """When the newest frame ended; None before the first."""
        with self._lock:
            number = self._frames_of_run()
            return self._run.end_ns(number - 1) if self._run and number else self._last_frame_ns

    def start(self) -> None:
        """Begin to stream; the first frame ends half a second later."""
        with self._lock:
            if self._run:
                return
            if self._stalled:
                raise CameraFailed("the camera has stalled: it opens again in a new process only")
            if self._world.state(time.monotonic_ns()).camera is CameraFault.FAIL:
                raise CameraFailed(
                    "the simulated sensor does not start: camera = fail in the world"
                )
            self._halted.clear()
            self._run = _Run(time.monotonic_ns())
        _log.info("event=sensor on=true")

    def stop(self) -> None:
        """End the stream at once; the log says how many frames it had."""
        with self._lock:
            if self._run:
                _log.info("event=sensor on=false frames=%d", self._frames_of_run())
            self._last_frame_ns = self.last_frame_ns
            self._frames_before = self.frames_exposed
            self._run = None
            self._halted.set()

    def close(self) -> None:
        """Stop, and drop the scenes; safe to call twice."""
        self.stop()
        self._film.close()

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        """Yield frames as the protocol says; of those that ended before the call the newest is had.

        So a frame that ends while the button is debounced is not lost, as on a Pi: picamera2 hangs
        on to the last completed request. Source: picamera2 0.3.38, `process_requests`.
        """
        deadline_ns, called_ns = round(deadline_s * 1e9), time.monotonic_ns()
        return self._take(after_ns, count, deadline_ns, called_ns, light_changed_ns)

    def lux(self, deadline_s: float, *, light_changed_ns: int | None = None) -> float | None:
        """Return the illuminance as the protocol says."""
        called_ns = time.monotonic_ns()
        run = self._running()
        number = max(0, run.ended(called_ns) - 1)
        due_ns = called_ns + round(deadline_s * 1e9)
        while True:
            self._wait_for_frame(run, number, due_ns)
            end_ns = run.end_ns(number)
            _, taken = self._seen(end_ns)
            if end_ns - 1000 * taken.exposure_us >= (light_changed_ns or 0):
                return taken.lux
            number += 1

    def look(self, deadline_s: float) -> Luma:
        """Return a picture as the protocol says, with the label that is held up at its end."""
        called_ns = time.monotonic_ns()
        run = self._running()
        number = run.ended(called_ns)
        self._wait_for_frame(run, number, called_ns + round(deadline_s * 1e9))
        end_ns = run.end_ns(number)
        scene, taken = self._seen(end_ns)
        strip = self._film.strip(scene)
        luma = strip[number % len(SHAKES_PX), : scene.height_px]
        size_px = lores_px(scene.width_px, scene.height_px)
        picture = np.asarray(cv2.resize(luma, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        state = self._world.state(end_ns)
        if state.label:
            draw_label(Paper(state.label, state.label_kind, taken), picture, number)
        return picture

    def _running(self) -> _Run:
        if self._run is None:
            raise CameraFailed("the camera is stopped: start it before taking frames")
        return self._run

    def _take(
        self,
        after_ns: int,
        count: int,
        deadline_ns: int,
        called_ns: int,
        light_changed_ns: int | None,
    ) -> Generator[Frame]:
        run = self._running()
        after_ns = max(after_ns, light_changed_ns or 0)
        number = max(0, run.ended(called_ns) - 1)
        due_ns = called_ns + deadline_ns
        number, converged = self._settle(run, number, due_ns, light_changed_ns)
        while count:
            self._wait_for_frame(run, number, due_ns)
            scene, taken = self._seen(run.end_ns(number))
            if run.end_ns(number) - 1000 * taken.exposure_us > after_ns:
                yield self._frame(scene, taken, run, number, converged)
                count -= 1
                due_ns = time.monotonic_ns() + deadline_ns
            number += 1

    def _settle(
        self, run: _Run, number: int, due_ns: int, light_changed_ns: int | None
    ) -> tuple[int, bool]:
        """Wait until the exposure has settled; return the first frame from then on, and if it has.

        The frames before `number` count too.
        """
        settling = Settling()
        for before in range(max(0, number - STEPS), number):
            self._expose(settling, run, before)
        for waited in range(number, number + FRAMES_MOST):
            self._wait_for_frame(run, waited, due_ns)
            self._expose(settling, run, waited)
            if settling.settled(light_changed_ns):
                return waited, True
            if run.end_ns(waited + 1) > due_ns:
                break
        return waited, False

    def _expose(self, settling: Settling, run: _Run, number: int) -> None:
        end_ns = run.end_ns(number)
        _, taken = self._seen(end_ns)
        settling.add(end_ns - 1000 * taken.exposure_us, taken.exposure_us * taken.gain)

    def _wait_for_frame(self, run: _Run, number: int, due_ns: int) -> None:
        """Wait until the frame has ended; raise if it will not, or not in time."""
        end_ns = run.end_ns(number)
        self._pause_until(run, min(end_ns, due_ns))
        fault = self._world.first_fault(run.started_ns, end_ns)
        if fault and fault[1] is CameraFault.FAIL:
            self.stop()
            raise CameraFailed("the simulated sensor reports an error: camera = fail in the world")
        if fault or end_ns > due_ns:
            self._pause_until(run, due_ns)
            self._stalled = True
            raise CameraStalled("no frame before the deadline: the camera is stuck, start again")

    def _pause_until(self, run: _Run, moment_ns: int) -> None:
        wait_s = (moment_ns - time.monotonic_ns()) / 1e9
        if self._halted.wait(max(0.0, wait_s)) or self._run is not run:
            raise CameraFailed("the camera was stopped while a frame was waited for")

    def _frame(
        self, scene: Scene, taken: Exposure, run: _Run, number: int, converged: bool
    ) -> Frame:
        strip = self._film.strip(scene)
        pixels = np.asarray(
            cv2.cvtColor(strip[number % len(SHAKES_PX)], cv2.COLOR_YUV2BGR_I420), np.uint8
        )
        return Frame(
            pixels,
            taken.exposure_us,
            taken.gain,
            taken.lux,
            run.end_ns(number),
            converged=converged,
        )

    def _frames_of_run(self) -> int:
        """Count the frames of this stretch: until now, or until the fault that ended them."""
        if not self._run:
            return 0
        now_ns = time.monotonic_ns()
        fault = self._world.first_fault(self._run.started_ns, now_ns)
        return self._run.ended(fault[0] - 1 if fault else now_ns)

    def _seen(self, end_ns: int) -> tuple[Scene, Exposure]:
        lit = self._world.lamp_lit(end_ns - 1000 * EXPOSURE_MAX_US)
        scene = self._scene(self._world.state(end_ns), lit)
        return scene, exposure(scene)

    def _scene(self, state: WorldState, lit: bool) -> Scene:
        return Scene(
            seed=state.door,
            width_px=self._settings.width_px,
            height_px=self._settings.height_px,
            house=state.house,
            light=state.light,
            lamp=lit and _lamp_shows(state),
            motion_px=state.motion_px,
            noise=state.noise,
            cover=state.cover,
            over_stops=state.over_stops,
        )

    def _ahead(self) -> list[Scene]:
        """Return the scenes of the next press, of now and of soon; dark ones also with the lamp."""
        now_ns = time.monotonic_ns()
        states = [
            self._world.state_after_next_press(now_ns),
            self._world.state(now_ns),
            self._world.state(now_ns + AHEAD_NS),
        ]
        return [self._scene(state, lit) for state in states for lit in (True, False)]

    def _may_draw(self) -> bool:
        pressed_ns = self._world.last_press_ns
        return pressed_ns is None or time.monotonic_ns() > pressed_ns + QUIET_NS


def _lamp_shows(state: WorldState) -> bool:
    """Return True if the lamp adds a tenth or more of the present light."""
    return exposure(Scene(light=state.light)).lux < 10 * LAMP_LUX


DRIVER: Final = CameraDriver(
    open=lambda settings, world: SimulatedCamera(settings, world()),
    device_files=None,
    model="Doorstep simulated",
    source="algorithmicMedia",
)
