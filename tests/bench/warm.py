"""From the press to the first exposure, while the camera streams: the real capture process.

Its camera is the driver of picamera2 on a stand-in for picamera2. All frames of the stand-in are
alike, so the first one of a burst is kept, and the record tells when its exposure began. Nobody
uses the camera for longer than `hardware.picamera2_state.WATCH_NS` before each press.
"""

import random
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.device import running
from tests.bench.frame import Figure, Rig
from tests.support.device import Device, environment
from tests.support.sensor import (
    DIM_LUX,
    FRAME_S,
    Request,
    StreamingPicamera,
    install_picamera,
)

PACE_S: Final = 1.6
"""Least time from press to press."""

SOON_MS: Final = 100.0
"""Latest begin of the first exposure. Source: chosen, as a delay that a driver does not feel."""

LATER_PCT: Final = 2.0
"""Target: share of the presses whose first exposure begins later."""


class Alike(Request):
    """A completed request whose picture is that of all others."""

    def make_array(self, name: str) -> NDArray[np.uint8]:
        width_px, height_px = self.sizes_px[name]
        shape = (height_px * 3 // 2, -(-width_px // 64) * 64)
        return np.random.default_rng(1).integers(16, 235, shape, dtype=np.uint8)


class Indoors(StreamingPicamera):
    """Exposures take nearly the whole frame, and a frame comes at once."""

    request_type = Alike


class Outdoors(Indoors):
    """Exposures are short, and a frame comes 40 ms later: its readout and the image processor."""

    transit_ns = 40_000_000

    def __init__(self) -> None:
        super().__init__()
        self.lights = [(0, 20 * DIM_LUX)]


def measure(rig: Rig) -> Iterator[Figure]:
    """Press while the camera streams and nobody uses it."""
    for camera in (Indoors, Outdoors):
        place = camera.__name__.lower()
        device = Device(rig.folder / f"warm-{place}", camera={"kind": "picamera2"})
        parts = device.folder / "parts"
        install_picamera(parts, camera)
        with environment(PYTHONPATH=str(parts)), running(device, "capture"):
            first_ms = [_press_ms(device) for _ in range(1 + rig.times(100, 10))][1:]
        later = [100.0 * (one > SOON_MS) for one in first_ms]
        share = [sum(later) / len(later)]
        note = f"first exposure {min(first_ms):.0f} to {max(first_ms):.0f} ms after the edge"
        name = f"exposed over 100 ms after the press, {place}"
        yield Figure(name, "%", share, LATER_PCT, note=note)
        yield Figure("  first exposure after the press", "ms", first_ms)


def _press_ms(device: Device) -> float:
    """Press at any moment of a frame; return when the exposure began, from the press on."""
    time.sleep(PACE_S + random.uniform(0.0, FRAME_S))
    return float(device.press()["record"]["photo"]["exposed_after_press_ms"])
