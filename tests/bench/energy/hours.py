"""The hours of streaming of a round, as a simulation of rounds found them, in `hours.json`.

It asked the product's own rule all along each round (2026-11-30).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardware.settings import CameraSettings
from tests.bench.energy.span import Span

FILE: Final = Path(__file__).with_name("hours.json")

LINGERS_S: Final = (CameraSettings("picamera2").linger_s, 60.0)
"""The default of `camera.linger_s`, and the time before it was a setting."""

LASTS_S: Final = (5.0, 15.0, 30.0, 60.0)
BEFORE_PRESS_S: Final = (0.3, 0.5, 1.0, 2.0)
"""Times of a lift from "put away at once" to "kept in the hand". Made up, not measured."""

CARRIED_S: Final = (15.0, 1.0)
"""The lift at a door, of a device that is carried on the way too: it hardly matters."""


@dataclass(frozen=True, slots=True)
class Case:
    """A simulated way to work; a device without a motion sensor has no times of a lift.

    Attributes:
        walks, drives: the sensor feels the driver walk, and drive, as a lift; otherwise the device
            lies still between two doors.
    """

    area: str
    linger_s: float
    lasts_s: float | None = None
    before_press_s: float | None = None
    walks: bool = False
    drives: bool = False

    @property
    def is_carried(self) -> bool:
        return self.walks or self.drives


@dataclass(frozen=True, slots=True)
class Hours:
    """The findings of the simulation for one case.

    Attributes:
        low_h, high_h: hours of streaming; they differ in where the simulated driver waits.
        round_h: hours of the round.
        warm: share of photos whose exposure begins within 100 ms of the press.
        wait_s: mean wait of a photo for its exposure.
    """

    low_h: float
    high_h: float
    round_h: float
    warm: float
    wait_s: float

    @property
    def streaming_h(self) -> Span:
        return Span(self.low_h, self.high_h)


def load() -> dict[Case, Hours]:
    """Return what the file holds."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    return {Case(**row["case"]): Hours(**row["hours"]) for row in rows}
