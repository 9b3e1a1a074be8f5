"""A stand-in for picamera2's object that streams: frames at 30 a second, jobs, and buffers.

Its exposures are those of libcamera's automatic, in a light that the test sets.
"""

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Semaphore, Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware.picamera2_frames import BUFFERS
from hardware.simulated.auto_exposure import AutoExposure, brightness, measured_lux
from hardware.simulated.scenes import EXPOSURE_LUX_US, EXPOSURE_MAX_US
from hardware.simulated.stream import HIDDEN

FRAME_S: Final = 1 / 30

DIM_LUX: Final = EXPOSURE_LUX_US / 30_000
"""An exposure takes nearly the whole frame: the one that is under way at a press began before it.
"""

AF_STATE_FOCUSED: Final = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A completed request: the buffers of one frame, and what the sensor says of it."""

    sensor_time_ns: int
    exposure: float
    lux: float
    sizes_px: dict[str, tuple[int, int]]
    buffers: Semaphore

    @property
    def exposure_us(self) -> int:
        return round(min(self.exposure, EXPOSURE_MAX_US))

    def get_metadata(self) -> dict[str, Any]:
        return {
            "SensorTimestamp": self.sensor_time_ns,
            "ExposureTime": self.exposure_us,
            "AnalogueGain": self.exposure / self.exposure_us,
            "Lux": self.lux,
            "AfState": AF_STATE_FOCUSED,
        }

    def make_array(self, name: str) -> NDArray[np.uint8]:
        """Return YUV420, its rows padded to 64 bytes as the image processor does it."""
        width_px, height_px = self.sizes_px[name]
        stride = -(-width_px // 64) * 64
        chance = np.random.default_rng(self.sensor_time_ns)
        return chance.integers(16, 235, (height_px * 3 // 2, stride), dtype=np.uint8)

    def acquire(self) -> None:
        self.buffers.acquire()

    def release(self) -> None:
        self.buffers.release()


class Job:
    """Ends with the first frame that was exposed after `flush`."""

    def __init__(self, flush: int) -> None:
        self.flush: Final = flush
        self.done: Final[Future[Request]] = Future()

    def get_result(self, timeout: float) -> Request:
        return self.done.result(timeout)


class StreamingPicamera:
    """The part of Picamera2 that our driver uses, with the same names and jobs in their order.

    `lights` are moments of CLOCK_MONOTONIC in ns and the illuminance from then on, in lux.
    """

    transit_ns = 0
    """Time from the end of an exposure until its frame comes."""

    request_type = Request

    def __init__(self) -> None:
        self.lights: list[tuple[int, float]] = [(0, DIM_LUX)]
        self._automatic: Final = AutoExposure()
        self._hidden = HIDDEN
        self.camera_controls: Final = {"AfMode": (0, 2, 0)}
        self.started = False
        self.pre_callback: Any = None
        self._jobs: deque[Job] = deque()
        self._lock: Final = Lock()
        self._buffers: Final = Semaphore(BUFFERS)
        self._stopping: Final = Event()
        self._thread: Thread | None = None
        self._configuration: dict[str, Any] = {}

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        return asked

    def configure(self, configuration: dict[str, Any]) -> None:
        self._configuration = configuration

    def camera_configuration(self) -> dict[str, Any]:
        return self._configuration

    def set_controls(self, chosen: dict[str, Any]) -> None:
        """Do nothing: nothing can be moved here."""

    def start(self) -> None:
        self._stopping.clear()
        self._automatic.start()
        while self._hidden:
            self._expose(time.monotonic_ns())
            self._hidden -= 1
        self._thread = Thread(target=self._stream, daemon=True)
        self._thread.start()
        self.started = True

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self.started = False

    def close(self) -> None:
        self.stop()

    def capture_request(self, wait: bool, flush: int) -> Job:
        assert wait is False
        with self._lock:
            self._jobs.append(Job(flush))
            return self._jobs[-1]

    def _stream(self) -> None:
        names = ("main", "lores")
        sizes_px = {name: self._configuration[name]["size"] for name in names}
        while not self._stopping.wait(FRAME_S):
            end_ns = time.monotonic_ns() - self.transit_ns
            request = self.request_type(end_ns, *self._expose(end_ns), sizes_px, self._buffers)
            self.pre_callback(request)
            self._give(request)

    def _expose(self, end_ns: int) -> tuple[float, float]:
        """Return the exposure of the next frame, and the illuminance that it reports."""
        exposure = self._automatic.exposure
        lux = [lux for since_ns, lux in self.lights if since_ns <= end_ns][-1]
        self._automatic.measure(brightness(exposure, lux))
        return exposure, measured_lux(exposure, lux)

    def _give(self, request: Request) -> None:
        """Give it to the first job that may have it, as long as a buffer is free."""
        began_ns = request.sensor_time_ns - request.exposure_us * 1000
        with self._lock:
            is_wanted = bool(self._jobs) and began_ns > self._jobs[0].flush
            if is_wanted and self._buffers.acquire(blocking=False):
                self._jobs.popleft().done.set_result(request)


FIRST_FRAME_S: Final = 3.0
"""Time until the first frame while the processor has other work. Source: 2.3 and 2.6 s in two of
four starts of the virtual device's virtual camera, beside six busy loops, on 2026-11-29."""


def work(seconds: float) -> None:
    """Use the processor as far as others leave it, until this time has passed."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        pass


class LatePicamera(StreamingPicamera):
    """A camera whose first frame after a start is late, since the processor has other work."""

    def _stream(self) -> None:
        work(FIRST_FRAME_S)
        super()._stream()


_PICAMERA2: Final = """
from {0.__module__} import {0.__name__}

class Picamera2({0.__name__}):
    def __init__(self, device):
        super().__init__()
"""

_LIBCAMERA: Final = """
class ColorSpace:
    Smpte170m = staticmethod(lambda: "smpte170m")
"""


def install_picamera(folder: Path, camera: type[StreamingPicamera]) -> None:
    """Write modules there, for PYTHONPATH, that make a real process use this camera."""
    folder.mkdir(parents=True)
    (folder / "picamera2.py").write_text(_PICAMERA2.format(camera))
    (folder / "libcamera.py").write_text(_LIBCAMERA)
