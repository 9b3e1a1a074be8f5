"""Our own sensor through picamera2: one configuration, frames from after the press, deadlines.

NOT RUN ON HARDWARE. Written after the sources of picamera2 0.3.38 and libcamera 0.4.0; the tests
run it on a stand-in for picamera2's object. What a Pi has to confirm: colours, focus within the
deadline, time to the first frame and of a look, and that libcamera takes these controls together.

A stalled picamera2 hangs in whatever is called next, also at exit. So every call that may block
runs under a deadline; after the first that is missed the camera is dead, nothing of it is called
again, and the process must end.
"""

import atexit
import logging
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hardware.camera import Frame, Luma
from hardware.driver import CameraDriver, DeviceFiles
from hardware.errors import CameraFailed, CameraStalled, DeviceMissing
from hardware.hang_timeout import HangTimeout
from hardware.picamera2_frames import controls, frame, i420_to_bgr, i420_to_luma, streams
from hardware.picamera2_state import StreamState
from hardware.settings import Autofocus, CameraSettings
from hardware.settling import FRAMES_MOST

log = logging.getLogger(__name__)

CALL_S: Final = 5.0
"""Longest wait for start and stop; they take about half a second. See `HangTimeout`."""

AF_PAUSE_IMMEDIATE: Final = 0
AF_PAUSE_RESUME: Final = 2
"""Source: the enumerations of libcamera 0.4.0's Python module; picamera2 takes their numbers."""

PICAMERA_ERRORS: Final = (RuntimeError, OSError, KeyError, ValueError, IndexError)
"""Errors of picamera2 and libcamera; picamera2 has no class of its own."""


