"""Resident memory of the real processes, as the kernel counts it."""

import time
from typing import Final

from tests.bench import drain
from tests.bench.device import Memory, new_device, running
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.bench.stock import stock

CAPTURE_MB: Final = 180.0
"""Leaves a Zero 2 W's 512 MB room for the system and the camera; MB of 1,000,000 bytes."""

DOOR_S: Final = 4.5
"""From door to door: the simulated camera draws the next scene in 2.5 s, a second after a press."""


def measure(rig: Rig) -> list[Figure]:
    """Presses at several doors, and drains a small queue."""
    return [*_capture(rig), *_sync(rig)]


def _capture(rig: Rig) -> list[Figure]:
    device = new_device(rig.folder / "memory-capture", rig.backend, doors=rig.doors)
    with running(device, "capture") as capture:
        after_presses = []
        for _ in range(rig.doors):
            capture.ask({"press": "photo"}, 30.0)
            after_presses.append(capture.memory())
            time.sleep(DOOR_S)
    pi = (
        "picamera2, libcamera and their four frames of 4.5 MB in place of the simulated scenes; "
        "Python's own objects are as large as here, both are 64-bit."
    )
    return _figures("capture", CAPTURE_MB, after_presses, f"{rig.doors} doors, 2304x1296", pi)


def _sync(rig: Rig) -> list[Figure]:
    device = new_device(rig.folder / "memory-sync", rig.backend)
    with stock(device) as queue:
        for _ in range(rig.few_records):
            queue.add()
        began_s = time.monotonic()
        with running(device, "sync") as sync:
            drained = drain.drain(sync, rig, queue, began_s)
    note = f"{drained.records} records sent"
    vision = Figure(
        "sync: of cv2 and numpy in /proc/PID/maps",
        "",
        [float(len(drained.vision))],
        at_most=0,
        digits=0,
        note=f"mapped: {' and '.join(drained.vision) or 'neither'}",
    )
    pi = "the same libraries, about the same."
    return [*_figures("sync", drain.SYNC_MB, [drained.memory], note, pi), vision]


def _figures(name: str, at_most_mb: float, found: list[Memory], note: str, pi: str) -> list[Figure]:
    peak = max(memory.peak_mb for memory in found)
    resident = [memory.resident_mb for memory in found]
    return [
        Figure(f"{name}: peak (VmHWM)", "MB", [peak], at_most_mb, note=note, pi=pi),
        Figure(f"{name}: resident (VmRSS)", "MB", resident, at_most_mb),
    ]
