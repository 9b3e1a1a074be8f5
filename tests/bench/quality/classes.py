"""Classes of pictures: photographs that are blurred, and exposed by day or at night.

The bench turns each photograph into linear light, blurs the light, and exposes it by the simulated
sensor (hardware/simulated/sensor.py). The blur is the same in the whole picture; a real hand also
turns the camera, and a subject moves by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np

from agent.capture.quality import Pixels
from hardware.simulated.sensor import FULL_WELL_E, Processing, developed
from hardware.simulated.smear import arc, line, moved
from tests.bench.quality.photographs import Photograph, pixels
from tests.bench.quality.spoiling import Light, defocused, light_of

SWEEPS_DEG: Final = (135.0, 180.0, 270.0)
_DIRECTIONS: Final = 4

Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Exposure:
    """An exposure: electrons at white, and the quality of the JPEG that a webcam sends."""

    name: str
    white_e: float
    jpeg_pct: int | None = None


DAY: Final = Exposure("day", FULL_WELL_E)
NIGHT: Final = Exposure("night, 120 e-, JPEG 85", 120, 85)
EXPOSURES: Final = (
    DAY,
    Exposure("night, 250 e-", 250),
    NIGHT,
    Exposure("night, 60 e-", 60),
)


def _smears(length_px: float) -> Callable[[Light, Random], Iterator[Light]]:
    def smeared(light: Light, rng: Random) -> Iterator[Light]:
        first_deg = rng.uniform(0, 180 / _DIRECTIONS)
        for step in range(_DIRECTIONS):
            yield moved(light, line(length_px, first_deg + step * 180 / _DIRECTIONS))

    return smeared


def _arcs(across_px: float) -> Callable[[Light, Random], Iterator[Light]]:
    def bent(light: Light, rng: Random) -> Iterator[Light]:
        for sweep_deg in SWEEPS_DEG:
            yield moved(light, arc(across_px, sweep_deg, rng.uniform(0, 360)))

    return bent


def _discs(radius_px: float) -> Callable[[Light, Random], Iterator[Light]]:
    return lambda light, _: iter((defocused(light, radius_px),))


SHARP: Final = "sharp"

BLURS: Final[dict[str, Callable[[Light, Random], Iterator[Light]]]] = {
    SHARP: lambda light, _: iter((light,)),
    "straight smear, 12 px": _smears(12),
    "straight smear, 24 px": _smears(24),
    "arc, 12 px across": _arcs(12),
    "arc, 24 px across": _arcs(24),
    "out of focus, 3 px": _discs(3),
    "out of focus, 6 px": _discs(6),
}
"""Kinds of blur; in "out of focus" the length is the radius of the disc that a point becomes."""


def pictures(
    photograph: Photograph, blurs: Iterable[str] = tuple(BLURS)
) -> Iterator[tuple[str, Exposure, Pixels]]:
    """Yield a photograph's blur, exposure and pixels in every class, or in those of some blurs.

    The directions and the noise are random, but the same in each run.
    """
    light = light_of(pixels(photograph))
    for blur in blurs:
        rng = np.random.default_rng(crc32(f"{photograph.name} {blur}".encode()))
        for blurred in BLURS[blur](light, rng):
            for exposure in EXPOSURES:
                yield blur, exposure, exposed(blurred, exposure, rng)


def exposed(light: Light, exposure: Exposure, rng: Random) -> Pixels:
    """Return the picture that a camera makes of the light."""
    return developed(light, exposure.white_e, rng, Processing(jpeg_pct=exposure.jpeg_pct))
