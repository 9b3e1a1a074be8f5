"""A USB webcam through OpenCV, for laptops; its records are simulated, since it is not our sensor.

Not run on a webcam: the tests use a stand-in for OpenCV's capture, and the real one where there is
no device.
"""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Final

import cv2  # noqa: TID251 - V4L2 and its formats
import numpy as np

from hardware.camera import Frame, Luma, lores_px
from hardware.driver import CameraDriver, DeviceFiles
from hardware.errors import CameraFailed, CameraStalled, DeviceMissing
from hardware.hang_timeout import HangTimeout
from hardware.settings import CameraSettings

log = logging.getLogger(__name__)

EXPOSURE_US: Final = 33_333
"""A webcam tells no exposure time: the longest there is at 30 frames a second."""

LATE_NS: Final = 133_000_000
"""Greatest age of a frame without a good time: OpenCV's V4L2 has 4 buffers, at 30 a second."""

PLAUSIBLE_NS: Final = 2_000_000_000
"""A driver's time further from now than this is of another clock: the wall clock is years away."""

STOP_S: Final = 1.0
"""Longest wait for the reader; a read that hangs ends after 10 s (OpenCV's select timeout)."""


def sensor_time_ns(position_ms: float, now_ns: int) -> int:
    """Return CLOCK_MONOTONIC of a frame from CAP_PROP_POS_MSEC.

    OpenCV's V4L2 hands on the driver's buffer time, which is monotonic for nearly all webcams.
    Where it is not, the frame counts as old as a full queue makes it.
    """
    stamped_ns = round(position_ms * 1e6)
    return stamped_ns if abs(now_ns - stamped_ns) < PLAUSIBLE_NS else now_ns - LATE_NS


def open_device(settings: CameraSettings) -> Any:
    """Open the webcam at the size nearest to the settings; raises DeviceMissing."""
    capture = cv2.VideoCapture(settings.device, cv2.CAP_V4L2)
    if not capture.isOpened():
        raise DeviceMissing(
            f"camera.device = {settings.device}: no webcam opens at /dev/video{settings.device}; "
            "list them with `v4l2-ctl --list-devices`, and put the user in the group video"
        )
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
    return capture