class PiCamera:
    """The sensor as `hardware.camera.Camera`; `opened` None opens the real one.

    Raises:
        DeviceMissing: no picamera2, no such camera, or a fixed lens where autofocus is configured.
    """

    def __init__(self, settings: CameraSettings, opened: "Opened | None" = None) -> None:
        opened = opened or open_device(settings.device)
        self._picamera: Final = opened.picamera
        self._controls: Final = controls(settings)
        self._state: Final = StreamState()
        self._newest: Any = None
        self._dead = False
        self._closed = False
        actual = self._configure(settings, opened.colour_space)
        self._width_px: Final = int(actual["main"]["size"][0])
        self._lores_px: Final = (int(actual["lores"]["size"][0]), int(actual["lores"]["size"][1]))

    @property
    def simulated(self) -> bool:
        """Our own sensor."""
        return False

    @property
    def streaming(self) -> bool:
        """True if the sensor is exposing frames now; a dead camera is not."""
        return not (self._dead or self._closed) and bool(self._picamera.started)

    @property
    def last_frame_ns(self) -> int | None:
        """CLOCK_MONOTONIC when the newest sensor frame came; None before the first."""
        return self._state.newest_ns

    def start(self) -> None:
        """Start streaming in the one configuration; no effect while streaming."""
        if self.streaming:
            return
        self._state.restart()
        self._call("start", self._start)

    def stop(self) -> None:
        """Stop the sensor; the configuration stays. No effect while stopped."""
        if self.streaming:
            self._call("stop", self._picamera.stop)

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        """Yield consecutive frames as the protocol says, the lens at rest, the exposure settled.

        All frames are requested at once, so that no frame is missed while another is copied. Each
        buffer goes back to the sensor before its frame is yielded, the others at an early stop.
        """
        self._require_streaming("taking frames")
        return self._burst(after_ns, count, deadline_s, light_changed_ns, HangTimeout(deadline_s))

    def _burst(
        self,
        after_ns: int,
        count: int,
        deadline_s: float,
        light_changed_ns: int | None,
        timeout: HangTimeout,
    ) -> Generator[Frame]:
        self._watch(timeout)
        frames_before = self._state.count
        after_ns = max(after_ns, light_changed_ns or 0)
        most = frames_before + FRAMES_MOST
        settled_ns, converged = self._state.wait_for_exposure(light_changed_ns, most, timeout)
        # The lens is held last: it focuses best in light that suits the exposure.
        after_ns = max(settled_ns, self._focus(after_ns, timeout))
        if self._state.count > frames_before:
            timeout = HangTimeout(deadline_s)
        jobs: list[Any] = []
        try:
            with _translated("takes no request for a frame"):
                for _ in range(count):
                    job = self._picamera.capture_request(wait=False, flush=after_ns)
                    jobs.append(job)
            while jobs:
                taken = self._taken(jobs.pop(0), timeout, converged)
                yield taken
                timeout = HangTimeout(deadline_s)
        finally:
            self._state.watch()
            self._give_back(jobs, HangTimeout(deadline_s))

    def lux(self, deadline_s: float, *, light_changed_ns: int | None = None) -> float | None:
        """Return the illuminance as the protocol says, from metadata alone."""
        self._require_streaming("asking for the light")
        timeout = HangTimeout(deadline_s)
        self._watch(timeout)
        if not self._state.wait_for_frame(light_changed_ns or 0, timeout):
            raise self._stalled()
        return self._state.newest_lux

    def look(self, deadline_s: float) -> Luma:
        """Return a picture as the protocol says; the lens stays free, and is not waited for.

        Its exposure began after the call, since that is what picamera2 can be asked for.
        """
        self._require_streaming("looking")
        self._state.watch()
        timeout = HangTimeout(deadline_s)
        with _translated("takes no request for a picture"):
            job = self._picamera.capture_request(wait=False, flush=time.monotonic_ns())
        rows, _ = self._read(job, timeout, "lores")
        with _translated("gave a picture that cannot be read"):
            return i420_to_luma(rows, *self._lores_px)

    def close(self) -> None:
        """Stop and release the device; safe to call twice. A dead one is left alone."""
        if not (self._dead or self._closed):
            with suppress(CameraFailed, CameraStalled):
                self._call("close", self._picamera.close)
        self._closed = True

    def _require_streaming(self, before: str) -> None:
        if not self.streaming:
            raise CameraFailed(f"the camera is stopped: start it before {before}")

    def _configure(self, settings: CameraSettings, colour_space: Any) -> dict[str, Any]:
        """Configure, once for good; return what libcamera made of our sizes."""
        autofocus = settings.autofocus is Autofocus.CONTINUOUS
        if autofocus and "AfMode" not in self._picamera.camera_controls:
            self._picamera.close()
            raise DeviceMissing(
                'camera.autofocus = "continuous": this module has a fixed lens; set "none"'
            )
        try:
            configuration = self._picamera.create_video_configuration(
                **streams(settings), controls=self._controls, colour_space=colour_space
            )
            self._picamera.configure(configuration)
            self._picamera.pre_callback = self._on_frame
            return dict(self._picamera.camera_configuration())
        except PICAMERA_ERRORS as error:
            self._picamera.close()
            raise CameraFailed(
                f"camera.width_px, height_px: the camera does not take this configuration: {error}"
            ) from error

    def _start(self) -> None:
        """Start with the controls again: what picamera2 was told goes to the first start only."""
        self._picamera.set_controls(self._controls)
        self._picamera.start()

    def _on_frame(self, request: Any) -> None:
        """See each frame in picamera2's thread, taken or not; mostly no caller waits for one."""
        self._newest = request
        if self._state.came():
            self._state.add(request.get_metadata())

    def _watch(self, timeout: HangTimeout) -> None:
        """Read every frame from now on, and the newest one if it was left out."""
        if self._state.watch() and not self._add_newest():
            self._state.wait_for_frame(self._state.newest_began_ns + 1, timeout)

    def _add_newest(self) -> bool:
        """Read the frame that picamera2 keeps until the next one; False if this one has come."""
        newest = self._newest
        try:
            newest.acquire()
        except RuntimeError:
            return False
        with _translated("gave metadata that cannot be read"):
            try:
                self._state.add(newest.get_metadata())
            finally:
                newest.release()
        return True

    def _focus(self, after_ns: int, timeout: HangTimeout) -> int:
        """Wait for the lens and hold it; return from when on frames count."""
        if "AfMode" not in self._controls:
            return after_ns
        waited = self._state.wait_for_focus(after_ns, timeout)
        self._pause_lens(AF_PAUSE_IMMEDIATE)
        return max(after_ns, time.monotonic_ns()) if waited else after_ns

    def _pause_lens(self, pause: int) -> None:
        with _translated("does not hold or release its lens"):
            self._picamera.set_controls({"AfPause": pause})

    def _taken(self, job: Any, timeout: HangTimeout, converged: bool) -> Frame:
        rows, metadata = self._read(job, timeout, "main")
        with _translated("gave a frame that cannot be read"):
            return frame(i420_to_bgr(rows, self._width_px), metadata, converged=converged)

    def _read(self, job: Any, timeout: HangTimeout, stream: str) -> tuple[NDArray[np.uint8], Any]:
        """Copy a stream's buffer and the metadata, and give the buffer back."""
        request = self._request(job, timeout)
        with _translated(f"gave a {stream} picture that cannot be read"):
            try:
                return request.make_array(stream), request.get_metadata()
            finally:
                request.release()

    def _request(self, job: Any, timeout: HangTimeout) -> Any:
        while True:
            wait_s = timeout.wait_s()
            try:
                return job.get_result(timeout=wait_s)
            except TimeoutError as error:
                if wait_s:
                    continue
                raise self._stalled() from error
            except PICAMERA_ERRORS as error:
                raise CameraFailed(f"the camera reported an error: {error}") from error

    def _give_back(self, jobs: list[Any], timeout: HangTimeout) -> None:
        """Release what was asked for and is not wanted, and let the lens move again.

        What fails here costs no photo that was taken: a camera that is broken says so when it is
        asked for the next.
        """
        for job in jobs:
            if not self._dead:
                with suppress(CameraFailed):
                    request = self._request(job, timeout)
                    with _translated("does not take a buffer back"):
                        request.release()
        if not self._dead and "AfMode" in self._controls:
            try:
                self._pause_lens(AF_PAUSE_RESUME)
            except CameraFailed as error:
                log.warning("event=lens_held meaning=out_of_focus_until_released error=%r", error)

    def _call(self, what: str, call: Callable[[], None]) -> None:
        """Run `call` in a thread of its own, which is left behind if it hangs."""
        if self._dead:
            raise CameraFailed("the camera has stalled: it opens again in a new process only")
        done: Future[None] = Future()
        Thread(target=_finish, args=(done, call), name=f"camera-{what}", daemon=True).start()
        timeout = HangTimeout(CALL_S)
        while not done.done() and (wait_s := timeout.wait_s()):
            wait([done], wait_s)
        if not done.done():
            self._die()
            words = f"the camera did not {what} within {timeout.waited_s():.0f} s"
            raise CameraStalled(words)
        try:
            done.result()
        except PICAMERA_ERRORS as error:
            raise CameraFailed(f"the camera did not {what}: {error}") from error

    def _stalled(self) -> CameraStalled:
        self._die()
        return CameraStalled("no frame before the deadline: the camera is stuck")

    def _die(self) -> None:
        """Touch it no more, and keep picamera2 from closing it at exit, where it would hang."""
        self._dead = True
        atexit.unregister(self._picamera.close)
        self._picamera.close = _nothing
        log.error("event=camera_stalled meaning=process_must_end")


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Tell picamera2's errors as CameraFailed; ours are OSErrors too and must not come by."""
    try:
        yield
    except PICAMERA_ERRORS as error:
        raise CameraFailed(f"the camera {what}: {error!r}") from error


