"""The times at which each device takes a photo; pure."""

import random
from dataclasses import dataclass
from typing import Final

BEFORE_S: Final = -1.0
"""Time of records that wait when the devices get a network."""


@dataclass(frozen=True, slots=True)
class Press:
    """A photo by the device with this number, so long after the begin; below 0 before it."""

    at_s: float
    device: int


def morning(devices: int, records: int, lasts_s: float) -> list[Press]:
    """Rises to its middle and falls again: there twice as many come as on average."""
    rng = random.Random(1)
    moments = [
        Press(rng.triangular(0.0, lasts_s), device)
        for device in range(devices)
        for _ in range(records)
    ]
    return sorted(moments, key=lambda one: one.at_s)


def waiting(devices: int, records: int) -> list[Press]:
    """All is in the queues, and all devices send at once."""
    return [Press(BEFORE_S, device) for _ in range(records) for device in range(devices)]


def steady(devices: int, every_s: float, lasts_s: float) -> list[Press]:
    """Devices in turn."""
    return [Press(number * every_s, number % devices) for number in range(int(lasts_s / every_s))]
