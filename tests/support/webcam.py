"""A stand-in for OpenCV's capture of a webcam."""

import time
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hardware.errors import DeviceMissing
from hardware.settings import CameraSettings

PERIOD_S: Final = 0.005

DARK: Final = 77
BRIGHT: Final = 97


@dataclass
class Webcam:
    """An open capture that grabs a frame every 5 ms, until it hangs or is unplugged."""

    hung: Event = field(default_factory=Event)
    free: Event = field(default_factory=Event)
    unplugged: Event = field(default_factory=Event)
    released: bool = False
    decoded: int = 0
    height_px: int = 240
    width_px: int = 320
    late_s: float = 0.0

    def grab(self) -> bool:
        time.sleep(PERIOD_S)
        if self.hung.is_set():
            self.free.wait()
        return not self.unplugged.is_set()

    def get(self, _: int) -> float:
        return (time.monotonic() - self.late_s) * 1000

    def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
        """Return a picture that is brighter in its upper half."""
        self.decoded += 1
        pixels = np.full((self.height_px, self.width_px, 3), DARK, np.uint8)
        pixels[: self.height_px // 2] = BRIGHT
        return True, pixels

    def release(self) -> None:
        self.released = True


class Port:
    """A stand-in for cv2 with webcams; every opening is a new capture."""

    def __init__(self) -> None:
        self.captures: list[Webcam] = []
        self.empty = False

    def __call__(self, _: CameraSettings) -> Any:
        if self.empty:
            raise DeviceMissing("camera.device = 0: no webcam opens at /dev/video0")
        self.captures.append(Webcam())
        return self.captures[-1]

    @property
    def now(self) -> Webcam:
        return self.captures[-1]
