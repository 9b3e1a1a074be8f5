"""A camera whose sensor is the monotonic clock: frame k ends k/30 s after the first."""

import logging
import threading
import time
from collections.abc import Generator
from typing import Final

import cv2  # noqa: TID251 - from the strip's colours to BGR
import numpy as np
from numpy.typing import NDArray

from hardware.camera import Frame, Luma, lores_px
from hardware.driver import CameraDriver
from hardware.errors import CameraFailed, CameraStalled, DeviceError
from hardware.settings import CameraSettings
from hardware.settling import FRAMES_MOST
from hardware.simulated.auto_exposure import STABLE, AutoExposure
from hardware.simulated.drawing import SHAKES_PX
from hardware.simulated.film import Film
from hardware.simulated.label import Paper, draw_label
from hardware.simulated.scenes import Scene
from hardware.simulated.script import CameraFault, WorldState
from hardware.simulated.sensor import GAMMA
from hardware.simulated.stream import HIDDEN, Stream, lamp_shows
from hardware.simulated.world import World

_log = logging.getLogger(__name__)

QUIET_NS: Final = 1_000_000_000
"""Time after a press without drawing ahead: a press turns the light green in less."""

FULL_RANGE: Final = (0, 255)
LIMITED_RANGE: Final = (16, 235)
"""Black and white levels of a frame, and of a look."""

