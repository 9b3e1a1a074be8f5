"""`python -m tests.bench.waiting_camera`: what a camera costs that streams while nobody presses.

It runs on a device, through the product's own driver; doorstep-capture must be stopped. Each phase
is announced when it begins, so that a person with an ammeter can note the current of each.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from hardware.drivers.camera_picamera2 import Opened, PiCamera, open_device
from hardware.errors import DeviceMissing
from hardware.settings import Autofocus, CameraSettings

QUIET_S: Final = 3.0
"""Time from the start of a phase to its measurement: the exposure has settled by then."""

SLOW_US: Final = 66_667
"""Duration of a frame at 15 frames a second: the slowest rate that is faster than a stopped camera.

Source: a frame control acts two to three frames later, 130 to 200 ms at this rate.
"""

FULL_US: Final = 33_333
"""Duration of a frame in picamera2's video configuration."""


class Spent(NamedTuple):
    """Processor time of a phase, by the kind of thread.

    Attributes:
        frames: number of frames.
        ours_ms: per frame, of our callback.
        python_ms: per frame, of the threads of Python: ours and picamera2's.
        other_ms: per frame, of libcamera's threads.
        percent: of one core, all threads together.
    """

    frames: int
    ours_ms: float
    python_ms: float
    other_ms: float
    percent: float


class Timed:
    """A callback of picamera2, and the processor time that it takes."""

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self._callback: Final = callback
        self.took_ns = 0
        self.calls = 0

    def __call__(self, request: Any) -> None:
        """Call it for a frame."""
        began_ns = time.thread_time_ns()
        self._callback(request)
        self.took_ns += time.thread_time_ns() - began_ns
        self.calls += 1


def thread_ns() -> dict[int, int]:
    """Return the processor time of each thread. Source: Linux, sched-stats.rst."""
    return {
        int(task.name): int((task / "schedstat").read_bytes().split()[0])
        for task in Path("/proc/self/task").iterdir()
    }


def phases(
    camera: PiCamera, picamera: Any
) -> Iterator[tuple[str, Callable[[], object], Callable[[Any], object]]]:
    """Yield the name of each phase, what begins it, and what it does for each frame."""
    ours = picamera.pre_callback
    yield "stopped", camera.stop, ours
    yield "streaming, nobody presses", camera.start, ours
    yield "the same, each frame's metadata is read", camera.start, lambda one: one.get_metadata()
    yield "streaming, 15 frames a second", partial(_set_pace, picamera, SLOW_US), ours
    yield "streaming, nobody presses", partial(_set_pace, picamera, FULL_US), ours
    yield "stopped", camera.stop, ours


def _set_pace(picamera: Any, frame_us: int) -> None:
    picamera.set_controls({"FrameDurationLimits": (frame_us, frame_us)})


def measure(camera: PiCamera, picamera: Any, seconds: float) -> Iterator[tuple[str, Spent]]:
    """Yield each phase and what it cost."""
    for name, begin, callback in phases(camera, picamera):
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        begin()
        time.sleep(QUIET_S)
        picamera.pre_callback = timed = Timed(callback)
        before_ns, began_s = thread_ns(), time.monotonic()
        time.sleep(seconds)
        took_s, after_ns = time.monotonic() - began_s, thread_ns()
        yield name, _spent(timed, before_ns, after_ns, took_s)


def _spent(timed: Timed, before_ns: dict[int, int], after_ns: dict[int, int], s: float) -> Spent:
    used_ns = {task: after_ns[task] - before_ns.get(task, 0) for task in after_ns}
    python = {one.native_id for one in threading.enumerate()}
    python_ns = sum(used for task, used in used_ns.items() if task in python)
    all_ns, per_frame = sum(used_ns.values()), 1e6 * max(1, timed.calls)
    return Spent(
        timed.calls,
        timed.took_ns / per_frame,
        python_ns / per_frame,
        (all_ns - python_ns) / per_frame,
        all_ns / s / 1e7,
    )


def main() -> int:
    """Measure and print; 1 if there is no such camera."""
    parser = argparse.ArgumentParser("python -m tests.bench.waiting_camera", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a phase, s (30)")
    parser.add_argument("--size", default="2304x1296", help="pixels of a frame (2304x1296)")
    options = parser.parse_args()
    width_px, height_px = map(int, options.size.split("x"))
    try:
        opened: Opened = open_device(0)
    except DeviceMissing as error:
        print(error, file=sys.stderr)
        return 1
    has_lens = "AfMode" in opened.picamera.camera_controls
    settings = CameraSettings(
        "picamera2",
        width_px=width_px,
        height_px=height_px,
        autofocus=Autofocus.CONTINUOUS if has_lens else Autofocus.NONE,
    )
    with closing(PiCamera(settings, opened)) as camera:
        rows = list(measure(camera, opened.picamera, options.seconds))
    print(
        f"\n{'phase':<40}{'frames':>8}{'ours':>10}{'Python':>10}{'libcamera':>11}{'of a core':>11}"
    )
    for name, row in rows:
        times = f"{row.ours_ms:>7.3f} ms{row.python_ms:>7.3f} ms{row.other_ms:>8.3f} ms"
        print(f"{name:<40}{row.frames:>8}{times}{row.percent:>9.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
