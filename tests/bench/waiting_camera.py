"""`python -m tests.bench.waiting_camera`: what a camera costs that streams while nobody presses.

It runs on a device, through the product's own driver; doorstep-capture must be stopped. Each phase
is announced when it begins, so that somebody with an ammeter can note the current of each.
"""

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
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
        python_ms: per frame, of the threads of Python: ours and picamera2's.
        other_ms: per frame, of libcamera's threads.
        percent: of one core, all threads together.
    """

    frames: int
    python_ms: float
    other_ms: float
    percent: float


def spent(
    before_ns: Mapping[int, int], after_ns: Mapping[int, int], python: set[int], frames: int, s: float
) -> Spent:
    """Return the processor time between two readings of `thread_ns`, `s` seconds apart."""
    used_ns = {task: after_ns[task] - before_ns.get(task, 0) for task in after_ns}
    python_ns = sum(used for task, used in used_ns.items() if task in python)
    all_ns, count = sum(used_ns.values()), max(1, frames)
    return Spent(
        frames, python_ns / count / 1e6, (all_ns - python_ns) / count / 1e6, all_ns / s / 1e7
    )


def thread_ns() -> dict[int, int]:
    """Return the processor time of each thread. Source: Linux, sched-stats.rst."""
    return {
        int(task.name): int((task / "schedstat").read_bytes().split()[0])
        for task in Path("/proc/self/task").iterdir()
    }


def phases(camera: PiCamera, picamera: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of each phase and what begins it."""
    ours = picamera.pre_callback

    def every_frame_is_read() -> None:
        picamera.pre_callback = lambda request: request.get_metadata()

    def nothing_of_ours_runs() -> None:
        picamera.pre_callback = None

    def frames_are_slow() -> None:
        picamera.pre_callback = ours
        picamera.set_controls({"FrameDurationLimits": (SLOW_US, SLOW_US)})

    def frames_are_fast_again() -> None:
        picamera.set_controls({"FrameDurationLimits": (FULL_US, FULL_US)})

    yield "stopped", camera.stop
    yield "streaming, as the product waits", camera.start
    yield "each frame's metadata is read", every_frame_is_read
    yield "picamera2 alone", nothing_of_ours_runs
    yield "as the product waits, 15 frames a second", frames_are_slow
    yield "streaming, as the product waits", frames_are_fast_again
    yield "stopped", camera.stop


def measure(camera: PiCamera, picamera: Any, seconds: float) -> Iterator[tuple[str, Spent]]:
    """Yield each phase and what it cost."""
    for name, begin in phases(camera, picamera):
        print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
        begin()
        time.sleep(QUIET_S)
        python = {one.native_id for one in threading.enumerate() if one.native_id}
        before_ns, frames, began_s = thread_ns(), picamera.frames, time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - began_s
        yield name, spent(before_ns, thread_ns(), python, picamera.frames - frames, took_s)


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
    print(f"{'phase':<42} {'frames':>6} {'Python':>9} {'libcamera':>10} {'of a core':>10}")
    for name, row in rows:
        print(
            f"{name:<42} {row.frames:>6} {row.python_ms:>6.3f} ms {row.other_ms:>7.3f} ms"
            f" {row.percent:>8.1f} %"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
