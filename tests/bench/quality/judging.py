"""Photographs, each spoilt in many ways, and what is said of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from agent.capture import quality
from agent.capture.quality import Pixels
from agent.config import Thresholds
from agent.models import QualityVerdict
from tests.bench.quality.photographs import photograph
from tests.bench.quality.spoiling import DIRECTIONS_DEG, grained, smeared, softened

SMEARS_PX: Final = (6, 12, 24)
SOFTNESS_PX: Final = (1, 2, 4)
GRAINS: Final = (0, 8)
"""Standard deviations, grey levels; 14 is called noisy."""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What was done to a photograph, except for its grain; all zero for a sharp one."""

    smear_px: float = 0
    direction_deg: float = 0
    softness_px: float = 0

    def of(self, pixels: Pixels) -> Pixels:
        if self.smear_px:
            return smeared(pixels, self.smear_px, self.direction_deg)
        return softened(pixels, self.softness_px) if self.softness_px else pixels


@dataclass(frozen=True, slots=True)
class Judged:
    """One picture, its score and its verdict."""

    name: str
    spoilt: Spoilt
    grain: float
    sharpness: float
    verdict: QualityVerdict


SHARP: Final = Spoilt()
SOFT: Final = tuple(Spoilt(softness_px=sigma_px) for sigma_px in SOFTNESS_PX)


def smears(length_px: float) -> tuple[Spoilt, ...]:
    """Return the smear in all directions."""
    return tuple(Spoilt(length_px, direction_deg) for direction_deg in DIRECTIONS_DEG)


ALL: Final = (SHARP, *SOFT, *(one for length_px in SMEARS_PX for one in smears(length_px)))


def judged(names: Iterable[str], ways: Iterable[Spoilt]) -> Iterator[Judged]:
    """Spoil each photograph in each way, without and with grain, and ask."""
    ways = tuple(ways)
    for name in names:
        original = photograph(name)
        for way in ways:
            spoilt = way.of(original)
            for grain in GRAINS:
                pixels = grained(spoilt, grain)
                sharpness = quality.sharpness(pixels)
                report = quality.assess(pixels, Thresholds(), sharpness)
                yield Judged(name, way, grain, sharpness, report.verdict)
