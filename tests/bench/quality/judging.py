"""Verdicts on a photograph in every class, by the product's or another score of sharpness."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.capture import quality
from agent.config import Thresholds
from agent.models import QualityVerdict
from tests.bench.quality import checkerboard, edge_profiles
from tests.bench.quality.classes import BLURS, pictures
from tests.bench.quality.photographs import Photograph


@dataclass(frozen=True, slots=True)
class Judged:
    """A picture and its verdict."""

    photograph: str
    blur: str
    exposure: str
    verdict: QualityVerdict


@dataclass(frozen=True, slots=True)
class Check:
    """A score of sharpness, and the limit below which a picture is called blurred."""

    sharpness: Callable[[quality.Pixels], float]
    blurred_below: float


PRODUCT: Final = "product"

CHECKS: Final = {
    PRODUCT: Check(quality.sharpness, Thresholds().blurred_below),
    "edges": Check(edge_profiles.sharpness, edge_profiles.BLURRED_BELOW),
    "before": Check(checkerboard.sharpness, checkerboard.BLURRED_BELOW),
}
"""The product's score of sharpness, and two to compare it with; other scores are the product's."""


def judged(
    photograph: Photograph, blurs: Iterable[str] = tuple(BLURS), check: str = PRODUCT
) -> list[Judged]:
    """Return the verdicts of one of CHECKS on a photograph in every class, or with some blurs."""
    return [
        Judged(photograph.name, blur, exposure.name, _verdict(pixels, CHECKS[check]))
        for blur, exposure, pixels in pictures(photograph, blurs)
    ]


def _verdict(pixels: quality.Pixels, check: Check) -> QualityVerdict:
    thresholds = replace(Thresholds(), blurred_below=check.blurred_below)
    return quality.assess(pixels, thresholds, check.sharpness(pixels)).verdict
