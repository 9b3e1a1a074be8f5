"""The burst: frames from after the press, the sharpest kept, the lamp lit when it is dark."""

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final

from agent.capture import quality
from hardware.camera import Camera, Frame
from hardware.indicator import Lamp

BURST: Final = 3
"""Frames per press: better than any blur threshold, since the press shakes the device.

Source: field facts, picture quality.
"""

LAMP_SETTLE_MS: Final = 150
"""From lamp to exposure: the automatic exposure follows within four or five frames at 30 fps."""

LAMP_BELOW_LUX: Final = 20.0
"""Dark enough for the lamp: a lit street has 5 to 20 lux at night. Source: EN 13201, classes C."""


@dataclass(frozen=True, slots=True)
class Shot:
    """The kept frame, its sharpness as quality measures it, and whether the lamp lit it."""

    frame: Frame
    sharpness: float
    lamp: bool


def shoot(camera: Camera, lamp: Lamp | None, after_ns: int, deadline_s: float) -> Shot:
    """Take a burst whose exposures began after `after_ns`; a stopped camera is started.

    Raises:
        CameraStalled: no frame within `deadline_s`.
        CameraFailed: the camera reported an error.
    """
    camera.start()
    with closing(camera.take(after_ns, BURST, deadline_s)) as frames:
        first = next(frames)
        if lamp is None or first.lux is None or first.lux >= LAMP_BELOW_LUX:
            return Shot(*_sharpest(chain([first], frames)), lamp=False)
    # The unlit burst is given back by now: the lit one needs its buffers.
    lamp.on()
    try:
        # From now, not from the first frame: that one may have come late.
        settled_ns = time.monotonic_ns() + LAMP_SETTLE_MS * 1_000_000
        return Shot(*_sharpest(camera.take(settled_ns, BURST, deadline_s)), lamp=True)
    finally:
        lamp.off()


def _sharpest(frames: Iterable[Frame]) -> tuple[Frame, float]:
    """Keep the sharpest, and how sharp it is; each is judged while the next is exposed."""
    judged = ((frame, quality.sharpness(frame.pixels)) for frame in frames)
    return max(judged, key=itemgetter(1))