class WebCamera:
    """A webcam as `hardware.camera.Camera`; it is opened by start and released by stop.

    One thread grabs every frame, so that none in the driver's queue grows old, and decodes the ones
    that are wanted. A hung read is left to its thread; the camera is then of no more use.
    """

    def __init__(
        self, settings: CameraSettings, opened: Callable[[CameraSettings], Any] = open_device
    ) -> None:
        self._settings: Final = settings
        self._open: Final = opened
        self._reader: _Reader | None = None
        self._last_frame_ns: int | None = None
        self._dead = False
        opened(settings).release()

    @property
    def simulated(self) -> bool:
        """Not our own sensor."""
        return True

    @property
    def streaming(self) -> bool:
        """True if the webcam is open."""
        return self._reader is not None and not self._dead

    @property
    def last_frame_ns(self) -> int | None:
        """CLOCK_MONOTONIC of the newest frame, taken or not; None before the first."""
        if self._reader is not None and self._reader.last_frame_ns is not None:
            self._last_frame_ns = self._reader.last_frame_ns
        return self._last_frame_ns

    def start(self) -> None:
        """Open the webcam; no effect while streaming."""
        if self._dead:
            raise CameraFailed("the webcam has stalled: it opens again in a new process only")
        if self._reader is None:
            try:
                self._reader = _Reader(self._open(self._settings))
            except DeviceMissing as error:
                raise CameraFailed(f"the webcam did not start: {error}") from error

    def stop(self) -> None:
        """Release the webcam. No effect while stopped."""
        if self._reader is not None:
            newest_ns = self.last_frame_ns
            self._dead = self._dead or not self._reader.end()
            self._reader = None
            self._last_frame_ns = newest_ns

    def take(
        self,
        after_ns: int,
        count: int,
        deadline_s: float,
        *,
        light_changed_ns: int | None = None,
    ) -> Generator[Frame]:
        """Yield frames as the protocol says; a webcam reports no exposures to wait for."""
        after_ns = max(after_ns, light_changed_ns or 0)
        return self._burst(self._running(), after_ns, count, deadline_s, HangTimeout(deadline_s))

    def lux(
        self,
        deadline_s: float,  # noqa: ARG002 - part of the protocol
        *,
        light_changed_ns: int | None = None,  # noqa: ARG002 - part of the protocol
    ) -> None:
        """Return None: a webcam does not measure the light."""
        self._running()

    def look(self, deadline_s: float) -> Luma:
        """Return a picture as the protocol says: the frame, scaled down."""
        called_ns, timeout = time.monotonic_ns(), HangTimeout(deadline_s)
        with self._running() as frames:
            taken = self._next(frames, timeout)
            while taken.sensor_time_ns <= called_ns:
                taken = self._next(frames, timeout)
        return _small(taken)

    def close(self) -> None:
        """Stop the camera; safe to call twice."""
        self.stop()

    def _running(self) -> "_Reader":
        if self._reader is None or self._dead:
            raise CameraFailed("the webcam is stopped: start it before taking frames")
        return self._reader

    def _burst(
        self, reader: "_Reader", after_ns: int, count: int, deadline_s: float, timeout: HangTimeout
    ) -> Generator[Frame]:
        with reader as frames:
            while count:
                taken = self._next(frames, timeout)
                if taken.exposure_began_ns > after_ns:
                    yield taken
                    count -= 1
                    timeout = HangTimeout(deadline_s)

    def _next(self, frames: "SimpleQueue[Frame | None]", timeout: HangTimeout) -> Frame:
        while (wait_s := timeout.wait_s()) or not frames.empty():
            with suppress(Empty):
                taken = frames.get(timeout=wait_s)
                break
        else:
            self._dead = True
            raise CameraStalled("no frame before the deadline: the webcam is stuck")
        if taken is None:
            self.stop()
            raise CameraFailed(
                "the webcam gave no frame: unplugged? It is started again at a press"
            )
        return taken


def _small(taken: Frame) -> Luma:
    height_px, width_px = taken.pixels.shape[:2]
    grey = cv2.cvtColor(taken.pixels, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, lores_px(width_px, height_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


class _Reader:
    """Grabs every frame of an open capture in a thread; entering it begins to decode them."""

    def __init__(self, capture: Any) -> None:
        self.last_frame_ns: int | None = None
        self._capture: Final = capture
        self._wanted: SimpleQueue[Frame | None] | None = None
        self._ended: Final = Event()
        self._failed = False
        self._thread: Final = Thread(target=self._read, name="webcam", daemon=True)
        self._thread.start()

    def __enter__(self) -> "SimpleQueue[Frame | None]":
        frames: SimpleQueue[Frame | None] = SimpleQueue()
        self._wanted = frames
        if self._failed:
            frames.put(None)
        return frames

    def __exit__(self, *_: object) -> None:
        self._wanted = None

    def end(self) -> bool:
        """Release the capture; return whether its thread ended."""
        self._ended.set()
        self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _read(self) -> None:
        while not self._ended.is_set() and self._capture.grab():
            position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
            self.last_frame_ns = sensor_time_ns(position_ms, time.monotonic_ns())
            if (wanted := self._wanted) is not None:
                decoded, pixels = self._capture.retrieve()
                if decoded:
                    pixels = np.asarray(pixels, np.uint8)
                    wanted.put(Frame(pixels, EXPOSURE_US, 1.0, None, self.last_frame_ns))
        self._failed = not self._ended.is_set()
        if self._failed and (wanted := self._wanted) is not None:
            wanted.put(None)
        self._capture.release()


DRIVER: Final = CameraDriver(
    open=lambda settings, _world: WebCamera(settings),
    device_files=lambda settings: DeviceFiles("the camera", "video", (f"video{settings.device}",)),
    model="Doorstep v4l2",
    source="composite",
)