def _finish(done: "Future[None]", call: Callable[[], None]) -> None:
    try:
        call()
    except PICAMERA_ERRORS as error:
        done.set_exception(error)
    else:
        done.set_result(None)


def _nothing() -> None:
    """Do nothing, in place of the close of a camera that hangs."""


class Opened(NamedTuple):
    """A Picamera2, and the libcamera.ColorSpace that OpenCV converts: BT.601, limited range."""

    picamera: Any
    colour_space: Any


def open_device(device: int) -> Opened:
    """Open camera number `device`; raises DeviceMissing with the remedy."""
    try:
        from libcamera import ColorSpace  # noqa: PLC0415, TID251 - comes with picamera2
        from picamera2 import Picamera2  # noqa: PLC0415, TID251 - a Pi's package, from apt
    except ImportError as error:
        raise DeviceMissing(
            'camera.kind = "picamera2": picamera2 is not installed; `apt install '
            "python3-picamera2` and make the venv with --system-site-packages"
        ) from error
    logging.getLogger("picamera2").setLevel(logging.WARNING)  # its starts reveal stops
    try:
        return Opened(Picamera2(device), ColorSpace.Smpte170m())
    except PICAMERA_ERRORS as error:
        raise DeviceMissing(
            f"camera.device = {device}: {error}; check the ribbon cable with "
            "`rpicam-hello --list-cameras`, and that nothing else uses the camera"
        ) from error


DRIVER: Final = CameraDriver(
    open=lambda settings, _world: PiCamera(settings),
    # Source: libcamera 0.4, dma_buf_allocator.cpp
    device_files=lambda _: DeviceFiles("the camera", "video", ("video*", "media*", "dma_heap/*")),
    model="Doorstep picamera2",
    source="digitalCapture",
)
