"""Press to light: the real capture process beside a loop that does the least, by turns."""

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import cv2  # noqa: TID251 - the bare loop has nothing of the product in it

from agent.capture import jpeg, quality
from agent.capture.burst import BURST, JPEG_QUALITY_PCT
from agent.capture.quality import Pixels
from agent.config import Thresholds
from hardware.settings import CameraSettings
from hardware.simulated.camera import SimulatedCamera
from hardware.simulated.stream import FRAME_NS
from hardware.simulated.world import World
from tests.bench.bare import FRAME_BYTES, RawDisk, Sizes
from tests.bench.device import new_device, running
from tests.bench.frame import Figure, Rig
from tests.support.device import Device

PACE_S: Final = 0.8
"""From press to press. Source: presses within 0.6 s count once."""

WARM_UP: Final = 2
"""Presses that are not counted: the first ones load code and grow the log."""

DEADLINE_S: Final = 5.0
"""Longest wait for a frame."""

TIMES_BARE: Final = 1.3
"""A press by the bare loop's: what a driver does not feel of 100 ms."""

CHECK_BY_ENCODE: Final = 1.0
"""The quality check by one JPEG encode, in processor time: a burst checks three frames."""

PANEL: Final = "From the press to the green light"

NOTE: Final = (
    "to the answer through the socket, which follows the light; bare loop: a camera of the same "
    "kind, one JPEG encode, the same writes and flushes, no debounce; both at a door in daylight"
)


def measure(rig: Rig) -> Iterator[Figure]:
    """Press both again and again."""
    device, count = new_device(rig.folder / "press", rig.backend), rig.times(24, 8)
    ours_ms, bare_ms = list[float](), list[float]()
    settings = CameraSettings("simulated")
    with (
        running(device, "capture"),
        closing(SimulatedCamera(settings, World(None, None))) as camera,
    ):
        camera.start()
        for _ in range(WARM_UP):
            _, sizes = _press(device)
        with closing(RawDisk(device.folder / "bare", sizes)) as disk:
            for _ in range(count):
                ours_ms.append(_press(device)[0])
                bare_ms.append(_press_bare(camera, disk))
        pixels = next(camera.take(0, 1, DEADLINE_S)).pixels
    times = [one / statistics.median(bare_ms) for one in ours_ms]
    name = "warm press to green, by the bare loop"
    yield Figure(name, "x", times, TIMES_BARE, digits=2, note=NOTE)
    for name, took_ms in {"warm press to green": ours_ms, "bare loop, warm": bare_ms}.items():
        yield Figure(f"  {name}", "ms", took_ms, panel=PANEL, bar=name)
    yield from _quality_check(pixels, count)


def _quality_check(pixels: Pixels, count: int) -> Iterator[Figure]:
    """Check and encode one frame by turns."""
    checks_ms, encodes_ms = list[float](), list[float]()
    for _ in range(count):
        began_ns = time.process_time_ns()
        quality.assess(pixels, Thresholds())
        checked_ns = time.process_time_ns()
        jpeg.encode(pixels, JPEG_QUALITY_PCT)
        checks_ms.append((checked_ns - began_ns) / 1e6)
        encodes_ms.append((time.process_time_ns() - checked_ns) / 1e6)
    times = [one / statistics.median(encodes_ms) for one in checks_ms]
    yield Figure("quality check, by a JPEG encode", "x", times, CHECK_BY_ENCODE, digits=2)
    yield Figure("  quality check", "ms", checks_ms)


def _press(device: Device) -> tuple[float, Sizes]:
    """Press; return the ms from the button's edge to the answer, and what was written."""
    _wait()
    log = device.layout.database.with_name("doorstep.db-wal")
    log_bytes = log.stat().st_size
    reply = device.press()
    answered_ns = time.monotonic_ns()
    label = reply.get("label", {})
    if label.get("kind") != "photo":
        raise RuntimeError(f"the press made no photo: {reply}")
    pages = max(1, (log.stat().st_size - log_bytes) // FRAME_BYTES)
    file = device.layout.record(label["capture_id"])
    return (answered_ns - label["monotonic_ns"]) / 1e6, Sizes(file.stat().st_size, pages)


def _press_bare(camera: SimulatedCamera, disk: RawDisk) -> float:
    """Serve one press that happens now; return its ms."""
    _wait()
    began_ns = time.monotonic_ns()
    *_, frame = camera.take(began_ns, BURST, DEADLINE_S)
    option = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY_PCT]
    disk.put(cv2.imencode(".jpg", frame.pixels, option)[1].tobytes())
    return (time.monotonic_ns() - began_ns) / 1e6


def _wait() -> None:
    """Wait until another press counts, and for any moment between two frames."""
    time.sleep(PACE_S + random.uniform(0.0, FRAME_NS / 1e9))