AHEAD_NS: Final = 5_000_000_000
"""Time before a scripted second at which its scene is drawn: twice the 2.5 s on 2 cores."""


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
        self._automatic: Final = AutoExposure()
        self._hidden = HIDDEN
        self._stream: Stream | None = None
        self._frames_before = 0
        self._last_frame_ns: int | None = None
        self._stalled = False
        self._film: Final = Film(self._ahead, self._may_draw)
        self._film.strip(self._ahead()[0])

    @property
    def streaming(self) -> bool:
        """True if the sensor is exposing frames now."""
        return self._stream is not None

    @property
    def frames_exposed(self) -> int:
        """Number of frames that the sensor has exposed since it was opened."""
        with self._lock:
            return self._frames_before + self._frames_of_stream()

    @property
    def last_frame_ns(self) -> int | None:
        """When the newest frame ended; None before the first."""
        with self._lock:
            number = self._frames_of_stream()
            return (
                self._stream.end_ns(number - 1) if self._stream and number else self._last_frame_ns
            )

    def start(self) -> None:
        """Begin to stream; the first frame ends half a second later."""
        with self._lock:
            if self._stream:
                return
            if self._stalled:
                raise CameraFailed("the camera has stalled: it opens again in a new process only")
            if self._world.state(time.monotonic_ns()).camera is CameraFault.FAIL:
                raise CameraFailed(
                    "the simulated sensor does not start: camera = fail in the world"
                )
            self._halted.clear()
            self._stream = Stream(
                time.monotonic_ns(), self._world, self._automatic, hidden=self._hidden
            )
            self._hidden = 0
        _log.info("event=sensor on=true")

    def stop(self) -> None:
        """End the stream at once; the log says how many frames it had."""
        with self._lock:
            if self._stream:
                frames = self._frames_of_stream()
                _log.info("event=sensor on=false frames=%d", frames)
                self._stream.expose(frames - 1)
            self._last_frame_ns = self.last_frame_ns
            self._frames_before = self.frames_exposed
            self._stream = None
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
        """Return the illuminance as the protocol says.

        Frames from before a press show the door before, and tell nothing of the light at this one.
        """
        called_ns, pressed_ns = time.monotonic_ns(), self._world.last_press_ns or 0
        stream = self._running()
        number = max(0, stream.ended(called_ns) - 1)
        due_ns = called_ns + round(deadline_s * 1e9)
        while True:
            self._wait_for_frame(stream, number, due_ns)
            began_ns = stream.exposed(number)[0]
            if began_ns >= (light_changed_ns or 0) and stream.end_ns(number) >= pressed_ns:
                return stream.frame(number).taken.lux
            number += 1

    def look(self, deadline_s: float) -> Luma:
        """Return a picture as the protocol says, with the label that is held up at its end."""
        called_ns = time.monotonic_ns()
        stream = self._running()
        number = stream.ended(called_ns)
        self._wait_for_frame(stream, number, called_ns + round(deadline_s * 1e9))
        exposed = stream.frame(number)
        scene = self._scene(exposed.state, exposed.lamp)
        luma = self._film.strip(scene)[number % len(SHAKES_PX), : scene.height_px]
        size_px = lores_px(scene.width_px, scene.height_px)
        small = np.asarray(cv2.resize(luma, size_px, interpolation=cv2.INTER_AREA), np.uint8)
        picture = _reexposed(small, exposed.exposure_ratio, *LIMITED_RANGE)
        if exposed.state.label:
            paper = Paper(exposed.state.label, exposed.state.label_kind, exposed.taken)
            draw_label(paper, picture, number)
        return picture

    def _running(self) -> Stream:
        if self._stream is None:
            raise CameraFailed("the camera is stopped: start it before taking frames")
        return self._stream

    def _take(
        self,
        after_ns: int,
        count: int,
        deadline_ns: int,
        called_ns: int,
        light_changed_ns: int | None,
    ) -> Generator[Frame]:
        stream = self._running()
        after_ns = max(after_ns, light_changed_ns or 0)
        number, converged = self._settle(stream, called_ns, deadline_ns, light_changed_ns)
        due_ns = time.monotonic_ns() + deadline_ns
        while count:
            self._wait_for_frame(stream, number, due_ns)
            if stream.exposed(number)[0] > after_ns:
                yield self._frame(stream, number, converged)
                count -= 1
                due_ns = time.monotonic_ns() + deadline_ns
            number += 1

    def _settle(
        self, stream: Stream, called_ns: int, deadline_ns: int, light_changed_ns: int | None
    ) -> tuple[int, bool]:
        """Wait until the exposure has settled, or for as long as the protocol says.

        Returns:
            The number of the newest frame, and True if the exposure has settled.
        """
        ended, due_ns = stream.ended(called_ns), called_ns + deadline_ns
        newest = max(0, ended - 1)
        for number in range(newest, ended + FRAMES_MOST):
            self._wait_for_frame(stream, number, due_ns)
            stream.expose(number)
            if stream.settling.settled(light_changed_ns or 0):
                return number, True
            if stream.end_ns(number + 1) > due_ns:
                break
        return number, False

    def _wait_for_frame(self, stream: Stream, number: int, due_ns: int) -> None:
        """Wait until the frame has ended; raise if it will not, or not in time."""
        end_ns = stream.end_ns(number)
        self._pause_until(stream, min(end_ns, due_ns))
        fault = self._world.first_fault(stream.started_ns, end_ns)
        if fault and fault[1] is CameraFault.FAIL:
            self.stop()
            raise CameraFailed("the simulated sensor reports an error: camera = fail in the world")
        if fault or end_ns > due_ns:
            self._pause_until(stream, due_ns)
            self._stalled = True
            raise CameraStalled("no frame before the deadline: the camera is stuck, start again")

    def _pause_until(self, stream: Stream, moment_ns: int) -> None:
        wait_s = (moment_ns - time.monotonic_ns()) / 1e9
        if self._halted.wait(max(0.0, wait_s)) or self._stream is not stream:
            raise CameraFailed("the camera was stopped while a frame was waited for")

    def _frame(self, stream: Stream, number: int, converged: bool) -> Frame:
        exposed = stream.frame(number)
        drawn = self._film.strip(self._scene(exposed.state, exposed.lamp))[number % len(SHAKES_PX)]
        pixels = np.asarray(cv2.cvtColor(drawn, cv2.COLOR_YUV2BGR_I420), np.uint8)
        return Frame(
            _reexposed(pixels, exposed.exposure_ratio, *FULL_RANGE),
            exposed.taken.exposure_us,
            exposed.taken.gain,
            exposed.taken.lux,
            stream.end_ns(number),
            converged=converged,
        )

    def _frames_of_stream(self) -> int:
        """Count the frames of this stream: until now, or until the fault that ended them."""
        if not self._stream:
            return 0
        now_ns = time.monotonic_ns()
        fault = self._world.first_fault(self._stream.started_ns, now_ns)
        return self._stream.ended(fault[0] - 1 if fault else now_ns)

    def _scene(self, state: WorldState, lamp: bool) -> Scene:
        return Scene(
            seed=state.door,
            width_px=self._settings.width_px,
            height_px=self._settings.height_px,
            house=state.house,
            light=state.light,
            lamp=lamp,
            motion_px=state.motion_px,
            motion_arc_deg=state.motion_arc_deg,
            noise=state.noise,
            cover=state.cover,
            over_stops=state.over_stops,
            jpeg_pct=state.jpeg_pct,
        )

    def _ahead(self) -> list[Scene]:
        """Return the scenes of the next press, of now and of soon; dark ones also with the lamp."""
        now_ns = time.monotonic_ns()
        states = [
            self._world.state_after_next_press(now_ns),
            self._world.state(now_ns),
            self._world.state(now_ns + AHEAD_NS),
        ]
        return [
            self._scene(state, lit and lamp_shows(state))
            for state in states
            for lit in (True, False)
        ]

    def _may_draw(self) -> bool:
        pressed_ns = self._world.last_press_ns
        return pressed_ns is None or time.monotonic_ns() > pressed_ns + QUIET_NS


def _reexposed(
    picture: NDArray[np.uint8], exposure_ratio: float, black: int, white: int
) -> NDArray[np.uint8]:
    """Return a picture as another exposure shows it, by a table that works in linear light.

    Differences that automatic exposure leaves alone change nothing.
    """
    if abs(exposure_ratio - 1) <= 2 * STABLE:
        return picture
    light = np.clip((np.arange(256) - black) / (white - black), 0, 1) ** GAMMA * exposure_ratio
    table = black + (white - black) * np.clip(light, 0, 1) ** (1 / GAMMA)
    return np.asarray(cv2.LUT(picture, table.astype(np.uint8)), np.uint8)


DRIVER: Final = CameraDriver(
    open=lambda settings, world: SimulatedCamera(settings, world()),
    device_files=None,
    model="Doorstep simulated",
    source="algorithmicMedia",
)
